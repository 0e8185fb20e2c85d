# SPDX-License-Identifier: Apache-2.0
"""Heatmaps of heels and toes from MoveNet's maps, which were made for ankles and above.

The pyramid that MoveNet's own heads read says where ankles are and little of what lies beyond them: a head on it alone
finds heels and toes halfway to the ankle. So this one also reads the maps below the pyramid, and MoveNet's heatmaps of
knees and ankles, which tell the sides and which way a leg points.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hmr_ros.core.skeleton import COCO17, COCO_FEET
from hmr_ros.networks.global_to_pixel.movenet_trunk import CHANNELS, PYRAMID, Maps

FEET = COCO_FEET.size - COCO17.size

LEGS = slice(COCO17.index("left_knee"), COCO17.index("right_ankle") + 1)
"""Knees and ankles, left and right."""

READ = 3
"""Levels that are read: of strides 4, 8 and 16."""

WIDTH = 48

LAYERS = 3
"""That look at the cells around. Their kernels are 3x3: gradients of larger ones take ten times as long on a CPU."""

PRIOR = -math.log(99)
"""Logit of a cell that holds a keypoint once in a hundred times: an untrained head finds none."""


class FeetHead(nn.Module):
    """MoveNet's maps to logits (B, 4, H/4, W/4) of left and right heel and toe."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1) for channels in CHANNELS[:READ])
        self.beside = nn.Conv2d(PYRAMID + LEGS.stop - LEGS.start, WIDTH, 1)
        self.near = nn.Sequential(
            *(part for _ in range(LAYERS) for part in _looking()), nn.ReLU(), nn.Conv2d(WIDTH, FEET, 1)
        )
        last = self.near[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.constant_(last.bias, PRIOR)

    def forward(self, maps: Maps) -> Tensor:
        """Maps of B crops -> (B, 4, H/4, W/4)."""
        legs = maps.heads.heatmaps[:, LEGS].detach().sigmoid()
        x = self.beside(torch.cat([maps.pyramid, legs], 1))
        for doublings, (project, level) in enumerate(zip(self.levels, maps.levels, strict=False)):
            projected = project(level)
            if doublings:
                projected = interpolate(projected, scale_factor=2**doublings, mode="bilinear", align_corners=False)
            x = x + projected
        out: Tensor = self.near(x)
        return out


def _looking() -> tuple[nn.Module, ...]:
    """ReLU, each channel across the cells around, then all channels of each cell."""
    return nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH), nn.Conv2d(WIDTH, WIDTH, 1)
