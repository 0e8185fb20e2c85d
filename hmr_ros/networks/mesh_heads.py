# SPDX-License-Identifier: Apache-2.0
"""What Pose2Mesh's ablation puts in MeshNet's place: other targets, other networks.

Each maps pose features (B, J, F) to vertices (B, V, 3) in m, relative to the root joint. Sizes follow the paper's
parameter counts where one reading of them fits; what is not published is noted where it is chosen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hmr_ros.networks.body_model import TorchBodyModel, rot6d_to_rotmat
from hmr_ros.networks.posenet import ResidualMLP

FC_WIDTH = 2048
"""The paper's "SMPL parameters x fully connected" has 17.3 M parameters: two residual blocks of this width."""

BOTTLENECK = 128
"""Features between MeshNet's mesh and the SMPL parameters; the paper's 13.5 M parameters fit this, where the padding
nodes of the finest graph are read as well, which hold nothing (docs/ablation.md).
"""

SMPL_PARAMETERS = 24 * 6 + 10
"""Joint rotations in 6D, then betas."""


class VertexMLP(nn.Module):
    """Vertices from a residual multilayer perceptron that knows nothing of the mesh.

    The paper's has 37.5 M parameters in an unpublished shape; this one has about 17 M and 6 k per vertex.
    """

    def __init__(self, features_in: int, vertices: int, width: int = FC_WIDTH) -> None:
        super().__init__()
        self.mlp = ResidualMLP(features_in, 3 * vertices, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, F) -> (B, V, 3) m."""
        out: Tensor = self.mlp(x.flatten(1)).unflatten(1, (-1, 3))
        return out


class SmplParameters(nn.Module):
    """SMPL parameters -> vertices, relative to the joint that ``root`` (V,) regresses."""

    root: Tensor
    mean: Tensor

    def __init__(self, body: TorchBodyModel, root: Tensor) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("root", root, persistent=False)
        mean = torch.zeros(SMPL_PARAMETERS)
        mean[:-10] = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(24)  # the rest pose
        self.register_buffer("mean", mean, persistent=False)

    def forward(self, parameters: Tensor) -> Tensor:
        """(B, 154) residuals to the rest pose and mean shape -> (B, V, 3) m."""
        rotations, betas = (self.mean + parameters).split((24 * 6, 10), dim=1)
        rotations = rot6d_to_rotmat(rotations.unflatten(1, (24, 6)))
        vertices = self.body.posed(rotations[:, 0], rotations[:, 1:], betas).vertices
        return vertices - (self.root @ vertices)[:, None]


class SmplMLP(nn.Module):
    """SMPL parameters from a residual multilayer perceptron."""

    def __init__(self, features_in: int, decoder: SmplParameters, width: int = FC_WIDTH) -> None:
        super().__init__()
        self.mlp = ResidualMLP(features_in, SMPL_PARAMETERS, width)
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, F) -> (B, V, 3) m."""
        out: Tensor = self.decoder(self.mlp(x.flatten(1)))
        return out


class SmplGraph(nn.Module):
    """SMPL parameters from the mesh that a MeshNet (trained form or deployed) makes inside."""

    def __init__(self, meshnet: nn.Module, vertices: int, decoder: SmplParameters) -> None:
        super().__init__()
        self.meshnet = meshnet
        self.parameters_of_mesh = nn.Sequential(
            nn.Linear(3 * vertices, BOTTLENECK), nn.ReLU(), nn.Linear(BOTTLENECK, SMPL_PARAMETERS)
        )
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, F) -> (B, V, 3) m."""
        out: Tensor = self.decoder(self.parameters_of_mesh(self.meshnet(x).flatten(1)))
        return out
