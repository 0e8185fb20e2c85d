# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh on hands in its small form: 21 points of a right hand, as its virtual camera sees them, to joints and mesh.

The detector's own 3D, where it gives one, is read beside the points: it has seen the pixels, and so knows what two
dimensions do not tell, which way a finger points.

The lifting network is that of compact Pose2Mesh; one linear layer gives the vertices, as a hand has few. A left hand is
mirrored before and after. Lengths are in metres, relative to the wrist joint.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import MANO
from hmr_ros.networks.compact_pose2mesh import ResidualBlock

VERTICES = 778

_UNIT_M = 0.05
"""Outputs of the last layers are in this unit, so that their weights are of ordinary size."""


@dataclass(frozen=True)
class HandPose2MeshConfig:
    """Sizes of Pose2Mesh on hands."""

    joint_set: str = setting("mano", doc="2D points that are read", choices=(MANO.name,))
    width: int = setting(512, doc="features of the lifting network", low=8)
    blocks: int = setting(3, doc="residual blocks of the lifting network", low=1)


class HandPose2Mesh(nn.Module):
    """The whole network; its ``forward`` is exported.

    ``keypoints`` (B, 21, 3) x, y in the virtual camera and score; ``context`` (B, 1): see core/geometry/virtual_camera.
    ``world`` (B, 21, 3) m, the detector's own estimate in the axes of the virtual camera, about any point; zeros: none.
    """

    input_names = ("keypoints", "context", "world")
    output_names = ("vertices", "joints", "joint_error")

    def __init__(self, config: HandPose2MeshConfig) -> None:
        super().__init__()
        width = config.width
        self.first = nn.Linear(MANO.size * 3 + 1 + MANO.size * 3 + 1, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, 0.0) for _ in range(config.blocks)))
        self.norm = nn.LayerNorm(width)
        self.joints = nn.Linear(width, MANO.size * 3)
        self.vertices = nn.Linear(width, VERTICES * 3)
        self.joint_error = nn.Linear(width, MANO.size)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Inputs of four hands, to export with."""
        generator = torch.Generator().manual_seed(0)
        points, scores, world = (torch.randn(4, MANO.size, size, generator=generator) for size in (2, 1, 3))
        keypoints = torch.cat([points, scores.sigmoid()], -1)
        return keypoints, -3 * torch.rand(4, 1, generator=generator), _UNIT_M * world

    def forward(self, keypoints: Tensor, context: Tensor, world: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is seen -> vertices (B, 778, 3), joints (B, 21, 3) and expected joint error (B, 21), m."""
        centred = (world - world.mean(1, keepdim=True)).flatten(1) / _UNIT_M
        known = (centred.abs().amax(1, keepdim=True) > 0).float()
        hidden = self.norm(self.blocks(self.first(torch.cat([keypoints.flatten(1), context, centred, known], 1))))
        joints = _UNIT_M * self.joints(hidden).reshape(-1, MANO.size, 3)
        vertices = _UNIT_M * self.vertices(hidden).reshape(-1, VERTICES, 3)
        # Learning the joint error must not change the features, so its gradient stops at them.
        joint_error = 0.2 * _UNIT_M * torch.exp(self.joint_error(hidden.detach()))
        return vertices, joints - joints[:, :1], joint_error
