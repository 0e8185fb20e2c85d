# SPDX-License-Identifier: Apache-2.0
"""Stage 1: SMPL parameters from the crop as a whole.

As in CLIFF, the head knows where the box is in the camera's view; written in angles, so that any focal length works.
CLIFF has no activation between its layers; here they have one.

Source: Li et al., "CLIFF: Carrying Location Information in Full Frames into Human Pose and Shape Estimation", ECCV
2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.crop_camera import camera_features
from hmr_ros.networks.global_to_pixel.estimate import SmplState
from hmr_ros.networks.global_to_pixel.lifting import Lifted


class GlobalStage(nn.Module):
    """Corrects the state it starts from a few times with one and the same head."""

    def __init__(self, pooled_channels: int, config: GlobalToPixelConfig, parameters: int) -> None:
        """``parameters``: how many numbers are predicted."""
        super().__init__()
        self.iterations, width = config.iterations, config.global_width
        # One linear layer of both, but what stays the same in every iteration is computed once.
        self.norm = nn.LayerNorm(pooled_channels)
        self.reduced = nn.Linear(pooled_channels, config.pooled_width) if config.pooled_width else nn.Identity()
        self.context = nn.Linear((config.pooled_width or pooled_channels) + config.lifting_width + 3, width)
        self.state = nn.Linear(parameters, width, bias=False)
        self.head = nn.Sequential(
            *(nn.SiLU(), nn.Dropout(config.dropout)),
            *(nn.Linear(width, width), nn.SiLU(), nn.Dropout(config.dropout)),
            nn.Linear(width, parameters),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.xavier_uniform_(last.weight, gain=0.01)
        nn.init.zeros_(last.bias)

    def forward(self, pooled: Tensor, lifted: Lifted, camera: Tensor, start: SmplState) -> SmplState:
        """Pooled features (B, C), the backbone's own keypoints lifted, cameras (B, 3) and a start -> the state."""
        context = self.context(torch.cat([self.reduced(self.norm(pooled)), lifted.hidden, camera_features(camera)], 1))
        x = start.to_vector()
        for _ in range(self.iterations):
            x = x + self.head(context + self.state(x))
        return SmplState.from_vector(x)
