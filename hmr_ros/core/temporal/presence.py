# SPDX-License-Identifier: Apache-2.0
"""Present tracks, for outputs that keep people until they left: absence must never be guessed."""

from __future__ import annotations

from collections.abc import Iterable

_GRACE_S = 1.0
"""A tracker reports each lost track. One that it forgot, as after an internal error, ends this much later."""


class Presence:
    """Follows which tracks are present; time stands still between images, so a silent camera removes none."""

    def __init__(self) -> None:
        self._seen_s: dict[int, float] = {}

    def update(self, ids: Iterable[int], lost: Iterable[int], stamp_s: float, track_timeout_s: float) -> list[int]:
        """The ids that left with this image: the ``lost``, and those unseen for longer than any track lasts.

        A stamp before the last one starts again: tracks that are not in the image left.
        """
        ids = set(ids)
        longest_s = track_timeout_s + _GRACE_S
        gone = set(lost) & self._seen_s.keys()
        gone |= {i for i, seen_s in self._seen_s.items() if not 0 <= stamp_s - seen_s <= longest_s}
        gone -= ids
        for track_id in gone:
            del self._seen_s[track_id]
        self._seen_s.update(dict.fromkeys(ids, stamp_s))
        return sorted(gone)
