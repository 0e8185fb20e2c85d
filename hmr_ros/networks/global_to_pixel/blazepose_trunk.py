# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's BlazePose landmark network: a small backbone that has seen many people.

MobileNetV2's inverted bottlenecks with ReLU6, a top-down pyramid of 48 channels that BlazePose's heatmaps are read
from, and a tail to stride 128 that its landmarks are, which have a depth. Batch norm is folded into the convolutions,
as in the file the weights come from (``training/blazepose_weights.py``).

Source: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020; MediaPipe, Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad

STEM = 24
PYRAMID = 48
TAIL = 288
TAIL_BLOCKS = (4, 5)
"""After each halving of the tail: to stride 64, then to 128."""

SIDE = 256
"""Of the square images it takes, px."""

POINTS, PER_POINT = 39, 5
"""Landmarks; x, y, z in px of the image, logits of visibility and presence."""


@dataclass(frozen=True)
class Bottleneck:
    """1x1 convolution to ``inside`` channels, ``kernel`` x ``kernel`` on each of them, 1x1 to ``out``."""

    out: int
    kernel: int
    inside: int
    stride: int = 1


# One tuple per level of the pyramid: strides 4, 8, 16, 32.
LEVELS = (
    (Bottleneck(24, 3, 64, 2), Bottleneck(24, 3, 144)),
    (Bottleneck(32, 5, 144, 2), Bottleneck(32, 5, 192)),
    (
        *(Bottleneck(64, 3, 192, 2), Bottleneck(64, 3, 384), Bottleneck(64, 3, 384)),
        *(Bottleneck(88, 5, 384), Bottleneck(88, 5, 528), Bottleneck(88, 5, 528)),
    ),
    (Bottleneck(144, 5, 528, 2), *(Bottleneck(144, 5, 864),) * 3),
)
LAST = 864


class Maps(NamedTuple):
    """``levels`` (B, 48, 256/s, 256/s) for s = 4, 8, 16, 32; ``tail`` (B, 288, 2, 2); ``landmarks`` (B, 39, 5)."""

    levels: tuple[Tensor, ...]
    tail: Tensor
    landmarks: Tensor


def _convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Conv2d:
    """Depth-wise if ``kernel`` > 1 and the channels agree: all of these are."""
    groups = inputs if kernel > 1 and inputs == outputs else 1
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 per channel, then 1x1, each with ReLU6."""
    return nn.Sequential(_convolution(inputs, inputs, 3), nn.ReLU6(), _convolution(inputs, outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    """A ``Bottleneck``, added to its input where shapes allow."""

    def __init__(self, inputs: int, block: Bottleneck) -> None:
        super().__init__()
        self.adds = block.stride == 1 and inputs == block.out
        self.body = nn.Sequential(
            *(_convolution(inputs, block.inside), nn.ReLU6()),
            *(_convolution(block.inside, block.inside, block.kernel, block.stride), nn.ReLU6()),
            _convolution(block.inside, block.out),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        out: Tensor = self.body(x)
        return x + out if self.adds else out


class TailBlock(nn.Module):
    """Separable convolution with a shortcut and ReLU6 after it; the first one halves the map."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.each = nn.Conv2d(TAIL, TAIL, 3, stride, padding=0 if stride > 1 else 1, groups=TAIL)
        self.mix = _convolution(TAIL, TAIL)
        self.relu = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 288, H, W) -> (B, 288, H / stride, W / stride)."""
        skip, padded = x, x
        if self.stride > 1:  # here, unlike in the bottlenecks, TensorFlow's SAME padding was kept: after the map only
            skip, padded = max_pool2d(x, 2), pad(x, (0, 1, 0, 1))
        out: Tensor = self.relu(skip + self.mix(self.relu(self.each(padded))))
        return out


class BlazePoseTrunk(nn.Module):
    """Images (B, 3, 256, 256) with values 0..1 to ``Maps``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(_convolution(3, STEM, 3, 2), nn.ReLU6()),
            *(_convolution(STEM, STEM, 3), nn.ReLU6(), _convolution(STEM, 16)),
        )
        channels, levels, laterals = 16, [], []
        for blocks in LEVELS:
            level = []
            for block in blocks:
                level.append(InvertedResidual(channels, block))
                channels = block.out
            levels.append(nn.Sequential(*level))
            laterals.append(channels)
        self.levels = nn.ModuleList(levels)
        self.last = nn.Sequential(
            *(_convolution(channels, LAST), nn.ReLU6(), _convolution(LAST, LAST, 3), nn.ReLU6()),
        )
        self.laterals = nn.ModuleList(_separable(inputs, PYRAMID) for inputs in (*laterals[:-1], LAST))
        halvings = [TailBlock(stride) for count in TAIL_BLOCKS for stride in (2, *(1,) * count)]
        self.tail = nn.Sequential(_separable(LAST, TAIL), *halvings)
        self.points = nn.Conv2d(TAIL, POINTS * PER_POINT, 2)

    def forward(self, image: Tensor) -> Maps:
        """(B, 3, 256, 256) -> Maps."""
        x, rising = self.stem(image), []
        for level in self.levels:
            x = level(x)
            rising.append(x)
        last = self.last(x)
        maps = [lateral(y) for lateral, y in zip(self.laterals, (*rising[:-1], last), strict=True)]
        for fine in reversed(range(len(maps) - 1)):
            coarser = interpolate(maps[fine + 1], scale_factor=2, mode="bilinear", align_corners=False)
            maps[fine] = maps[fine] + coarser
        tail = self.tail(last)
        return Maps(tuple(maps), tail, self.points(tail).flatten(1).unflatten(1, (POINTS, PER_POINT)))
