# SPDX-License-Identifier: Apache-2.0
"""How long markers stay in RViz without newer ones: as long as the rate of the images needs."""

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
