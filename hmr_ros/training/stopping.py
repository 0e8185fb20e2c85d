# SPDX-License-Identifier: Apache-2.0
"""Runs end between two steps when they are told to, and no two of them share a directory."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether the user asked for the end, by Ctrl-C or SIGTERM."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember the signal; the second one interrupts at once."""
        if self:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """What Ctrl-C and SIGTERM set as long as the context lasts; outside of the main thread nothing does."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = [signal.signal(number, request.receive) for number in _SIGNALS]
    try:
        yield request
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def only_run(directory: Path) -> Iterator[None]:
    """Hold the ``directory`` of a run, which is made; ValueError if another process does."""
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{directory}: a file; --out is the directory of a run")
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(directory / ".lock", blocking=False):
            yield
    except Timeout as err:
        raise ValueError(f"{directory}: another `hmr train` runs in it; wait for it, or give another --out") from err
