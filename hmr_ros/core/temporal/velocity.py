# SPDX-License-Identifier: Apache-2.0
"""Velocities of people: low-pass filtered differences of their positions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints

MAX_GAP_S = 0.5
"""A difference over a longer time is no current velocity: a track that was unknown for longer starts without one."""

_WALKING_MEMORY_S = 0.25
"""Time constant of a walking velocity: half a step."""


def filtered_velocity(last: Floats, moved: Floats, dt_s: Floats | float, memory_s: float) -> Floats:
    """(..., 3) m/s: the ``last`` velocity (..., 3) m/s updated by a movement ``moved`` (..., 3) m in ``dt_s``.

    A causal first-order low-pass filter with the time constant ``memory_s``, exact for steps of any length; ``dt_s``
    > 0 broadcasts against the others.
    """
    return np.asarray(last - np.expm1(-dt_s / memory_s) * (moved / dt_s - last))


@dataclass(frozen=True, eq=False)
class _Walk:
    stamp_s: float
    position: Floats
    velocity: Floats
    seen: bool


class VelocityFilter:
    """Walking velocities per track id, by positions in a fixed frame."""

    def __init__(self) -> None:
        self._walks: dict[int, _Walk] = {}

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        for track_id in ids:
            self._walks.pop(track_id, None)

    def __call__(self, ids: Ints, positions: Floats, seen: Bools, stamp_s: float) -> Floats:
        """``ids`` (P,) and ``positions`` (P, 3) m -> (P, 3) m/s; 0 for a track without an earlier image.

        The positions of tracks that are not ``seen`` (P,) are expected ones: from there to where a track is seen again
        is no movement.
        """
        for track_id, position, is_seen in zip(ids.tolist(), positions.astype(np.float64), seen.tolist(), strict=True):
            self._walks[track_id] = _continued(self._walks.get(track_id), position, is_seen, stamp_s)
        return np.array([self._walks[i].velocity for i in ids.tolist()], np.float64).reshape(-1, 3)


def _continued(walk: _Walk | None, position: Floats, seen: bool, stamp_s: float) -> _Walk:
    """``walk`` with one more ``position`` (3,) m; a new one at rest after a gap."""
    if walk is None or not 0 < stamp_s - walk.stamp_s <= MAX_GAP_S:
        return _Walk(stamp_s, position, np.zeros(3), seen)
    if seen and not walk.seen:
        return _Walk(stamp_s, position, walk.velocity, seen)
    moved, dt_s = position - walk.position, stamp_s - walk.stamp_s
    return _Walk(stamp_s, position, filtered_velocity(walk.velocity, moved, dt_s, _WALKING_MEMORY_S), seen)
