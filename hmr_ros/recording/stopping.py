# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM as a request, so that no file ends in the middle of an image."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType

_Handler = Callable[[int, FrameType | None], object] | int | None

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """While entered, the first Ctrl-C or SIGTERM sets ``requested``; a second one raises KeyboardInterrupt as usual.

    For the main thread, which alone may handle signals.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: list[_Handler] = []

    def __enter__(self) -> Stopping:
        self._before = [signal.signal(number, self._request) for number in _SIGNALS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        for each in _SIGNALS:
            signal.signal(each, signal.default_int_handler)
