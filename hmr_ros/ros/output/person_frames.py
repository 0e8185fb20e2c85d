# SPDX-License-Identifier: Apache-2.0
"""Names of people's frames in TF.

tf2 never forgets a frame, and ids are never reused: with a frame for each id, all subscribers of /tf would grow with
each person who passes. ROS4HRI (REP-155) asks for just that, as its clients look up ``body_<id>``. So frames are named
by ids where its topics are published, and elsewhere by a pool of names that are used again.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable

from hmr_ros.core.arrays import Ints
from hmr_ros.core.temporal.name_pool import NamePool
from hmr_ros.ros.wire.messages import person_name

REST_S = 20.0
"""Rest of a name, s of the images' stamps: tf2 keeps transforms for 10 s by default, and interpolates between them."""

_PROCESS_LETTERS = 4


def frame_pool(letters: str = "") -> NamePool:
    """The names of one process, such as ``kqzv_0``: with random letters, as another process may publish in /tf, too.

    Or with four ``letters`` that are given. They differ from every id, which has five letters.
    """
    letters = letters or "".join(secrets.choice(string.ascii_lowercase) for _ in range(_PROCESS_LETTERS))
    return NamePool(f"{letters}_", REST_S)


class PersonFrames:
    """Names the frames of one camera's people: by their ids, or from a ``pool`` if there is one."""

    def __init__(self, pool: NamePool | None) -> None:
        self._pool = pool
        self._named: set[int] = set()
        self._stamp_s = 0.0

    def suffixes(self, ids: Ints, stamp_s: float) -> dict[int, str]:
        """For each of ``ids`` what follows ``body_`` and ``<link>_`` in the names of the person's frames."""
        people = ids.tolist()
        if self._pool is None:
            return {track_id: person_name(track_id) for track_id in people}
        self._named.update(people)
        self._stamp_s = stamp_s
        return dict(zip(people, self._pool.names(people, stamp_s), strict=True))

    def forget(self, lost: Iterable[int], stamp_s: float) -> None:
        """Let the names of ``lost`` people rest, who were in TF until ``stamp_s`` at most."""
        if self._pool is not None:
            lost = self._named.intersection(lost)
            self._named -= lost
            self._pool.release(lost, stamp_s)

    def close(self) -> None:
        """Let all names rest."""
        self.forget(set(self._named), self._stamp_s)


def root_frame(suffix: str) -> str:
    """The root of a person's frames."""
    return f"body_{suffix}"
