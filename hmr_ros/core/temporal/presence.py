# SPDX-License-Identifier: Apache-2.0
"""Who is there, for outputs that keep people until they left: absence must never be guessed."""

from __future__ import annotations

from collections.abc import Iterable

_GRACE_S = 1.0
"""A tracker tells of everybody who left. Whom it forgot, as after an internal error, is gone so much later."""


class Presence:
    """Follows who is there from image to image; time stands still between images, so a silent camera removes nobody."""

    def __init__(self) -> None:
        self._seen_s: dict[int, float] = {}

    def update(self, ids: Iterable[int], lost: Iterable[int], stamp_s: float, track_timeout_s: float) -> list[int]:
        """Who left with this image: the ``lost``, and those unseen for longer than any track lasts.

        A stamp before the last one begins again, without those who are not in the image.
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
