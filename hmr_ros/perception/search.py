# SPDX-License-Identifier: Apache-2.0
"""Searching whole images for people: in turn with everything else, or in the background."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from hmr_ros.core.arrays import Image
from hmr_ros.core.thread_names import show_name

_Found = TypeVar("_Found")

_NICENESS = 5
"""Of the thread in the background: where both want a core, it gets a third of the time of one that follows people."""


class Search(Generic[_Found]):
    """Runs ``find`` on an image when a search is due.

    ``background``: in a thread of its own; images do not wait for it, unless they have to. What it finds arrives with
    a later image, in which people have moved a little, so that results depend on the speed of the machine. Call it from
    one thread, and close it.
    """

    def __init__(self, find: Callable[[Image], _Found], *, background: bool = False) -> None:
        self._find = find
        self._thread = ThreadPoolExecutor(1, "hmr_search", initializer=_begin) if background else None
        self._running: Future[_Found] | None = None

    def __call__(self, image: Image, *, is_due: bool, must_wait: bool) -> _Found | None:
        """What was found in ``image``, or in an earlier one; None: no search has ended.

        ``is_due``: search ``image``, unless a search is running. ``must_wait``: for the end of the one that runs.
        Raises what ``find`` raises.
        """
        if self._thread is None:
            return self._find(image) if is_due else None
        if self._running is None and is_due:
            self._running = self._thread.submit(self._find, image)
        if self._running is None or not (must_wait or self._running.done()):
            return None
        ended, self._running = self._running, None
        return ended.result()

    def reset(self) -> None:
        """Drop what is not found yet."""
        self._running = None

    def close(self) -> None:
        """Wait for the search that runs."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)


def _begin() -> None:
    show_name("hmr_search")
    _be_nice()


def _be_nice() -> None:
    """Let the calling thread take less of a core that others want, where the system has priorities of threads.

    Niceness does not count under a real-time policy, with which the node may have been started: that ends first.
    """
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if os.name == "posix" and hasattr(os, "setpriority"):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS, 19))
