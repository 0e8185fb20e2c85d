"""People who are not seen for a moment: where they probably are by now, and how far that may be off.

Measured on motion capture at 30 Hz (dance, sports, walking; subjects that nothing was trained on), from one moment to
another so much later, mean distances in m:

    unseen for, s                                   0.1    0.2    0.3    0.5    0.7    1.0
    joints from the pose held, root-relative        0.04   0.08   0.11   0.15   0.17   0.18
    pelvis from where it was                        0.05   0.10   0.15   0.24   0.32   0.45
    pelvis from ``coasted``                         0.03   0.06   0.09   0.16   0.24   0.36
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.uncertainty import joint_drift

Floats = NDArray[np.floating]

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
