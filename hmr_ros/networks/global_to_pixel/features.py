# SPDX-License-Identifier: Apache-2.0
"""What every backbone gives: a pyramid of feature maps, one vector for the whole crop, and keypoints of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hmr_ros.networks.global_to_pixel.movenet_trunk import Heads

STRIDES = (4, 8, 16, 32)


class Features(NamedTuple):
    """What a backbone sees of B crops.

    ``levels`` (B, C_l, H / s, W / s) for each of the ``STRIDES`` s; ``pooled`` (B, C); ``keypoints`` (B, J, 3) what it
    takes for the 2D keypoints itself: crop units and score, 0 where it finds none. ``heads`` and ``feet`` (B, 4, H/4,
    W/4), logits of heels and toes: what MoveNet reads its keypoints from, None of other backbones.
    """

    levels: tuple[Tensor, ...]
    pooled: Tensor
    keypoints: Tensor
    heads: Heads | None = None
    feet: Tensor | None = None

    def heatmaps(self, joints: int) -> Tensor:
        """Logits (B, J, H/4, W/4) of the heatmaps of the first ``joints`` keypoints; only MoveNet has some."""
        assert self.heads is not None, "only MoveNet has heads"
        assert self.feet is not None, "its feet come with the heads"
        return torch.cat([self.heads.heatmaps, self.feet], 1)[:, :joints]

    def rows(self, chosen: slice) -> Features:
        """Those of some of the crops."""
        return Features(
            tuple(level[chosen] for level in self.levels),
            self.pooled[chosen],
            self.keypoints[chosen],
            None if self.heads is None else Heads(*(maps[chosen] for maps in self.heads)),
            None if self.feet is None else self.feet[chosen],
        )


class Backbone(nn.Module):
    """Base of the backbones: normalises images; each implements ``maps``.

    ``channels``: of each level; ``pooled_channels``: of the vector; ``keypoints``: how many.
    """

    scale: Tensor
    shift: Tensor

    channels: tuple[int, ...]
    pooled_channels: int
    keypoints: int

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """``mean`` and ``std`` (3,) of RGB values 0..1, by which images are normalised."""
        super().__init__()
        self.register_buffer("scale", 1 / (255 * torch.tensor(std).reshape(3, 1, 1)), persistent=False)
        self.register_buffer("shift", -(torch.tensor(mean) / torch.tensor(std)).reshape(3, 1, 1), persistent=False)

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) normalised -> Features."""
        raise NotImplementedError

    def pretrained(self, frozen_stride: int) -> nn.Module:
        """The layers with weights from elsewhere that lie above ``frozen_stride``; ValueError without such a cut."""
        if frozen_stride:
            raise ValueError(f"crops.frozen_stride: expected 0 for this backbone, got {frozen_stride}")
        return self

    def untrained(self) -> list[nn.Module]:
        """The layers that start from random weights, where the others do not."""
        return []

    def forward(self, image: Tensor) -> Features:
        """(B, 256, 192, 3) uint8 RGB -> Features."""
        pixels = image.to(self.scale.dtype).permute(0, 3, 1, 2)  # cast first: TensorRT can do nothing else with bytes
        return self.maps(pixels * self.scale + self.shift)
