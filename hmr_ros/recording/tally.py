# SPDX-License-Identifier: Apache-2.0
"""Counting while a run goes on: images, bodies, people, and how long they are in view."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from hmr_ros.recording.entry import Entry

_GAP_S = 1.0
"""Longer pauses between two images are no footage."""


@dataclass(frozen=True)
class Summary:
    """What a run came to: images with their bodies written, images that could not be read, bodies, different people.

    ``interrupted``: it was asked to stop, by Ctrl-C or SIGTERM. ``footage_s`` is the time from image to image, of all
    cameras together, and ``person_s`` the same for each person in view; photos have neither.
    """

    images: int
    unreadable: int
    bodies: int
    people: int
    interrupted: bool
    footage_s: float = 0.0
    person_s: float = 0.0


class Tally:
    """Adds up images as they come."""

    def __init__(self) -> None:
        self._images = self._unreadable = self._bodies = 0
        self._people: set[int] = set()
        self._last: dict[Hashable, tuple[float, int]] = {}
        self._footage_s = self._person_s = 0.0

    def miss(self) -> None:
        """Count an image that could not be read."""
        self._unreadable += 1

    def add(self, entry: Entry, camera: Hashable = 0) -> None:
        """Count ``entry``, which is of ``camera``."""
        self.add_ids(entry.trusted().ids.tolist(), entry.stamp_s, camera)

    def add_ids(self, ids: Sequence[int], stamp_s: float | None, camera: Hashable = 0) -> None:
        """Count an image of ``camera`` with people of these ``ids``; ``stamp_s`` None: a photo."""
        self._images += 1
        self._bodies += len(ids)
        self._people.update(ids)
        if stamp_s is not None:
            self._pass_time(camera, stamp_s, len(ids))

    def summary(self, *, interrupted: bool) -> Summary:
        """What it came to."""
        people = len(self._people)
        counts = (self._images, self._unreadable, self._bodies, people)
        return Summary(*counts, interrupted, self._footage_s, self._person_s)

    def _pass_time(self, camera: Hashable, stamp_s: float, people: int) -> None:
        """Each image lasts until the next one of its ``camera``."""
        before_s, were_there = self._last.get(camera, (stamp_s, 0))
        self._last[camera] = (stamp_s, people)
        if 0 < stamp_s - before_s <= _GAP_S:
            self._footage_s += stamp_s - before_s
            self._person_s += (stamp_s - before_s) * were_there
