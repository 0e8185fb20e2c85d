# SPDX-License-Identifier: Apache-2.0
"""Feet that stand: each ankle passes a filter like that of the root, and the legs are bent until they end there.

Feet skate by the errors of the pose rather than those of the position: with true roots they are as fast. So the root
stays as it is, and the legs give way. Only feet that stand do: a foot that moves is where the pose has it.
Measured: docs/tracking.md.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.temporal.root_motion import RootMotion

_STANDING_M_S = 0.25
"""A foot of this speed is held by a quarter; a foot that is swung moves ten times as fast."""

_FARTHEST_M = 0.2
"""No foot is held back farther than this: what is farther away is another pose, or no foot."""


def unknown_feet(people: int) -> RootMotion:
    """The motion of two ankles of each of ``people`` of whom nothing is known: NaN."""
    points, variances = np.full((people, 2, 3), np.nan), np.full((people, 2, 2, 3), np.nan)
    return RootMotion(points, points, points, variances, np.zeros((people, 2, 2)))


def measured_feet(feet: RootMotion, now: RootMotion, dt_s: Floats, noise: float) -> RootMotion:
    """``feet`` (N, 2) ``dt_s`` (N,) s later, where they are seen and would begin as in ``now``.

    Those of whom nothing is known begin as in ``now``.
    """
    last = feet.replaced(np.isnan(feet.value[:, 0, 0]), now)
    return last.after(now, dt_s[:, None], noise)


def held(feet: RootMotion) -> Floats:
    """(N, 2, 3) m: the ankles as seen last, kept where they are as far as they stand."""
    shift = feet.value - feet.raw
    away = np.linalg.norm(shift, axis=-1)
    hold = _standing(feet) * np.minimum(1, _FARTHEST_M / np.maximum(away, 1e-9))
    return np.asarray(feet.raw + hold[..., None] * shift)


def _standing(feet: RootMotion) -> Floats:
    """(N, 2) 0..1: how far feet are held, by the speed that is expected, of which what is not known of it is a part."""
    speed2 = (feet.velocity * feet.velocity).sum(-1) + feet.variances[..., 2] @ [1.0, 2.0]
    return np.asarray((1 + speed2 / _STANDING_M_S**2) ** -2.0)
