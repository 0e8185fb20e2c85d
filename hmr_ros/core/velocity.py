"""How fast people walk: their places over time, smoothed, in a frame that stands still."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

TIME_CONSTANT_S = 0.25
"""Steps pass through the filter within about so long: half a step of a walking person."""

MAX_GAP_S = 0.5
"""Somebody unseen for longer has no speed yet."""


@dataclass(frozen=True, eq=False)
class _Walk:
    stamp_s: float
    place: Floats
    velocity: Floats
    seen: bool


class VelocityFilter:
    """Low-passed differences of places, per id; causal, first order."""

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
    dt = stamp_s - walk.stamp_s
    share = 1 - np.exp(-dt / TIME_CONSTANT_S)
    return _Walk(stamp_s, place, walk.velocity + share * ((place - walk.place) / dt - walk.velocity), seen)
