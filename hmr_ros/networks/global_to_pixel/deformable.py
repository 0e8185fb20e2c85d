# SPDX-License-Identifier: Apache-2.0
"""Reading a pyramid of feature maps around anchors.

``DeformableAttention`` looks where it wants to: a few learned places per head and level (Zhu et al., "Deformable DETR",
ICLR 2021), written with GridSample, which ONNX and TensorRT have. ``RoiAttention``, the ablation, averages a fixed
square around the anchor.

Maps are (B, C_l, H_l, W_l), places are in crop units: 0 and 1 are the outer edges of the outermost cells, and beyond
them lies zero. Both read the backbone's own channels and project what they found: a linear map and bilinear sampling
may change places, and a few hundred places are cheaper to project than all cells of the maps. Output layers start at
zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from hmr_ros.networks.global_to_pixel.layers import zero_linear

ROI_SIDE = 0.25
"""Side of the fixed square, of the crop's height and width."""

ROI_SAMPLES = 7
"""Samples along each side of it."""


def sample(level: Tensor, places: Tensor) -> Tensor:
    """(B, C, H, W) read at (B, N, M, 2) crop units by bilinear interpolation -> (B, C, N, M)."""
    return grid_sample(level, 2 * places - 1, mode="bilinear", padding_mode="zeros", align_corners=False)


class DeformableAttention(nn.Module):
    """Every query reads ``heads`` x levels x ``points`` places around its anchor and weighs what it finds."""

    def __init__(self, channels: Sequence[int], width: int, heads: int, points: int) -> None:
        """``channels`` (levels,) of the maps; ``width`` of queries and result."""
        super().__init__()
        if width % heads:
            raise ValueError(f"expected a width that is a multiple of {heads} heads, got {width}")
        self.levels, self.heads, self.points = len(channels), heads, points
        self.offsets = zero_linear(width, heads * self.levels * points * 2)
        self.weights = zero_linear(width, heads * self.levels * points)
        self.norm = nn.LayerNorm(sum(channels))
        bound = math.sqrt(6 / (sum(channels) + width // heads))  # Xavier, per head
        self.value = nn.Parameter(torch.empty(heads, sum(channels), width // heads).uniform_(-bound, bound))
        self.output = zero_linear(width, width)
        with torch.no_grad():
            self.offsets.bias.copy_(self._star().flatten())

    def _star(self) -> Tensor:
        """(heads, levels, points, 2) cells: each head looks in its own direction, each point one step farther."""
        angle = 2 * math.pi * torch.arange(self.heads) / self.heads
        direction = torch.stack([angle.cos(), angle.sin()], -1)
        direction = direction / direction.abs().amax(-1, keepdim=True)
        steps = torch.arange(1, self.points + 1)
        return (direction[:, None, None] * steps[:, None]).expand(-1, self.levels, -1, -1).contiguous()

    def forward(self, query: Tensor, anchors: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """(B, K, W), (B, K, 2) crop units and the levels -> (B, K, W)."""
        size = (self.heads, self.levels, self.points)
        offsets = self.offsets(query).float().unflatten(2, (*size, 2))
        weights = self.weights(query).float().unflatten(2, (self.heads, -1)).softmax(-1).unflatten(3, size[1:])
        found = []
        for number, level in enumerate(pyramid):
            cell = offsets.new_tensor([1 / level.shape[3], 1 / level.shape[2]])
            places = anchors[:, :, None, None] + offsets[:, :, :, number] * cell
            read = sample(level, places.flatten(2, 3)).unflatten(3, (self.heads, -1))  # (B, C, K, heads, points)
            found.append((read * weights[:, None, :, :, number]).sum(-1))
        seen = self.norm(torch.cat(found, 1).permute(3, 0, 2, 1))  # (heads, B, K, channels)
        values = seen.flatten(1, 2) @ self.value
        out: Tensor = self.output(values.unflatten(1, query.shape[:2]).permute(1, 2, 0, 3).flatten(2))
        return out


class RoiAttention(nn.Module):
    """Every query reads the mean of a fixed square around its anchor, on each level."""

    square: Tensor

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sum(channels))
        self.output = zero_linear(sum(channels), width)
        ticks = ((torch.arange(ROI_SAMPLES) + 0.5) / ROI_SAMPLES - 0.5) * ROI_SIDE
        self.register_buffer("square", torch.cartesian_prod(ticks, ticks), persistent=False)

    def forward(self, query: Tensor, anchors: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """(B, K, W), (B, K, 2) crop units and the levels -> (B, K, W)."""
        places = anchors[:, :, None] + self.square
        found = torch.cat([sample(level, places).mean(3) for level in pyramid], 1)
        out: Tensor = self.output(self.norm(found.transpose(1, 2)))
        return out
