# SPDX-License-Identifier: Apache-2.0
"""The pixel branch: every cell of a stride-8 map predicts its class, and where the joints are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from hmr_ros.core.body.skinning import SMPL_TREE, Tree
from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.networks.global_to_pixel.estimate import SmplDecoder, SmplState, parameters
from hmr_ros.networks.global_to_pixel.layers import fill_bias
from hmr_ros.networks.global_to_pixel.matching import PixelPredictions

STRIDE = 8
GRID = (CROP_SHAPE[0] // STRIDE, CROP_SHAPE[1] // STRIDE)
"""(rows, columns) of the pixels."""

PRIOR = -math.log(99)
"""Logit of a class that one pixel in a hundred has (Lin et al., ICCV 2017)."""


def centres() -> Tensor:
    """(P, 2) crop units, row by row."""
    y, x = (((torch.arange(count) + 0.5) / count) for count in GRID)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows], -1).flatten(0, 1)


class PixelFeatures(nn.Module):
    """All levels side by side at stride 8, then two 3x3 convolutions, separable as they would else cost most of all."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(sum(channels), width, 1), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1), nn.ReLU()),
        )

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Levels of strides 4, 8, 16, 32 -> (B, W, P)."""
        mixing, *others = self.body
        assert isinstance(mixing, nn.Conv2d)
        out: Tensor = nn.Sequential(*others)(self._mixed(mixing, pyramid)).flatten(2)
        return out

    @staticmethod
    def _mixed(mixing: nn.Conv2d, pyramid: Sequence[Tensor]) -> Tensor:
        """``mixing``, a 1x1 convolution, of all levels side by side at stride 8 -> (B, W, H/8, W/8).

        It may as well come before coarse levels are enlarged, as both are linear, and there it is cheaper.
        """
        fine, middle, *coarse = pyramid
        kernels = mixing.weight.split([level.shape[1] for level in pyramid], 1)
        at_stride_8 = torch.cat([avg_pool2d(fine, 2), middle], 1)
        out = conv2d(at_stride_8, torch.cat(kernels[:2], 1), mixing.bias)
        for level, kernel in zip(coarse, kernels[2:], strict=True):
            out = out + interpolate(conv2d(level, kernel), size=GRID, mode="bilinear", align_corners=False)
        return out


class KeypointPixels(nn.Module):
    """Each pixel has a class score and an offset per joint."""

    centres: Tensor

    def __init__(self, width: int, tree: Tree = SMPL_TREE) -> None:
        super().__init__()
        self.classes = nn.Conv1d(width, tree.size, 1)
        self.offsets = nn.Conv1d(width, tree.size * 2, 1)
        fill_bias(self.classes, PRIOR)
        nn.init.normal_(self.offsets.weight, std=1e-3)
        fill_bias(self.offsets, 0.0)
        self.register_buffer("centres", centres(), persistent=False)

    def forward(self, features: Tensor, base: SmplState, camera: Tensor) -> PixelPredictions:
        """(B, W, P) -> predictions of U = 24 units; neither the state nor the camera matter."""
        places = self.centres + self.offsets(features).unflatten(1, (-1, 2)).transpose(2, 3)
        return PixelPredictions(self.classes(features).float(), places, self.centres)

    def corrected(self, base: SmplState, chosen: Tensor) -> SmplState:
        """Pixels of keypoints propose no pose."""
        return base


class PersonPixels(nn.Module):
    """Each pixel has one class score, and proposes a correction of the whole person."""

    centres: Tensor

    def __init__(self, width: int, decoder: SmplDecoder, tree: Tree = SMPL_TREE) -> None:
        super().__init__()
        self.classes = nn.Conv1d(width, 1, 1)
        self.proposals = nn.Linear(width, parameters(tree))
        self.decoder = decoder
        fill_bias(self.classes, PRIOR)
        nn.init.xavier_uniform_(self.proposals.weight, gain=0.01)
        nn.init.zeros_(self.proposals.bias)
        self.register_buffer("centres", centres(), persistent=False)

    def forward(self, features: Tensor, base: SmplState, camera: Tensor) -> PixelPredictions:
        """(B, W, P), the state that is corrected and (B, 3) -> predictions of U = 1 unit."""
        places = self._places(features, base, camera)
        return PixelPredictions(self.classes(features).float(), places, self.centres)

    def corrected(self, base: SmplState, chosen: Tensor) -> SmplState:
        """State and features (B, 1, W) of the person's pixels -> what they propose."""
        return base.plus(SmplState.from_vector(self.proposals(chosen[:, 0])))

    @torch.no_grad()
    def _places(self, features: Tensor, base: SmplState, camera: Tensor) -> Tensor:
        """(B, 24, P, 2): joints of all proposals. The loss of the chosen one's body teaches them."""
        count = features.shape[2]
        repeated = SmplState(*(x.repeat_interleave(count, 0) for x in base))
        proposed = self.corrected(repeated, features.transpose(1, 2).flatten(0, 1)[:, None])
        anchors = self.decoder(proposed, camera.repeat_interleave(count, 0)).anchors
        out: Tensor = anchors.unflatten(0, (-1, count)).transpose(1, 2)
        return out
