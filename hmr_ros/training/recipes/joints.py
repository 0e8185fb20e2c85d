# SPDX-License-Identifier: Apache-2.0
"""What the recipes share: joints read from a mesh, the 14 that methods are compared on, and their errors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.metrics import mpjpe, pa_mpjpe
from hmr_ros.core.skeleton import HUMAN36M, HUMAN36M_EVAL

_ROWS = np.array([HUMAN36M.index(joint) for joint in HUMAN36M_EVAL])

SOURCES = ("true", "error")
"""2D sources of a validation: exact keypoints, and keypoints with Pose2Mesh's synthetic error."""


class Regressor(nn.Module):
    """Reads points from a mesh; moves with the modules it is among, learns nothing."""

    matrix: Tensor

    def __init__(self, matrix: Floats) -> None:
        """``matrix`` (K, V)."""
        super().__init__()
        self.register_buffer("matrix", torch.from_numpy(matrix.astype(np.float32)), persistent=False)

    def forward(self, vertices: Tensor) -> Tensor:
        """(B, V, 3) -> (B, K, 3)."""
        return self.matrix @ vertices


def joint_report(source: str, predicted: Tensor, ground_truth: Tensor, rows: Ints = _ROWS) -> dict[str, float]:
    """Mean MPJPE and PA-MPJPE in mm of joints (B, J, 3) m, the first of which is the root, over ``rows`` of them.

    By default of Human3.6M's joints, over the 14 of the paper.
    """
    p, t = (joints.double().cpu().numpy() for joints in (predicted, ground_truth))
    return {
        f"mpjpe_{source}": float(mpjpe(p, t, joints=rows).mean()),
        f"pa_mpjpe_{source}": float(pa_mpjpe(p[:, rows], t[:, rows]).mean()),
    }
