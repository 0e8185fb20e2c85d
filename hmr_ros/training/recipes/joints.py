# SPDX-License-Identifier: Apache-2.0
"""What the recipes share: the 14 joints that methods are compared on, and their errors."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hmr_ros.core.metrics import mpjpe, pa_mpjpe
from hmr_ros.core.skeleton import HUMAN36M, HUMAN36M_EVAL

_ROWS = np.array([HUMAN36M.index(joint) for joint in HUMAN36M_EVAL])

SOURCES = ("true", "error")
"""2D sources of a validation: exact keypoints, and keypoints with Pose2Mesh's synthetic error."""


def joint_report(source: str, predicted: Tensor, ground_truth: Tensor) -> dict[str, float]:
    """Mean MPJPE and PA-MPJPE in mm of Human3.6M joints (B, 17, 3) m, over the 14 of the paper."""
    p, t = predicted.double().numpy(), ground_truth.double().numpy()
    return {
        f"mpjpe_{source}": float(mpjpe(p, t, joints=_ROWS).mean()),
        f"pa_mpjpe_{source}": float(pa_mpjpe(p[:, _ROWS], t[:, _ROWS]).mean()),
    }
