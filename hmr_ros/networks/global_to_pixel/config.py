# SPDX-License-Identifier: Apache-2.0
"""Settings of the Global-to-Pixel network."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.settings import setting, validate


@dataclass(frozen=True)
class GlobalToPixelConfig:
    """Sizes of the network, and the ablations of the paper."""

    backbone: str = setting(
        "blazepose",
        doc='"blazepose", "movenet_thunder", "hrnet_w32", "hrnet_w48", or "timm:<model>" for any model of timm',
    )
    checkpoint: str = setting(
        "",
        doc="local weights of an HRNet (for COCO's poses) or timm backbone; empty: random, nothing is downloaded",
    )
    start: str = setting(
        "mean",
        doc="what the global stage corrects: the mean body, or what the local stage makes of it by the backbone's own "
        "keypoints alone (keypoints), or by those that are given, the backbone's own where none are (given)",
        choices=("mean", "keypoints", "given"),
    )
    joint_set: str = setting("coco_feet", doc="2D keypoints that are read", choices=("coco_feet", "coco17", "mano"))
    merge: bool = setting(
        False, doc="given keypoints are put right by those that the backbone sees; start given and movenet_thunder only"
    )
    global_width: int = setting(512, doc="features of the global stage's head", low=8)
    pooled_width: int = setting(
        0, doc="features that those of the whole crop are reduced to for the global stage; 0: all are read", low=0
    )
    iterations: int = setting(3, doc="refinements in the global stage", low=1, high=8)
    width: int = setting(128, doc="features of a joint in the local stage", low=8)
    lifting_width: int = setting(512, doc="features of the network that lifts the keypoints", low=8)
    lifting_blocks: int = setting(4, doc="residual blocks of it", low=1)
    layers: int = setting(3, doc="layers of the local stage", low=1, high=12)
    heads: int = setting(8, doc="attention heads of each", low=1)
    points: int = setting(4, doc="places each head looks at, per level of the pyramid", low=1)
    pixel_width: int = setting(64, doc="features of the pixels", low=8)
    dropout: float = setting(0.0, doc="fraction of features dropped in training", low=0, high=0.9)
    match_unit: str = setting(
        "keypoint", doc="a pixel is matched to each keypoint, or to the person", choices=("keypoint", "person")
    )
    dynamic_k: bool = setting(False, doc="match as many pixels as agree with the target, not one")
    local: str = setting("on", doc="ablation: the local stage", choices=("on", "off"))
    match: str = setting(
        "dynamic", doc="ablation: match by least cost, or by distance only", choices=("dynamic", "fixed")
    )
    residual: str = setting("on", doc="ablation: correct the global stage, or predict afresh", choices=("on", "off"))
    sampler: str = setting(
        "deformable", doc="ablation: where features are read around an anchor", choices=("deformable", "roi")
    )

    def __post_init__(self) -> None:
        validate(self)
        if self.merge and not (self.backbone == "movenet_thunder" and self.start == "given"):
            raise ValueError(
                f"merge: expected the backbone movenet_thunder, which has heatmaps, and the start given, got "
                f"{self.backbone!r} and {self.start!r}"
            )

    @property
    def corrects(self) -> bool:
        """Whether there is a local stage, if only for the start."""
        return self.local == "on" or self.start != "mean"
