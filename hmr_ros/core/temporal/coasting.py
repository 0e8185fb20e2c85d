# SPDX-License-Identifier: Apache-2.0
"""Coasting: expected positions of people who are not seen for a moment, and the error of a pose that is held.

Measured errors of what is held and moved on, by time: docs/fusion.md.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.uncertainty import joint_drift

VELOCITY_MEMORY_S = 0.5
"""Time constant of the velocity that people coast at: two steps of a walk, whose direction a limb's swing does not
change."""

_STOPPING_S = 0.5
"""Time constant at which people come to a stop: no track moves farther than in this time at the last velocity. Going
on for ever would be right for walkers, and wrong by metres where the velocity is noise, as 20 m away."""

_MEAN_DISTANCE = np.sqrt(8 / np.pi)
"""Of a normal distribution in space from its middle, in standard deviations per axis."""


def coasted(positions: Floats, velocities: Floats, unseen_s: Floats) -> Floats:
    """Positions (P, 3) m, ``unseen_s`` (P,) s after ``positions`` (P, 3) m and ``velocities`` (P, 3) m/s were seen."""
    way_s = -_STOPPING_S * np.expm1(-unseen_s / _STOPPING_S)
    return np.asarray(positions + way_s[:, None] * velocities)


def pose_drift(unseen_s: Floats) -> Floats:
    """(P, 24) m: mean distance of each joint from that of the pose held so long, relative to the pelvis."""
    return np.asarray(_MEAN_DISTANCE * joint_drift(unseen_s))
