# SPDX-License-Identifier: Apache-2.0
"""Runs tests for the driver in forks of one process that has large libraries loaded: a script, no module.

Its arguments name the libraries; one that is not installed is passed over.

A request is a line of JSON on stdin, ``{"arguments": [...], "seconds": s, "log": path}``; the answer is a line with
pytest's exit status, or -1 for a run that took more than ``s`` seconds of CPU time, or ten times as long by the clock.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import signal
import sys
import time
import traceback

_BYTES = 12 << 30
"""A mutant that allocates without end fails, and takes no other process with it."""
_WALL = 10
"""Tests may take so many times their CPU time, as they do on a machine that is busy; a mutant that waits ends there."""


def main() -> None:
    """Answer requests until stdin ends."""
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path.insert(0, os.getcwd())
    for line in sys.stdin:
        request = json.loads(line)
        print(_run(request["arguments"], request["seconds"], request["log"]), flush=True)


def _run(arguments: list[str], seconds: float, log: str) -> int:
    child = os.fork()
    if not child:
        _test(arguments, seconds, log)
    status = _wait(child, time.monotonic() + _WALL * seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests started and left
    return status


def _test(arguments: list[str], seconds: float, log: str) -> None:
    os.setsid()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    resource.setrlimit(resource.RLIMIT_DATA, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds)))
    import pytest

    status = 3
    try:
        status = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)  # no exit handler of the parent's libraries runs in a fork


def _wait(child: int, end: float) -> int:
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)  # negative: the signal that ended it
            return -1 if code in (-signal.SIGXCPU, -signal.SIGKILL) else abs(code)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


if __name__ == "__main__":
    main()
