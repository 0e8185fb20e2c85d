# SPDX-License-Identifier: Apache-2.0
"""Builders and probes for tests of the cache. They run in a child process and keep a diary beside the network."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from hmr_ros.engines.cache.cache import Builder
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.build_request import ANY_GPU, BatchProfile, BuildRequest, EngineTarget, Progress

TARGET = EngineTarget("tensorrt_rtx", "1.7.1", "Fake 4090", "sm_89", "580.1", "fp16")


def request(directory: Path, sha256: str = "ab" * 32, target: EngineTarget = TARGET) -> BuildRequest:
    return BuildRequest(directory / "net.onnx", sha256, target, BatchProfile(1, 4, 8))


def diary(request: BuildRequest) -> list[str]:
    path = request.onnx_path.with_suffix(".diary")
    return path.read_text().split() if path.exists() else []


def note(request: BuildRequest, what: str) -> None:
    with request.onnx_path.with_suffix(".diary").open("a") as stream:
        stream.write(what + "\n")


def build(request: BuildRequest, progress: Progress) -> bytes:
    print("libraries print what they like")
    note(request, "build")
    progress("half", 0.5)
    return b"engine for " + request.onnx_sha256.encode() + request.target.gpu_name.encode()


def build_slowly(request: BuildRequest, progress: Progress) -> bytes:
    engine = build(request, progress)
    time.sleep(1.0)
    return engine


def build_megabytes(request: BuildRequest, progress: Progress) -> bytes:
    return build(request, progress) + bytes(4 << 20)


def build_forever(request: BuildRequest, progress: Progress) -> bytes:
    note(request, f"pid:{os.getpid()}")
    while True:
        progress("forever", 0.1)
        time.sleep(0.05)


def fail(request: BuildRequest, progress: Progress) -> bytes:
    raise EngineError("unsupported operator Foo")


def stumble(request: BuildRequest, progress: Progress) -> bytes:
    raise KeyError("a bug")


def crash(request: BuildRequest, progress: Progress) -> bytes:
    print("about to fall", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def probe(path: Path, request: BuildRequest) -> None:
    note(request, "probe")
    assert path.read_bytes().startswith(b"engine for ")


def probe_crash(path: Path, request: BuildRequest) -> None:
    note(request, "probe")
    os.kill(os.getpid(), signal.SIGSEGV)


def probe_crash_on_portable(path: Path, request: BuildRequest) -> None:
    if ANY_GPU.encode() in path.read_bytes():
        os.kill(os.getpid(), signal.SIGSEGV)


def probe_forever(path: Path, request: BuildRequest) -> None:
    time.sleep(1000)


GOOD = Builder(build, probe)
