# SPDX-License-Identifier: Apache-2.0
"""How fast people move: what they moved over the time between, smoothed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints

MAX_GAP_S = 0.5
"""A speed over a longer time says nothing about now: whoever was unknown for so long has none yet."""

_WALKING_MEMORY_S = 0.25
"""Time constant of the speed that people walk at: half a step."""


def filtered_velocity(last: Floats, moved: Floats, dt_s: Floats | float, memory_s: float) -> Floats:
    """The ``last`` velocity renewed by what was ``moved`` in ``dt_s``: a low-pass filter of first order, causal.

    ``memory_s`` is its time constant; ``dt_s`` > 0 broadcasts against the others.
    """
    return np.asarray(last - np.expm1(-dt_s / memory_s) * (moved / dt_s - last))


@dataclass(frozen=True, eq=False)
class _Walk:
    stamp_s: float
    place: Floats
    velocity: Floats
    seen: bool


class VelocityFilter:
    """How fast people walk, per id, by their places in a frame that stands still."""

    def __init__(self) -> None:
        self._walks: dict[int, _Walk] = {}

    def forget(self, ids: Iterable[int]) -> None:
        """Forget people who left."""
        for track_id in ids:
            self._walks.pop(track_id, None)

    def __call__(self, ids: Ints, places: Floats, seen: Bools, stamp_s: float) -> Floats:
        """``ids`` (P,) and ``places`` (P, 3) m -> (P, 3) m/s; 0 for whom there is no earlier image.

        The others than ``seen`` (P,) are where they are expected: who is seen again did not jump to the place.
        """
        for track_id, place, is_seen in zip(ids.tolist(), places.astype(np.float64), seen.tolist(), strict=True):
            self._walks[track_id] = _continued(self._walks.get(track_id), place, is_seen, stamp_s)
        return np.array([self._walks[i].velocity for i in ids.tolist()], np.float64).reshape(-1, 3)


def _continued(walk: _Walk | None, place: Floats, seen: bool, stamp_s: float) -> _Walk:
    if walk is None or not 0 < stamp_s - walk.stamp_s <= MAX_GAP_S:
        return _Walk(stamp_s, place, np.zeros(3), seen)
    if seen and not walk.seen:
        return _Walk(stamp_s, place, walk.velocity, seen)
    moved, dt_s = place - walk.place, stamp_s - walk.stamp_s
    return _Walk(stamp_s, place, filtered_velocity(walk.velocity, moved, dt_s, _WALKING_MEMORY_S), seen)
