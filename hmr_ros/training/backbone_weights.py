# SPDX-License-Identifier: Apache-2.0
"""The first weights of Global-to-Pixel's backbones that are not MoveNet (movenet_weights.py)."""

from __future__ import annotations

from pathlib import Path

from hmr_ros.networks.global_to_pixel.backbones import BlazePoseBackbone, HrnetBackbone, TimmBackbone
from hmr_ros.networks.global_to_pixel.features import Backbone
from hmr_ros.networks.global_to_pixel.hrnet import load_hrnet
from hmr_ros.training.blazepose_weights import load_blazepose


def load_backbone(backbone: Backbone, checkpoint: str) -> None:
    """Give ``backbone`` BlazePose's weights, or those of the file ``checkpoint`` of HRNet or timm; empty: none."""
    if isinstance(backbone, BlazePoseBackbone):
        load_blazepose(backbone.trunk)
    if isinstance(backbone, HrnetBackbone) and checkpoint:
        load_hrnet(backbone.model, Path(checkpoint))
    if isinstance(backbone, TimmBackbone) and checkpoint:
        backbone.load(Path(checkpoint))
