# SPDX-License-Identifier: Apache-2.0
"""Signals that end a process between two callbacks, and interrupt one only if it lasts.

An exception in the middle of a callback leaves its work half done, and rclpy's EventsExecutor logs it as FATAL.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

_ENDING = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S = 1.0
"""For so long a callback may go on when a signal has come; one that waits for an engine is interrupted then."""


class EndingSignals:
    """While it is entered, in the main thread, SIGINT and SIGTERM are noted: ``came``.

    ``KeyboardInterrupt`` is raised if it is still entered a second later. Further signals change nothing.
    """

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> EndingSignals:
        self._before = {number: signal.getsignal(number) for number in (*_ENDING, signal.SIGALRM)}
        for number in _ENDING:
            signal.signal(number, self._note)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.came:
            self.came = True
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
