# SPDX-License-Identifier: Apache-2.0
"""MoveNet Thunder: a trunk that has seen many people, and its own heads, which say where their keypoints are.

MobileNetV2, 1.75 times as wide, a top-down pyramid to stride 4, and CenterNet's four heads on it. Batch norm is folded
into the convolutions, as in the file the weights come from (``training/movenet_weights.py``), in whose order they are
registered here. Padding is TensorFlow's: a convolution that halves a map adds a row and a column after it only.
Activations are in place, which saves a sixth of the time of the layers up to stride 8 without gradients.

Source: Votel and Li, "Next-Generation Pose Detection with MoveNet and TensorFlow.js", 2021; Google, Apache-2.0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

POINTS = 17
"""Keypoints of its heads, COCO's."""

CHANNELS = (40, 56, 168, 560)
"""Of the maps at strides 4, 8, 16 and 32."""

PYRAMID = 24
"""Channels of the map at stride 4 that the heads read."""

HEAD = 96
"""Channels inside a head."""

STAGES = (
    ((192, 40, 2), (240, 40, 1)),
    ((240, 56, 2), (336, 56, 1), (336, 56, 1)),
    ((336, 112, 2), (672, 112, 1), (672, 112, 1), (672, 112, 1)),
    ((672, 168, 1), (1008, 168, 1), (1008, 168, 1)),
    ((1008, 280, 2), (1680, 280, 1), (1680, 280, 1), (1680, 560, 1)),
)
"""Channels inside, channels out and stride of each block, to strides 4, 8, 16, 16 and 32."""

ENDS = (0, 1, 3, 4)
"""The stages whose results are the maps of ``CHANNELS``."""

LATERALS = (0, 1, 2)
"""The stages that the pyramid reads, beside the last."""


class Heads(NamedTuple):
    """What the heads say of B crops, one value per cell of stride 4.

    Logits ``centre`` (B, 1, h, w) and ``heatmaps`` (B, 17, h, w); ``regression`` (B, 34, h, w): y, x from a person's
    centre to each keypoint; ``offsets`` (B, 34, h, w): y, x from a keypoint's cell to the keypoint; both in cells.
    """

    centre: Tensor
    heatmaps: Tensor
    regression: Tensor
    offsets: Tensor


class Maps(NamedTuple):
    """``levels`` (B, C, H/s, W/s) for s = 4, 8, 16, 32; ``pyramid`` (B, 24, H/4, W/4); ``heads``."""

    levels: tuple[Tensor, ...]
    pyramid: Tensor
    heads: Heads


class Halving(nn.Conv2d):
    """A 3x3 convolution of stride 2, padded after the map only.

    Of one on each channel, PyTorch's gradients take five times as long on a CPU as those of stride 1: where they are
    needed, every place is computed and every other one taken.
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, 3, 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/2, W/2)."""
        if self.groups > 1 and self.weight.requires_grad and torch.is_grad_enabled() and x.device.type == "cpu":
            everywhere: Tensor = conv2d(x, self.weight, self.bias, padding=1, groups=self.groups)
            return everywhere[..., 1::2, 1::2]
        return super().forward(pad(x, (0, 1, 0, 1)))


def _relu6() -> nn.ReLU6:
    return nn.ReLU6(inplace=True)


def _each(channels: int, bias: bool = True) -> nn.Conv2d:
    """3x3 on each channel."""
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=bias)


class InvertedResidual(nn.Module):
    """1x1 to ``inside`` channels, 3x3 on each of them, 1x1 to ``out``; added to its input where shapes allow."""

    def __init__(self, inputs: int, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.adds = stride == 1 and inputs == out
        depthwise = Halving(inside, inside, inside) if stride == 2 else _each(inside)
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, inside, 1), _relu6(), depthwise, _relu6(), nn.Conv2d(inside, out, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        out: Tensor = self.body(x)
        return x + out if self.adds else out


class Merge(nn.Module):
    """One step down the pyramid: the coarser map enlarged, plus a finer one, smoothed."""

    def __init__(self, fine: int, coarse: int, out: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(fine, coarse, 1)
        self.smooth = nn.Sequential(_each(coarse, bias=False), nn.Conv2d(coarse, out, 1), nn.ReLU(inplace=True))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, C, H, W) and (B, C', H/2, W/2) -> (B, C'', H, W)."""
        enlarged = interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        out: Tensor = self.smooth(enlarged + self.lateral(fine))
        return out


def _keypoint_head(outputs: int) -> nn.Sequential:
    """A head of ``outputs`` values per cell of the pyramid."""
    return nn.Sequential(
        *(_each(PYRAMID, bias=False), nn.Conv2d(PYRAMID, HEAD, 1), nn.ReLU(inplace=True), nn.Conv2d(HEAD, outputs, 1))
    )


class MoveNetTrunk(nn.Module):
    """Images (B, 3, H, W) with values -1..1, H and W multiples of 32, to ``Maps``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Halving(3, 56), _relu6(), _each(56), _relu6(), nn.Conv2d(56, 32, 1))
        channels, stages = 32, []
        for blocks in STAGES:
            stage = []
            for inside, out, stride in blocks:
                stage.append(InvertedResidual(channels, inside, out, stride))
                channels = out
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)
        self.top = nn.Sequential(nn.Conv2d(channels, 1280, 1), _relu6(), nn.Conv2d(1280, 64, 1))
        self.merges = nn.ModuleList([Merge(112, 64, 32), Merge(56, 32, 24), Merge(40, 24, PYRAMID)])
        self.heads = nn.ModuleList(_keypoint_head(outputs) for outputs in (1, POINTS, 2 * POINTS, 2 * POINTS))

    def above(self, stride: int) -> nn.ModuleList:
        """All layers but those of the maps up to ``stride`` (0, 4, 8, 16 or 32): what is trained if they are not."""
        frozen = {0: -1, 4: 0, 8: 1, 16: 3, 32: 4}[stride]
        stem = [] if stride else [self.stem]
        return nn.ModuleList([*stem, *self.stages[frozen + 1 :], self.top, self.merges, self.heads])

    def forward(self, image: Tensor) -> Maps:
        """(B, 3, H, W) -> Maps."""
        x, rising = self.stem(image), []
        for stage in self.stages:
            x = stage(x)
            rising.append(x)
        pyramid = self.top(x)
        for merge, fine in zip(self.merges, reversed(LATERALS), strict=True):
            pyramid = merge(rising[fine], pyramid)
        return Maps(tuple(rising[i] for i in ENDS), pyramid, Heads(*(head(pyramid) for head in self.heads)))
