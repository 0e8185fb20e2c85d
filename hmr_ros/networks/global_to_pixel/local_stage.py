"""One token per SMPL joint: it asks around its anchor in the image, and the other joints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from hmr_ros.core.skeleton import JOINT_SETS, SMPL
from hmr_ros.networks.global_to_pixel.anchors import Anchors, masked
from hmr_ros.networks.global_to_pixel.backbones import STRIDES, Backbone, Features
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.crop_camera import camera_features
from hmr_ros.networks.global_to_pixel.deformable import DeformableAttention, RoiAttention, sample
from hmr_ros.networks.global_to_pixel.estimate import SmplEstimate

GROUPS = 32
FEEDFORWARD = 4
"""Features between the two layers of a feed-forward part, as a multiple of the width."""


class ValuePyramid(nn.Module):
    """Each level of the backbone in the same number of channels, at the same scale."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        groups = GROUPS if width % GROUPS == 0 else 1
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, width, 1), nn.GroupNorm(groups, width)) for inputs in channels
        )

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(B, C_l, H_l, W_l) each -> (B, W, H_l, W_l) each."""
        return tuple(project(level) for project, level in zip(self.levels, levels, strict=True))


class Queries(nn.Module):
    """What each joint knows before it looks around: itself, its anchor, the estimate, the crop and all keypoints."""

    def __init__(self, pooled_channels: int, keypoints: int, width: int) -> None:
        super().__init__()
        self.joint = nn.Parameter(torch.randn(SMPL.size, width))
        self.local = nn.Linear(len(STRIDES) * width, width)
        self.state = nn.Linear(6 + 2 + 1 + 2 + 3, width)
        self.crop = nn.Linear(pooled_channels, width)
        # Faces and feet say which way a body looks, though no SMPL joint has its anchor on an eye or a heel.
        self.keypoints = nn.Sequential(nn.Linear(3 * keypoints, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        pyramid: Sequence[Tensor],
        pooled: Tensor,
        anchors: Anchors,
        estimate: SmplEstimate,
        keypoints: Tensor,
        camera: Tensor,
    ) -> Tensor:
        """-> (B, 24, W)."""
        at_anchor = torch.cat([sample(level, anchors.places[:, :, None])[..., 0] for level in pyramid], 1)
        view = camera_features(camera)[:, None].expand(-1, SMPL.size, -1)
        moved = anchors.places - estimate.anchors.clamp(-1, 2)
        state = torch.cat([estimate.rot6d, anchors.places - 0.5, anchors.score[..., None], moved, view], 2)
        of_crop = self.crop(pooled) + self.keypoints(masked(keypoints).flatten(1))
        return self.norm(self.joint + self.local(at_anchor.transpose(1, 2)) + self.state(state) + of_crop[:, None])


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
        return self.output(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class LocalLayer(nn.Module):
    """Self-attention, reading of the image, feed-forward; each is added to its input, then normalised."""

    def __init__(self, config: GlobalToPixelConfig) -> None:
        super().__init__()
        width = config.width
        self.attention = SelfAttention(width, config.heads)
        self.reading: nn.Module
        if config.sampler == "roi":
            self.reading = RoiAttention(width, len(STRIDES))
        else:
            self.reading = DeformableAttention(width, len(STRIDES), config.heads, config.points)
        self.feedforward = nn.Sequential(
            *(nn.Linear(width, FEEDFORWARD * width), nn.ReLU(), nn.Dropout(config.dropout)),
            nn.Linear(FEEDFORWARD * width, width),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, anchors: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """(B, 24, W), (B, 24, 2) crop units and the levels -> (B, 24, W)."""
        x = self.norms[0](x + self.dropout(self.attention(x)))
        x = self.norms[1](x + self.dropout(self.reading(x, anchors, pyramid)))
        return self.norms[2](x + self.dropout(self.feedforward(x)))


class LocalEncoder(nn.Module):
    """Features of each joint, and the pyramid they were read from."""

    def __init__(self, config: GlobalToPixelConfig, backbone: Backbone) -> None:
        super().__init__()
        self.pyramid = ValuePyramid(backbone.channels, config.width)
        self.queries = Queries(backbone.pooled_channels, JOINT_SETS[config.joint_set].size, config.width)
        self.layers = nn.ModuleList(LocalLayer(config) for _ in range(config.layers))

    def forward(
        self, features: Features, anchors: Anchors, estimate: SmplEstimate, keypoints: Tensor, camera: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """-> tokens (B, 24, W) and the pyramid, (B, W, H_l, W_l) per level."""
        pyramid = self.pyramid(features.levels)
        x = self.queries(pyramid, features.pooled, anchors, estimate, keypoints, camera)
        for layer in self.layers:
            x = layer(x, anchors.places, pyramid)
        return x, pyramid
