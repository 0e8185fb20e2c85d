# SPDX-License-Identifier: Apache-2.0
"""A lock between processes that dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hmr_ros.engines.runtime import EngineError

_PERIOD_S = 0.2


@contextlib.contextmanager
def file_lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of the file ``path``, which is made and stays there empty.

    The kernel lets go of it when the holder ends, however it does. While another process holds it, ``waiting`` is
    called a few times a second; what it raises ends the wait. Raises EngineError when the file cannot be opened.
    """
    while True:
        handle = _open(path)
        try:
            while not _try_lock(handle):
                waiting()
                time.sleep(_PERIOD_S)
            if _is_still(path, handle):
                yield
                return
        finally:
            os.close(handle)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise EngineError(
            f"{path}: cannot lock ({err.strerror}); make its directory writable or choose another for engines"
        ) from err


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, handle: int) -> bool:
    """Whether ``path`` is still the file that was opened: the lock of a deleted file protects nothing."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
