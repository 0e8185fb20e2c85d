"""The frame of a body as ROS knows it (REP-155): origin between the hips, x forward, y to the left, z to the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.people import Floats
from hmr_ros.core.rotation import rotmat_to_quat, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL

ROS_FROM_SMPL: NDArray[np.float64] = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""(3, 3) axes of SMPL's body (x left, y up, z forward) -> axes of REP-103 (x forward, y left, z up)."""

_HIPS = [SMPL.index("left_hip"), SMPL.index("right_hip")]


def body_frame(global_orient: Floats, joints: Floats) -> tuple[Floats, Floats]:
    """Where bodies stand and which way they face, in the camera's optical frame.

    ``global_orient`` (P, 3) rotvec, SMPL root -> optical; ``joints`` (P, 24, 3) m.
    Returns the origins (P, 3) m and the orientations (P, 4), quaternions xyzw, body frame -> optical.
    """
    optical_from_body = rotvec_to_rotmat(global_orient) @ ROS_FROM_SMPL.T
    return joints[:, _HIPS].mean(1), rotmat_to_quat(optical_from_body)
