# SPDX-License-Identifier: Apache-2.0
"""Whether images come faster than they are processed: the policy behind ``detector.still_people: auto``.

A worker that always takes the newest image, and never waits for one, is behind the camera. While it then saves work, it
may wait again; the work comes back when the time to spare would be enough for it. The policy has no clock: the
caller passes durations.
"""

from __future__ import annotations

_FRACTION = 1 / 8
"""Weight of the newest image in means."""

_BEHIND = 0.05
"""A worker is behind that has less than this fraction of its busy time to spare; ..."""

_ROOM = 0.15
"""... it stays so until it would have more than this fraction to spare with all the work."""


class Backlog:
    """Learns from image to image; ``is_behind``: whether to save work in the next one.

    >>> backlog = Backlog()
    >>> for _ in range(20):
    ...     backlog.observe(spare_s=0.0, busy_s=0.2, saved_s=0.0)
    >>> backlog.is_behind
    True
    """

    def __init__(self) -> None:
        self.is_behind = False
        self._spare_s = self._busy_s = self._saved_s = 0.0
        self._is_known = False

    def observe(self, spare_s: float, busy_s: float, saved_s: float) -> None:
        """Learn from an image on which the worker worked for ``busy_s``, and could have for ``spare_s`` more.

        ``saved_s``: how much longer it would have taken with all the work.
        """
        weight = _FRACTION if self._is_known else 1.0
        self._is_known = True
        enough_s = saved_s + 2 * _ROOM * busy_s  # a camera that starts late leaves seconds to spare, which say no more
        self._spare_s += weight * (min(spare_s, enough_s) - self._spare_s)
        self._busy_s += weight * (busy_s - self._busy_s)
        self._saved_s += weight * (saved_s - self._saved_s)
        left_s = self._spare_s - self._saved_s
        self.is_behind = left_s < (_ROOM if self.is_behind else _BEHIND) * self._busy_s

    def observe_late(self) -> None:
        """Learn from an image that came too late to be of use: there was no time to spare."""
        if self._is_known:
            self.observe(0.0, self._busy_s, self._saved_s)
