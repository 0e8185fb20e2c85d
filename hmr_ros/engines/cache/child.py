# SPDX-License-Identifier: Apache-2.0
"""Build and try engines in a child process: neither a crash nor a hang in the driver's libraries reaches the node.

The parent hands over which function to call and a BuildRequest on the child's stdin, and gets progress and the result
through a pipe of their own, as libraries print on stdout what they like. The child ends with its parent, however that
one ends, since its stdin ends then.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from hmr_ros.core.config import BUILD_TIMEOUT_S
from hmr_ros.engines.cache.entry import request_from_json, request_to_json
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.build_request import BuildRequest, Progress

Build = Callable[[BuildRequest, Progress], bytes]
Probe = Callable[[Path, BuildRequest], None]

PROBE_TIMEOUT_S = 120.0

_PERIOD_S = 0.2
_NICENESS = 10
"""Builds take a back seat: the node serves meanwhile."""

_PROGRESS, _RESULT, _FAILURE = b"p", b"r", b"f"


def build_in_child(
    build: Build, request: BuildRequest, progress: Progress, timeout_s: float = BUILD_TIMEOUT_S
) -> bytes:
    """The engine that ``build``, a function of a module, makes. Raises EngineError when it fails, crashes or hangs."""
    return _call("build", build, request, None, progress, timeout_s)


def probe_in_child(
    probe: Probe, path: Path, request: BuildRequest, progress: Progress, timeout_s: float = PROBE_TIMEOUT_S
) -> None:
    """Load and run an engine once with ``probe``. Raises EngineError when that fails, crashes or hangs."""
    _call("probe", probe, request, path, progress, timeout_s)


def _call(
    task: str, function: Build | Probe, request: BuildRequest, path: Path | None, progress: Progress, timeout_s: float
) -> bytes:
    order = {
        "task": task,
        "module": function.__module__,
        "function": function.__qualname__,
        "path": str(path),
        "request": json.loads(request_to_json(request)),
    }
    with tempfile.TemporaryFile() as log, _started(order, log) as (process, answers):
        try:
            return _answer(answers, progress, time.monotonic() + timeout_s)
        except EOFError:
            how = f"ended with status {process.wait()}: {_tail(log)}"
        except TimeoutError:
            how = f"took longer than {timeout_s:g} s: {_tail(log)}"
    raise EngineError(f"{request.onnx_path}: the process to {task} an engine for {request.target.gpu_name} {how}")


@contextlib.contextmanager
def _started(order: dict[str, object], log: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], Connection]]:
    """A child at work, and the pipe that its answers come from; it is gone when the block ends."""
    answers, child_end = multiprocessing.Pipe(duplex=False)
    with answers:
        with child_end:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(child_end.fileno())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(child_end.fileno(),),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            )
        assert process.stdin is not None
        with process:
            try:
                with contextlib.suppress(BrokenPipeError):  # it died at once: reading its answer raises why
                    process.stdin.write(json.dumps(order).encode() + b"\n")
                    process.stdin.flush()
                yield process, answers
            finally:
                process.kill()


def _answer(answers: Connection, progress: Progress, deadline: float) -> bytes:
    """The child's result. Raises EngineError with its reason, EOFError when it died, TimeoutError."""
    stage, fraction = "starting", 0.0
    while time.monotonic() < deadline:
        if answers.poll(_PERIOD_S):
            kind, content = answers.recv_bytes(), answers.recv_bytes()
            if kind == _RESULT:
                return content
            if kind == _FAILURE:
                raise EngineError(content.decode())
            stage, fraction = json.loads(content)
        progress(stage, fraction)
    raise TimeoutError


def _tail(log: IO[bytes]) -> str:
    """The last that the child said."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - 400))
    return log.read().decode(errors="replace").strip() or "it said nothing"


class _Answers:
    """The child's end of the pipe. Progress may come from any thread of a library, and as often as it likes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._due = 0.0

    def send(self, kind: bytes, content: bytes) -> None:
        with self._lock:
            self._connection.send_bytes(kind)
            self._connection.send_bytes(content)

    def progress(self, stage: str, fraction: float) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _PERIOD_S
            self.send(_PROGRESS, json.dumps([stage, fraction]).encode())


def _obey(order: dict[str, Any], progress: Progress) -> bytes:
    function = getattr(importlib.import_module(order["module"]), order["function"])
    request = request_from_json(order["request"])
    if order["task"] == "build":
        engine: bytes = function(request, progress)
        return engine
    function(Path(order["path"]), request)
    return b""


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the parent closes its end, or is gone
    os._exit(1)


def main() -> int:
    """Carry out the order on stdin and answer on the descriptor that is the first argument."""
    answers = _Answers(Connection(int(sys.argv[1]), readable=False))
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICENESS)
    try:
        answers.send(_RESULT, _obey(order, answers.progress))
    except EngineError as err:
        answers.send(_FAILURE, str(err).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
