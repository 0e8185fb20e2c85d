# SPDX-License-Identifier: Apache-2.0
"""Images that wait for what another node finds in them: the newest that has it comes first."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hmr_ros.ros.wire.cdr import CdrError, Stamp, stamp_of

_CAPACITY = 16
"""Images that wait at once: half a second of a camera at 30 Hz."""


@dataclass(frozen=True)
class _Waiting:
    """A serialised image message, its stamp (None: it cannot be read), and the monotonic time of its arrival, s."""

    data: bytes
    stamp: Stamp | None
    arrived_s: float


class WaitingSlot:
    """Passes images from one thread to another once they are ready, or after ``patience_s``; see LatestSlot.

    ``take`` returns the newest image that ``is_ready`` by its stamp, else the newest that has waited for
    ``patience_s``; those before it are dropped, which ``on_drop`` is called for.
    """

    lingered_s = 0.0
    """No image waits for a fresher one: the other node may not look at every image."""

    def __init__(self, is_ready: Callable[[Stamp], bool], patience_s: float, on_drop: Callable[[], None]) -> None:
        self._is_ready = is_ready
        self._patience_s = patience_s
        self._on_drop = on_drop
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._closed = False

    def put(self, data: bytes) -> bool:
        """Let an image wait; True when one has to go for it, which was not taken."""
        with self._changed:
            now_s = time.monotonic()
            self._waiting.append(_Waiting(data, _stamp(data), now_s))
            self._drop_before(self._next(now_s) or 0)
            is_full = len(self._waiting) > _CAPACITY
            if is_full:
                self._waiting.popleft()
            self._changed.notify()
        return is_full

    def wake(self) -> None:
        """Look again at what is ready; call when something arrived."""
        with self._changed:
            self._changed.notify()

    def take(self) -> bytes | None:
        """Wait for an image and remove it; None once the slot is closed."""
        with self._changed:
            while not self._closed:
                now_s = time.monotonic()
                if (row := self._next(now_s)) is not None:
                    self._drop_before(row)
                    return self._waiting.popleft().data
                self._changed.wait(self._rest_s(now_s))
            return None

    def close(self) -> None:
        """Wake the reader for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self, now_s: float) -> int | None:
        """The row of the image to take; None: all have to wait."""
        rows = range(len(self._waiting) - 1, -1, -1)
        ready = (row for row in rows if (stamp := self._waiting[row].stamp) is None or self._is_ready(stamp))
        overdue = (row for row in rows if now_s - self._waiting[row].arrived_s >= self._patience_s)
        return next(ready, next(overdue, None))

    def _drop_before(self, row: int) -> None:
        for _ in range(row):
            self._waiting.popleft()
            self._on_drop()

    def _rest_s(self, now_s: float) -> float | None:
        """How long the image that came first may still wait, s; None where there is none."""
        return max(self._waiting[0].arrived_s + self._patience_s - now_s, 0.0) if self._waiting else None


def _stamp(data: bytes) -> Stamp | None:
    try:
        return stamp_of(data)
    except CdrError:
        return None
