# SPDX-License-Identifier: Apache-2.0
"""Where a scene goes: a file, a window of Rerun's viewer, or a browser."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import rerun as rr
import rerun.blueprint as rrb

from hmr_ros.core.manifest import atomic_path

APPLICATION = "hmr_ros"
LOCAL = "127.0.0.1"
_EVERYWHERE = ("0.0.0.0", "::")
_STARTS_WITHIN_S, _STOPS_WITHIN_S = 20.0, 5.0
_FLUSHES_WITHIN_S = 60.0


@dataclass(frozen=True, eq=False)
class Output:
    """Takes what is logged to ``recording``; ``wait`` returns when no one looks at it any more."""

    recording: rr.RecordingStream
    wait: Callable[[], None]


@dataclass(frozen=True)
class Server:
    """Rerun's viewer as a process: ``bind`` is the address that it listens on, ``data_port`` for what is logged.

    With a ``page_port`` it serves a page to browsers, without one it opens a window. 127.0.0.1 is this machine alone:
    images of people are not for the whole network.
    """

    data_port: int = 9876
    page_port: int | None = None
    bind: str = LOCAL

    @property
    def page(self) -> str:
        """The address to open in a browser."""
        return f"http://{self._host}:{self.page_port}/?url={quote(self.data, safe='')}"

    @property
    def data(self) -> str:
        """Where what is logged goes."""
        return f"rerun+http://{self._host}:{self.data_port}/proxy"

    @property
    def command(self) -> list[str]:
        """Its command line."""
        spec = importlib.util.find_spec("rerun_cli")
        assert spec is not None, "a part of rerun-sdk"
        assert spec.origin is not None, "a package"
        command = [str(Path(spec.origin).with_name("rerun")), "--bind", self.bind, "--port", str(self.data_port)]
        return (
            command if self.page_port is None else [*command, "--serve-web", "--web-viewer-port", str(self.page_port)]
        )

    @property
    def is_listening(self) -> bool:
        """Whether something listens on the ``data_port``."""
        with socket.socket() as probe:
            return probe.connect_ex((self._host, self.data_port)) == 0

    @property
    def _host(self) -> str:
        return LOCAL if self.bind in _EVERYWHERE else self.bind


@contextlib.contextmanager
def to_file(path: Path, layout: rrb.Blueprint) -> Iterator[Output]:
    """Written to the .rrd file ``path``, which is complete or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        recording = rr.RecordingStream(APPLICATION)
        recording.save(temporary, default_blueprint=layout)
        with _flushed(recording):
            yield Output(recording, lambda: None)


@contextlib.contextmanager
def to_viewer(server: Server, layout: rrb.Blueprint) -> Iterator[Output]:
    """Sent to Rerun's viewer, which ends with the block. Raises RuntimeError where it does not start."""
    _check_possible(server)
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(server, process)
        recording = rr.RecordingStream(APPLICATION)
        recording.connect_grpc(server.data, default_blueprint=layout)
        with _flushed(recording):
            yield Output(recording, lambda: _wait_until_closed(process))
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOPS_WITHIN_S)


@contextlib.contextmanager
def _flushed(recording: rr.RecordingStream) -> Iterator[None]:
    try:
        yield
        recording.flush(timeout_sec=_FLUSHES_WITHIN_S)
    finally:
        recording.disconnect()


def _check_possible(server: Server) -> None:
    if server.page_port is None and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RuntimeError("there is no display for a window: give --web for a browser, or --save FILE.rrd")
    if server.is_listening:
        raise RuntimeError(f"port {server.data_port} is in use, perhaps by another `hmr view`: give --port")


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Raise RuntimeError where the viewer does not listen soon."""
    until_s = time.monotonic() + _STARTS_WITHIN_S
    while not server.is_listening:
        if process.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError(f"Rerun's viewer did not start; its own words: {' '.join(server.command)}")
        time.sleep(0.05)


def _wait_until_closed(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        process.wait()
