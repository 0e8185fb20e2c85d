# SPDX-License-Identifier: Apache-2.0
"""MoveNet Thunder as a backbone: its own heads say where the keypoints are, and the global stage reads the maps there.

Its weights: ``training/movenet_weights.py``. Heels and toes, which MoveNet lacks, have a head of their own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hmr_ros.core.skeleton import JointSet
from hmr_ros.networks.global_to_pixel.deformable import at_places
from hmr_ros.networks.global_to_pixel.features import Backbone, Features
from hmr_ros.networks.global_to_pixel.feet_head import FeetHead
from hmr_ros.networks.global_to_pixel.movenet_keypoints import SoftKeypoints, soft_keypoints
from hmr_ros.networks.global_to_pixel.movenet_trunk import CHANNELS, POINTS, MoveNetTrunk

COARSE, COARSEST = 2, 3
"""The levels of strides 16 and 32."""


class MoveNetBackbone(Backbone):
    """MoveNet Thunder on 256 x 192 crops.

    ``pooled``: the stride-16 map at the 17 keypoints, zeros where one was not found; the means of that map and of the
    stride-32 map; how far each keypoint's heatmap spreads.
    """

    channels = CHANNELS
    pooled_channels = (POINTS + 1) * CHANNELS[COARSE] + CHANNELS[COARSEST] + 4 * POINTS

    def __init__(self, joint_set: JointSet) -> None:
        """``joint_set``: of ``Features.keypoints``, coco17 or coco_feet."""
        super().__init__(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self.trunk = MoveNetTrunk()
        self.feet = FeetHead()
        self.keypoints = joint_set.size

    def pretrained(self, frozen_stride: int) -> nn.Module:
        """MoveNet's own layers above the map of ``frozen_stride``, 0 for all."""
        return self.trunk.above(frozen_stride)

    def untrained(self) -> list[nn.Module]:
        """The head of heels and toes."""
        return [self.feet]

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) -> Features; no gradient goes through the keypoints, as heatmaps have their own loss."""
        maps = self.trunk(image)
        feet = self.feet(maps)
        with torch.no_grad():
            soft = soft_keypoints(maps.heads, feet)
        keypoints = soft.keypoints[:, : self.keypoints]
        return Features(maps.levels, self._pooled(maps.levels, soft), keypoints, maps.heads, feet)

    def _pooled(self, levels: tuple[Tensor, ...], soft: SoftKeypoints) -> Tensor:
        places, score = soft.keypoints[:, :POINTS, :2], soft.keypoints[:, :POINTS, 2:]
        coarse, coarsest = levels[COARSE].float(), levels[COARSEST].float()
        at_keypoints = (at_places(coarse, places) * (score > 0)).transpose(1, 2)
        means = (coarse.mean((2, 3)), coarsest.mean((2, 3)))
        return torch.cat([at_keypoints.flatten(1), *means, soft.spread[:, :POINTS].flatten(1)], 1)
