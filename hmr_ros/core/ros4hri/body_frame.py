# SPDX-License-Identifier: Apache-2.0
"""The frame of a body as ROS knows it (REP-155): origin between the hips, x forward, y to the left, z to the head."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.core.skeleton import SMPL

ROS_FROM_SMPL: Float64s = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""(3, 3) axes of SMPL's body (x left, y up, z forward) -> axes of REP-103 (x forward, y left, z up)."""

_HIPS = [SMPL.index("left_hip"), SMPL.index("right_hip")]


def body_frame(root: Floats, joints: Floats) -> tuple[Floats, Floats]:
    """Origins and orientations of the body frames in the camera's optical frame.

    ``root`` (P, 3, 3) SMPL root -> optical; ``joints`` (P, 24, 3) m.
    Returns the origins (P, 3) m and the orientations (P, 3, 3), body frame -> optical.
    """
    return middle_of_hips(joints), root @ ROS_FROM_SMPL.T


def middle_of_hips(joints: Floats) -> Floats:
    """Middle between the hip joints: ``joints`` (P, 24, 3) m -> (P, 3) m."""
    middle: Floats = joints[:, _HIPS].mean(1)
    return middle
