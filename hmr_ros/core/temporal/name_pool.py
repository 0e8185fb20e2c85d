# SPDX-License-Identifier: Apache-2.0
"""Names that are used again once nobody remembers whom they named."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class _Rested:
    """A name without a track since the stamp ``free_s``, s."""

    name: str
    free_s: float


class NamePool:
    """Gives each track a name for as long as it lives. Thread-safe.

    A name rests for more than ``rest_s`` of the images' time before another track gets it, so there are never more
    names than tracks that lived within ``rest_s``.
    """

    def __init__(self, prefix: str, rest_s: float) -> None:
        """Names are ``prefix`` and a number, from 0."""
        self._rest_s = rest_s
        self._new = (f"{prefix}{number}" for number in itertools.count())
        self._names: dict[int, str] = {}
        self._resting: deque[_Rested] = deque()  # the longest rested first
        self._lock = threading.Lock()

    def names(self, ids: Sequence[int], stamp_s: float) -> list[str]:
        """The names of the tracks ``ids`` in an image at ``stamp_s``."""
        with self._lock:
            for track_id in ids:
                if track_id not in self._names:
                    self._names[track_id] = self._rested(stamp_s) or next(self._new)
            return [self._names[track_id] for track_id in ids]

    def release(self, ids: Iterable[int], stamp_s: float) -> None:
        """Let the names of those of ``ids`` that have one rest from ``stamp_s`` on."""
        with self._lock:
            for track_id in ids:
                if name := self._names.pop(track_id, None):
                    self._resting.append(_Rested(name, stamp_s))

    def _rested(self, stamp_s: float) -> str | None:
        """A name that has rested long enough; None while there is none."""
        if any(name.free_s > stamp_s for name in self._resting):  # time jumped back: the rest begins again
            self._resting = deque(_Rested(name.name, min(name.free_s, stamp_s)) for name in self._resting)
        if not self._resting or stamp_s - self._resting[0].free_s <= self._rest_s:
            return None
        return self._resting.popleft().name
