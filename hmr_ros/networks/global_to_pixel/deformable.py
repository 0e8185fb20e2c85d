# SPDX-License-Identifier: Apache-2.0
"""Reading a pyramid of feature maps around anchors.

``DeformableAttention`` looks where it wants to: a few learned places per head and level (Zhu et al., "Deformable DETR",
ICLR 2021). ``RoiAttention``, the ablation, averages a fixed square around the anchor.

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

CELLS_PER_CHANNEL = 2
"""Maps with fewer cells than this per channel are read by a matrix product. With 192 x 4 places on one thread, forward
and backward, it takes an eighth of the time of sampling on 8 x 6 cells of 560 channels, half on 16 x 12 of 168, and
three times as long on 32 x 24 of 56.
"""


def read(level: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of what a map shows at places, by bilinear interpolation.

    ``level`` (B, C, H, W), ``places`` (B, N, M, 2) crop units and ``weights`` (B, N, M) -> (B, N, C).
    """
    channels, height, width = level.shape[1:]
    as_product = height * width < CELLS_PER_CHANNEL * channels
    return multiplied(level, places, weights) if as_product else sampled(level, places, weights)


def sampled(level: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """``read``: each place is sampled, then the samples are summed; for large maps of few channels."""
    found = grid_sample(level, 2 * places - 1, mode="bilinear", padding_mode="zeros", align_corners=False)
    return (found * weights[:, None]).sum(3).transpose(1, 2)


def multiplied(level: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """``read``: as one product with the map; for small maps of many channels, whose samples would fill the memory."""
    rows, columns = (_fractions(places[..., 1 - axis], level.shape[2 + axis]) for axis in (0, 1))
    of_cells = (rows * weights[..., None]).transpose(2, 3) @ columns  # (B, N, H, W)
    out: Tensor = of_cells.flatten(2) @ level.flatten(2).transpose(1, 2)
    return out


def _fractions(places: Tensor, count: int) -> Tensor:
    """Places (...) along an axis of ``count`` cells -> (..., count): how much each cell contributes there."""
    cells = torch.arange(count, dtype=places.dtype, device=places.device) + 0.5
    return (1 - (count * places[..., None] - cells).abs()).clamp(min=0)


def at_places(level: Tensor, places: Tensor) -> Tensor:
    """What a map (B, C, H, W) shows at places (B, N, 2), crop units -> (B, N, C)."""
    return read(level, places[:, :, None], torch.ones_like(places[..., :1]))


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
        looks = self.looks(query, anchors, pyramid)
        found = [
            read(level, places.flatten(1, 2), weights.flatten(1, 2))
            for level, (places, weights) in zip(pyramid, looks, strict=True)
        ]
        seen = self.norm(torch.cat(found, 2)).unflatten(1, (-1, self.heads))  # (B, K, heads, channels)
        values = seen.permute(2, 0, 1, 3).flatten(1, 2) @ self.value
        out: Tensor = self.output(values.unflatten(1, query.shape[:2]).permute(1, 2, 0, 3).flatten(2))
        return out

    def looks(self, query: Tensor, anchors: Tensor, pyramid: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """On each level: places (B, K, heads, points, 2), crop units, and weights (B, K, heads, points).

        The weights of a head sum to 1 over all levels. ``query`` (B, K, W), ``anchors`` (B, K, 2) crop units.
        """
        size = (self.heads, self.levels, self.points)
        offsets = self.offsets(query).float().unflatten(2, (*size, 2))
        weights = self.weights(query).float().unflatten(2, (self.heads, -1)).softmax(-1).unflatten(3, size[1:])
        out = []
        for number, level in enumerate(pyramid):
            cell = offsets.new_tensor([1 / level.shape[3], 1 / level.shape[2]])
            places = anchors[:, :, None, None] + offsets[:, :, :, number] * cell
            out.append((places, weights[:, :, :, number]))
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
        equal = torch.full_like(places[..., 0], 1 / len(self.square))
        found = torch.cat([read(level, places, equal) for level in pyramid], 2)
        out: Tensor = self.output(self.norm(found))
        return out
