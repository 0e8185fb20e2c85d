"""Reading a pyramid of feature maps around anchors.

``DeformableAttention`` looks where it wants to: a few learned places per head and level (Zhu et al., "Deformable DETR",
ICLR 2021), written with GridSample, which ONNX and TensorRT have. ``RoiAttention``, the ablation, averages a fixed
square around the anchor.

Maps are (B, C, H_l, W_l), places are in crop units: 0 and 1 are the outer edges of the outermost cells, and beyond them
lies zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

ROI_SIDE = 0.25
"""Side of the fixed square, of the crop's height and width."""

ROI_SAMPLES = 7
"""Samples along each side of it."""


def sample(level: Tensor, places: Tensor) -> Tensor:
    """(B, C, H, W) read at (B, N, M, 2) crop units by bilinear interpolation -> (B, C, N, M)."""
    return grid_sample(level, 2 * places - 1, mode="bilinear", padding_mode="zeros", align_corners=False)


class DeformableAttention(nn.Module):
    """Every query reads ``heads`` x levels x ``points`` places around its anchor and weighs what it finds.

    Each head reads its own share of the channels. The pyramid is projected once for all layers, not once in each, as
    that would cost more than all the rest of them.
    """

    def __init__(self, width: int, levels: int, heads: int, points: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"expected a width that is a multiple of {heads} heads, got {width}")
        self.levels, self.heads, self.points = levels, heads, points
        self.offsets = nn.Linear(width, heads * levels * points * 2)
        self.weights = nn.Linear(width, heads * levels * points)
        self.output = nn.Linear(width, width)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
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
        """(B, K, C), (B, K, 2) crop units and the levels -> (B, K, C)."""
        count = query.shape[1]
        offsets = self._by_head(self.offsets(query), self.levels * self.points * 2)
        weights = self._by_head(self.weights(query), self.levels * self.points).softmax(-1)
        anchors = anchors[:, None].expand(-1, self.heads, -1, -1).reshape(-1, count, 1, 2)
        found = [
            sample(self._split(level), anchors + step / step.new_tensor([level.shape[3], level.shape[2]]))
            for level, step in zip(pyramid, offsets.unflatten(2, (self.levels, -1, 2)).unbind(2), strict=True)
        ]
        read = (torch.cat(found, 3) * weights[:, None]).sum(3)
        return self.output(read.reshape(-1, query.shape[2], count).transpose(1, 2))

    def _by_head(self, x: Tensor, size: int) -> Tensor:
        """(B, K, heads * size) -> (B * heads, K, size)."""
        return x.unflatten(2, (self.heads, size)).transpose(1, 2).reshape(-1, x.shape[1], size)

    def _split(self, level: Tensor) -> Tensor:
        """(B, C, H, W) -> (B * heads, C / heads, H, W)."""
        _, channels, height, width = level.shape
        return level.reshape(-1, channels // self.heads, height, width)


class RoiAttention(nn.Module):
    """Every query reads the mean of a fixed square around its anchor, on each level."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.output = nn.Linear(levels * width, width)
        ticks = ((torch.arange(ROI_SAMPLES) + 0.5) / ROI_SAMPLES - 0.5) * ROI_SIDE
        self.register_buffer("square", torch.cartesian_prod(ticks, ticks), persistent=False)

    def forward(self, query: Tensor, anchors: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """(B, K, C), (B, K, 2) crop units and the levels -> (B, K, C)."""
        places = anchors[:, :, None] + self.square
        found = torch.cat([sample(level, places).mean(3) for level in pyramid], 1)
        return self.output(found.transpose(1, 2))
