# SPDX-License-Identifier: Apache-2.0
"""Small closed meshes, and weights that look trained."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import ConvexHull
from torch import nn


def sphere(vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3) outward faces and (V, 3) positions of a sphere."""
    index = np.arange(vertices) + 0.5
    z, angle = 1 - 2 * index / vertices, np.pi * (1 + 5**0.5) * index
    positions = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], 1)
    faces = ConvexHull(positions).simplices.astype(np.int64)
    corners = positions[faces]
    inward = np.einsum(
        "fi,fi->f", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), corners[:, 0]
    )
    faces[inward < 0] = faces[inward < 0][:, ::-1]
    return faces, positions


def age(net: nn.Module) -> nn.Module:
    """Give batch norms statistics as if ``net`` had been trained; evaluation mode."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    return net.eval()


def joint_features(joints: int, features: int, batch: int = 2) -> torch.Tensor:
    """Reproducible input."""
    return torch.randn(batch, joints, features, generator=torch.Generator().manual_seed(0))
