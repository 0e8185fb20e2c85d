# SPDX-License-Identifier: Apache-2.0
"""One token per joint: it reads the image around its anchor, and the tokens of the other joints.

Without an image (``features`` None) it uses the keypoints alone. What an image adds is projected by layers that start
at zero, so a network that has learnt without images loses nothing when it first sees one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hmr_ros.core.body.skinning import Tree
from hmr_ros.networks.global_to_pixel.anchors import Anchors
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.crop_camera import camera_features
from hmr_ros.networks.global_to_pixel.deformable import DeformableAttention, RoiAttention, at_places
from hmr_ros.networks.global_to_pixel.estimate import SmplEstimate
from hmr_ros.networks.global_to_pixel.features import Backbone, Features
from hmr_ros.networks.global_to_pixel.layers import zero_linear
from hmr_ros.networks.global_to_pixel.lifting import Lifted

FEEDFORWARD = 4
"""Features between the two layers of a feed-forward part, as a multiple of the width."""


class Queries(nn.Module):
    """A joint's token before it reads the image: itself, its anchor, the estimate, the crop and all keypoints."""

    def __init__(self, backbone: Backbone, lifting_width: int, width: int, tree: Tree) -> None:
        super().__init__()
        self.joint = nn.Parameter(torch.randn(tree.size, width))
        self.local = nn.Sequential(nn.LayerNorm(sum(backbone.channels)), zero_linear(sum(backbone.channels), width))
        self.state = nn.Linear(6 + 2 + 1 + 2 + 3, width)
        self.crop = zero_linear(backbone.pooled_channels, width)
        # Of all keypoints: faces and feet say which way a body looks, though no joint has its anchor on an eye or heel.
        self.lifted = nn.Linear(lifting_width, tree.size * width)
        self.place = nn.Linear(3, width)
        self.norm = nn.LayerNorm(width)

    def known(self, anchors: Anchors, estimate: SmplEstimate, lifted: Lifted, camera: Tensor) -> Tensor:
        """What a token knows without an image: anchors in crop units, cameras (B, 3) -> (B, 24, W)."""
        view = camera_features(camera)[:, None].expand(-1, len(self.joint), -1)
        moved = anchors.places - estimate.anchors.clamp(-1, 2)
        state = torch.cat([estimate.rot6d, anchors.places - 0.5, anchors.score[..., None], moved, view], 2)
        query = self.joint + self.state(state) + self.place(lifted.joints)
        out: Tensor = query + self.lifted(lifted.hidden).unflatten(1, (len(self.joint), -1))
        return out

    def forward(self, features: Features | None, anchors: Anchors, known: Tensor) -> Tensor:
        """Tokens (B, 24, W) of what is ``known``, of the same shape, and of what lies at the anchors."""
        query = known
        if features is not None:
            at_anchor = torch.cat([at_places(level, anchors.places) for level in features.levels], 2)
            query = query + self.local(at_anchor) + self.crop(features.pooled)[:, None]
        out: Tensor = self.norm(query)
        return out


class SelfAttention(nn.Module):
    """Joints exchange what they found."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, W) -> (B, K, W)."""
        q, k, v = (y.unflatten(2, (self.heads, -1)).transpose(1, 2) for y in self.inputs(x).chunk(3, 2))
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(-1)  # a few tokens: no need to fuse this
        out: Tensor = self.output((weights @ v).transpose(1, 2).flatten(2))
        return out


class LocalLayer(nn.Module):
    """Self-attention, reading of the image, feed-forward; each is added to its input, then normalised."""

    def __init__(self, config: GlobalToPixelConfig, channels: Sequence[int]) -> None:
        super().__init__()
        width = config.width
        self.attention = SelfAttention(width, config.heads)
        self.reading: nn.Module
        if config.sampler == "roi":
            self.reading = RoiAttention(channels, width)
        else:
            self.reading = DeformableAttention(channels, width, config.heads, config.points)
        self.feedforward = nn.Sequential(
            *(nn.Linear(width, FEEDFORWARD * width), nn.ReLU(), nn.Dropout(config.dropout)),
            nn.Linear(FEEDFORWARD * width, width),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, anchors: Tensor, features: Features | None) -> Tensor:
        """(B, 24, W), (B, 24, 2) crop units -> (B, 24, W)."""
        x = self.norms[0](x + self.dropout(self.attention(x)))
        seen = 0 if features is None else self.dropout(self.reading(x, anchors, features.levels))
        x = self.norms[1](x + seen)
        out: Tensor = self.norms[2](x + self.dropout(self.feedforward(x)))
        return out


class LocalEncoder(nn.Module):
    """A token for each joint of what it found in the image."""

    def __init__(self, config: GlobalToPixelConfig, backbone: Backbone, tree: Tree) -> None:
        super().__init__()
        self.queries = Queries(backbone, config.lifting_width, config.width, tree)
        self.layers = nn.ModuleList(LocalLayer(config, backbone.channels) for _ in range(config.layers))

    def forward(self, features: Features | None, anchors: Anchors, known: Tensor) -> Tensor:
        """Anchors and what ``queries.known`` makes of the estimate (B, 24, W) -> tokens (B, 24, W)."""
        x = self.queries(features, anchors, known)
        for layer in self.layers:
            x = layer(x, anchors.places, features)
        out: Tensor = x
        return out
