# SPDX-License-Identifier: Apache-2.0
"""How often markers are sent to RViz, and how long they stay there without newer ones."""

from __future__ import annotations

from collections import deque

MIN_LIFETIME_S = 0.5
"""s; a person is gone from RViz soon after a node that crashed."""

FIRST_LIFETIME_S = 5.0
"""s; before the rate is known. The next image replaces the markers, the end of a track deletes them."""

_MAX_INTERVAL_S = 20.0
"""s; what is longer is a pause, not a rate."""

_INTERVALS = 8
"""The longest of so many intervals counts: images are dropped, and what people look at is left out first."""

_MARGIN = 2.5
"""Lifetime in intervals: one image may be missing, and the next may be late."""


class MarkerLifetime:
    """The lifetime of one topic's markers, from the stamps of the images that it shows."""

    def __init__(self) -> None:
        self._last_s = float("nan")
        self._intervals_s: deque[float] = deque(maxlen=_INTERVALS)

    def __call__(self, stamp_s: float) -> float:
        """The lifetime, s, of the markers of an image with ``stamp_s``; call it with every image in turn."""
        interval_s, self._last_s = stamp_s - self._last_s, stamp_s
        if 0 < interval_s <= _MAX_INTERVAL_S:
            self._intervals_s.append(interval_s)
        elif interval_s != 0:  # the first image, a pause, or a clock that was set back
            self._intervals_s.clear()
        if not self._intervals_s:
            return FIRST_LIFETIME_S
        return max(MIN_LIFETIME_S, _MARGIN * max(self._intervals_s))


_EARLY = 0.1
"""Of an interval: stamps of a camera whose rate is a multiple of the wanted one jitter about the right time."""


class Pace:
    """Which images of a camera are shown, at a rate that is at most the one that is asked for."""

    def __init__(self) -> None:
        self._last_s = self._shown_s = float("-inf")

    def follow(self, stamp_s: float) -> None:
        """Begin again when time jumps back, as when a bag is played again. Call it with every image in turn."""
        if stamp_s < self._last_s:
            self._shown_s = float("-inf")
        self._last_s = stamp_s

    def is_due(self, stamp_s: float, rate_hz: float) -> bool:
        """Whether to show the image with ``stamp_s``, which it then counts as shown; ``rate_hz`` 0: show all."""
        if rate_hz and stamp_s - self._shown_s < (1 - _EARLY) / rate_hz:
            return False
        self._shown_s = stamp_s
        return True
