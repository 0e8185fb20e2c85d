# SPDX-License-Identifier: Apache-2.0
"""PoseNet: from a 2D pose to a root-relative 3D pose, a residual multilayer perceptron.

Sources: Martinez et al., "A simple yet effective baseline for 3D human pose estimation", ICCV 2017; Choi et al.,
"Pose2Mesh", ECCV 2020, which widens it to 4096 and normalises before each activation.
"""

from __future__ import annotations

from torch import Tensor, nn

PAPER_WIDTH = 4096


class ResidualMLP(nn.Module):
    """Linear -> ``blocks`` pre-activation residual blocks of ``width`` -> Linear."""

    def __init__(self, features_in: int, features_out: int, width: int, blocks: int = 2, dropout: float = 0.5) -> None:
        super().__init__()
        self.first = nn.Linear(features_in, width)
        self.blocks = nn.ModuleList(_branch(width, dropout) for _ in range(blocks))
        self.last = nn.Linear(width, features_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, F_in) -> (B, F_out)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        out: Tensor = self.last(x)
        return out


def _branch(width: int, dropout: float) -> nn.Sequential:
    half = (nn.BatchNorm1d, nn.ReLU, nn.Dropout, nn.Linear)
    sizes = ((width,), (), (dropout,), (width, width))
    return nn.Sequential(*(layer(*size) for _ in range(2) for layer, size in zip(half, sizes, strict=True)))


class PoseNet(nn.Module):
    """(B, J, 2) normalised pose -> (B, J, 3) in mm, relative to the joint set's root, camera axes.

    PyTorch's default initialisation, as the paper's code uses. That code also declares a batch norm, an activation and
    a dropout at the input which its forward pass never calls; they are left out here.
    """

    def __init__(self, joints: int, width: int = PAPER_WIDTH, dropout: float = 0.5) -> None:
        super().__init__()
        self.mlp = ResidualMLP(2 * joints, 3 * joints, width, dropout=dropout)

    def forward(self, pose2d: Tensor) -> Tensor:
        """(B, J, 2) -> (B, J, 3) mm."""
        out: Tensor = self.mlp(pose2d.flatten(1)).unflatten(1, (-1, 3))
        return out
