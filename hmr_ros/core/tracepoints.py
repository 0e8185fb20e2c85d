# SPDX-License-Identifier: Apache-2.0
"""Tracepoints: the ends of the steps of an image, reported by the thread that does them, for `hmr bench ros`.

Without a recorder, which only the bench installs, a tracepoint costs one comparison. The step that a tracepoint ends
began with the tracepoint before it in the same thread, so that the steps of a thread leave no gap.
"""

from __future__ import annotations

import time
from typing import Protocol


class Recorder(Protocol):
    """Takes the tracepoints of all threads."""

    def mark(self, step: str) -> None:
        """``step`` has ended in the calling thread."""

    def arrived(self, stamp_ns: int) -> None:
        """The image with ``stamp_ns`` is in the process."""

    def began(self, stamp_ns: int) -> None:
        """The calling thread begins to work on the image with ``stamp_ns``."""

    def ended(self) -> None:
        """The calling thread is done with its image."""


_recorder: Recorder | None = None


def install(recorder: Recorder | None) -> None:
    """Report to ``recorder`` from now on; None: to none."""
    global _recorder  # one per process, as in other tracers
    _recorder = recorder


def recorder() -> Recorder | None:
    """The recorder; None: nothing is recorded."""
    return _recorder


def begin(stamp_ns: int) -> None:
    """Report that the calling thread begins to work on the image with ``stamp_ns``."""
    if _recorder is not None:
        _recorder.began(stamp_ns)


def end() -> None:
    """Report that the calling thread is done with its image."""
    if _recorder is not None:
        _recorder.ended()


class Steps:
    """Ends the steps of an image one after the other: as tracepoints, and with the time that each took."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    def end(self, step: str) -> float:
        """Report the end of ``step``; how long it took, s."""
        mark(step)
        began_s, self._began_s = self._began_s, time.perf_counter()
        return self._began_s - began_s


def mark(step: str) -> None:
    """Report the end of ``step``."""
    if _recorder is not None:
        _recorder.mark(step)
