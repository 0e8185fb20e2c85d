# SPDX-License-Identifier: Apache-2.0
"""How people lie in the image, by their torso."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.skeleton import COCO, JointSet, convert_keypoints

_PELVIS, _NECK = COCO.index("pelvis"), COCO.index("neck")


def quarter_turns(pixels: Floats, score: Floats, joint_set: JointSet, threshold: float) -> Int64s:
    """(P,) 0 to 3: how often the image has to be turned counter-clockwise for a person's torso to be upright in it.

    ``pixels`` (P, J, 2) of keypoints and their ``score`` (P, J). 0 where a hip or a shoulder is not seen, with a score
    of ``threshold``.
    """
    ends, sure = convert_keypoints(pixels, score, joint_set, COCO)
    torso = ends[:, _NECK] - ends[:, _PELVIS]
    seen = (sure[:, [_PELVIS, _NECK]] >= max(threshold, 1e-6)).all(1) & np.isfinite(torso).all(1)
    across, down = np.where(seen[:, None], torso, [0.0, -1.0]).T
    return np.asarray(np.rint(np.arctan2(across, -down) / (np.pi / 2)) % 4, np.int64)
