# SPDX-License-Identifier: Apache-2.0
"""Whether to work on the newest image, or to wait for the next one.

A worker that is slower than the camera finds an image that is half a period old, on average, and all that is published
about it is late by as much. Where the next image is about to come, waiting for it costs less time than it saves. A
worker that is faster, but for some images, catches up if it does not wait. The policy has no clock: the caller passes
times.
"""

from __future__ import annotations

from hmr_ros.core.temporal.running import Running

_PATIENCE = 1 / 3
"""Longest wait for the next image, as a fraction of the camera's period: what is gained is at least twice as much."""

_REGULAR = 0.25
"""Images whose periods deviate by a larger fraction, on average, are not waited for: they may be long in coming."""

_LEARNING = 8
"""Images after which the period is known; and those that have waited for the worker, one after the other, until it is
known to be the slower one."""


class Freshness:
    """Learns when images come, and are taken; ``patience_s``: how long to wait for a fresher one than the newest.

    >>> freshness = Freshness()
    >>> for number in range(20):
    ...     freshness.came(0.1 * number)
    ...     freshness.take(had_waited=True)
    >>> freshness.patience_s(1.92), round(freshness.patience_s(1.98), 3)
    (0.0, 0.02)
    """

    def __init__(self) -> None:
        self._period_s = Running()
        self._images = 0
        self._last_s = 0.0
        self._waited = 0  # images on end

    def came(self, at_s: float) -> None:
        """Learn that an image came at ``at_s`` s, which never decreases."""
        if self._images:
            self._period_s.add(at_s - self._last_s)
        self._images += 1
        self._last_s = at_s

    def take(self, *, had_waited: bool) -> None:
        """Learn that the worker asked for an image, and one ``had_waited`` for it, or it has to wait for one."""
        self._waited = self._waited + 1 if had_waited else 0

    def patience_s(self, now_s: float) -> float:
        """How long, from ``now_s`` s on, to wait for an image after the newest one, s; 0: the newest is fresh enough.

        Until the next one is due, and a little longer where images are not quite regular.
        """
        period, age_s = self._period_s, now_s - self._last_s
        due_s = period.mean - age_s
        is_regular = self._images > _LEARNING and period.deviation < _REGULAR * period.mean
        is_slow = self._waited >= _LEARNING
        is_soon = 0 < due_s <= _PATIENCE * period.mean
        return period.expected - age_s if is_regular and is_slow and is_soon else 0.0
