# SPDX-License-Identifier: Apache-2.0
"""How people lie in the image, by their torso."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.skeleton import JointSet, convert_keypoints

_TORSO = JointSet("torso", ("pelvis", "neck"), (("pelvis", "neck"),), "pelvis")


def torso_tilt(points: Floats, score: Floats, joint_set: JointSet, threshold: float = 0.0) -> Floats:
    """(P,) rad, -pi to pi: how far a person's torso is tilted from upright in the image, positive clockwise.

    ``points`` (P, J, 2) x to the right and y down, in any unit, and their ``score`` (P, J). 0 where a hip or a shoulder
    is not seen, with a score of ``threshold``.
    """
    ends, sure = convert_keypoints(points, score, joint_set, _TORSO)
    pelvis, neck = ends[:, 0], ends[:, 1]
    tilt = np.arctan2(neck[:, 0] - pelvis[:, 0], pelvis[:, 1] - neck[:, 1])
    seen = (sure >= max(threshold, 1e-6)).all(1) & np.isfinite(tilt)
    return np.where(seen, tilt, 0.0)


def quarter_turns(pixels: Floats, score: Floats, joint_set: JointSet, threshold: float) -> Int64s:
    """(P,) 0 to 3: how often the image has to be turned counter-clockwise for a person's torso to be upright in it.

    ``pixels`` (P, J, 2) of keypoints and their ``score`` (P, J). 0 where a hip or a shoulder is not seen, with a score
    of ``threshold``.
    """
    tilt = torso_tilt(pixels, score, joint_set, threshold)
    return np.asarray(np.rint(tilt / (np.pi / 2)) % 4, np.int64)
