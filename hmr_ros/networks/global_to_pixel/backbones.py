# SPDX-License-Identifier: Apache-2.0
"""The backbones: image crops -> a pyramid of feature maps, one vector for the whole crop, and keypoints."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.core.skeleton import BLAZEPOSE, JointSet, joint_set_named
from hmr_ros.networks.global_to_pixel.blazepose_trunk import PER_POINT, POINTS, PYRAMID, SIDE, TAIL, BlazePoseTrunk
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.features import STRIDES, Backbone, Features
from hmr_ros.networks.global_to_pixel.hrnet import WIDTHS, Hrnet
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone

MIN_VISIBILITY = 0.3
"""Landmarks of a lower visibility do not count as keypoints; as in perception/blazepose_detector.py."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class BlazePoseBackbone(Backbone):
    """BlazePose's network: small, and trained for keypoints. Its weights: ``training/blazepose_weights.py``.

    It takes squares, so the crop gets black columns on either side, and the maps lose them again. ``pooled`` is what
    its landmarks are made of, and the landmarks themselves.
    """

    order: Tensor
    middle: Tensor
    unit: Tensor

    channels = (PYRAMID,) * len(STRIDES)
    pooled_channels = 4 * TAIL + POINTS * PER_POINT

    def __init__(self, joint_set: JointSet) -> None:
        """``joint_set``: of ``Features.keypoints``; BlazePose sees those of bodies alone."""
        super().__init__(mean=(0, 0, 0), std=(1, 1, 1))
        self.trunk = BlazePoseTrunk()
        self.keypoints = joint_set.size
        self.sees = set(joint_set.joints) <= set(BLAZEPOSE.joints)
        order = [BLAZEPOSE.index(joint) for joint in joint_set.joints] if self.sees else [0] * joint_set.size
        self.register_buffer("order", torch.tensor(order), persistent=False)
        middle = torch.tensor([SIDE / 2, SIDE / 2, 0, 0, 0])
        self.register_buffer("middle", middle, persistent=False)
        self.register_buffer("unit", torch.tensor([SIDE / 4, SIDE / 4, SIDE / 4, 4, 4]), persistent=False)

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) -> Features."""
        border = (SIDE - CROP_SHAPE[1]) // 2
        levels, tail, landmarks = self.trunk(pad(image, (border, border)))
        cut = (
            level.narrow(3, border // stride, CROP_SHAPE[1] // stride)
            for level, stride in zip(levels, STRIDES, strict=True)
        )
        landmarks = landmarks.float()
        points = (landmarks - self.middle) / self.unit
        return Features(tuple(cut), torch.cat([tail.flatten(1), points.flatten(1)], 1), self._keypoints(landmarks))

    def _keypoints(self, landmarks: Tensor) -> Tensor:
        """Landmarks (B, 39, 5) px -> (B, J, 3) crop units and score; the crop is the middle of the square."""
        x, y, _, visibility, _ = landmarks.index_select(1, self.order).unbind(2)
        height, width = CROP_SHAPE
        places = torch.stack([(x - (SIDE - width) / 2) / width, y / height], 2)
        score = visibility.sigmoid()
        seen = (score >= MIN_VISIBILITY) & ((places >= 0) & (places <= 1)).all(2)
        if not self.sees:
            seen = torch.zeros_like(seen)
        return torch.cat([places, torch.where(seen, score, 0.0)[..., None]], 2)


class HrnetBackbone(Backbone):
    """HRNet-W32 or -W48, the published backbone of the papers. Its weights: ``load_hrnet``."""

    def __init__(self, name: str, joint_set: JointSet) -> None:
        """``name`` of ``WIDTHS``."""
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        self.model = Hrnet(WIDTHS[name])
        self.channels = self.model.widths
        self.pooled_channels = sum(self.channels)
        self.keypoints = joint_set.size

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) -> Features."""
        levels = tuple(self.model(image))
        pooled = torch.cat([level.mean((2, 3)) for level in levels], 1)
        return Features(levels, pooled, pooled.new_zeros(pooled.shape[0], self.keypoints, 3))


class TimmBackbone(Backbone):
    """Any model of timm that has maps at strides 4 to 32, such as hrnet_w32 or mobilenetv3_large_100."""

    def __init__(self, name: str, joint_set: JointSet) -> None:
        """Untrained; ``load`` reads weights. ImportError without timm; ValueError if the model does not fit.

        timm needs torchvision, which fails to load beside a torch that it was not built with: PyPI's is for CUDA.
        """
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        try:
            import timm
        except (ImportError, RuntimeError) as err:
            built = f"a torchvision built for torch {torch.__version__}"
            raise ImportError(f"backbone timm:{name} needs timm (pip install timm) and {built}: {err}") from err
        try:
            model = timm.create_model(name, features_only=True, pretrained=False)
        except RuntimeError as err:  # what timm raises for a name it does not know
            raise ValueError(f"backbone timm:{name}: {err}") from err
        stride_of = model.feature_info.reduction()
        if not set(STRIDES) <= set(stride_of):
            raise ValueError(f"backbone timm:{name}: expected maps of strides {STRIDES}, got {tuple(stride_of)}")
        self.model = model
        self.chosen = tuple(stride_of.index(stride) for stride in STRIDES)
        self.channels = tuple(model.feature_info.channels()[i] for i in self.chosen)
        self.pooled_channels = self.channels[-1]
        self.keypoints = joint_set.size

    def load(self, checkpoint: Path) -> None:
        """Take the weights of timm's file ``checkpoint``."""
        from timm.models import load_checkpoint

        load_checkpoint(self.model, str(checkpoint))

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) -> Features."""
        maps = self.model(image)
        levels = tuple(maps[i] for i in self.chosen)
        pooled = levels[-1].mean((2, 3))
        return Features(levels, pooled, pooled.new_zeros(pooled.shape[0], self.keypoints, 3))


def build_backbone(config: GlobalToPixelConfig) -> Backbone:
    """Raise ValueError for a name that is none of those of ``GlobalToPixelConfig.backbone``."""
    library, _, name = config.backbone.partition(":")
    joint_set = joint_set_named(config.joint_set)
    if library == "timm" and name:
        return TimmBackbone(name, joint_set)
    if config.backbone in WIDTHS:
        return HrnetBackbone(config.backbone, joint_set)
    if config.backbone == "blazepose":
        return BlazePoseBackbone(joint_set)
    if config.backbone == "movenet_thunder":
        return MoveNetBackbone(joint_set)
    names = ", ".join(f'"{name}"' for name in ("blazepose", "movenet_thunder", *WIDTHS))
    raise ValueError(f'backbone: expected {names} or "timm:<model>", got {config.backbone!r}')
