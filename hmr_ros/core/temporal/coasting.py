# SPDX-License-Identifier: Apache-2.0
"""People who are not seen for a moment: where they probably are by now, and how far that may be off.

How far off the pose held and the place are after how long: docs/tracking.md.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.uncertainty import joint_drift

VELOCITY_MEMORY_S = 0.5
"""Time constant of the velocity that people coast at: two steps of a walk, which a limb's swing does not turn."""

_STOPPING_S = 0.5
"""Time constant at which people come to a stop: nobody is carried farther than in so long at the last velocity. Going
on for ever would be right for walkers, and wrong by metres where the velocity is noise, as 20 m away."""

_MEAN_DISTANCE = np.sqrt(8 / np.pi)
"""Of a normal distribution in space from its middle, in standard deviations per axis."""


def coasted(places: Floats, velocities: Floats, unseen_s: Floats) -> Floats:
    """(P, 3) m: people last seen at ``places`` (P, 3) m with ``velocities`` (P, 3) m/s, ``unseen_s`` (P,) s later."""
    way_s = -_STOPPING_S * np.expm1(-unseen_s / _STOPPING_S)
    return np.asarray(places + way_s[:, None] * velocities)


def pose_drift(unseen_s: Floats) -> Floats:
    """(P, 24) m: mean distance of each joint from that of the pose held so long, relative to the pelvis."""
    return np.asarray(_MEAN_DISTANCE * joint_drift(unseen_s))
