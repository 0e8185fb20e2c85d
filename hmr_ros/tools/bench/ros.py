"""The node over DDS on two cores: a camera process at 720p and 30 Hz, the node, and this listener.

Latency is the camera's stamp -> the time at which the node published the image's last mesh. The people are rendered
(open bodies side by side), so that their number is known. "own overhead" is the node without its networks, whose place
constant answers take: all it does between an image's arrival in the process and the last message about it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmr_ros.core.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.perception.overlay import Image
from hmr_ros.ros.recorder import Session
from hmr_ros.tools.bench import Row
from hmr_ros.tools.bench.crowd import HEIGHT, WIDTH, picture
from hmr_ros.tools.ros_process import RosProcess, prepare_environment

CORES = 2
CAMERA_HZ = 30.0
CROWDS = (1, 4, 8)
LATENCY_GOAL_MS, OVERHEAD_GOAL_MS = 66.0, 5.0
RATIO_GOALS = {4: 4.0, 8: 7.0}

_NAMESPACE = f"hmr_bench_{os.getpid()}"
"""A name of its own, so that two at once do not hear each other."""
_STARTUP_S, _SETTLE_S = 60.0, 3.0
_SECONDS_PER_REPEAT = 0.3
_NODE, _STUB_NODE = "hmr_ros.ros.node", "hmr_ros.tools.bench.stub_node"


@dataclass(frozen=True)
class Measured:
    """One run: stamp -> mesh p50 in ms, images per second, people found per image, the node's own share in ms."""

    latency_ms: float
    rate_hz: float
    people: float
    overhead_ms: float


def run(repeats: int) -> Row:
    """Measure the node with its networks at several crowds, and without."""
    seconds = max(_SECONDS_PER_REPEAT * repeats, 1.0)
    faces = load_body_model(models_dir() / "open_body.npz")
    prepare_environment()
    with _two_cores(), tempfile.TemporaryDirectory() as folder:
        measured = {n: _measure(_NODE, picture(faces, n), Path(folder), seconds) for n in CROWDS}
        stub = _measure(_STUB_NODE, picture(faces, 1), Path(folder), seconds)
    one = measured[1].latency_ms
    ratios = {n: measured[n].latency_ms / one for n in RATIO_GOALS}
    return {
        "settings": {"image": f"{WIDTH}x{HEIGHT}", "camera [Hz]": CAMERA_HZ, "cores": CORES, "seconds": round(seconds)},
        "medians_ms": {f"{n} people, stamp to mesh": m.latency_ms for n, m in measured.items()}
        | {"no networks, stamp to mesh": stub.latency_ms, "own overhead": stub.overhead_ms},
        "figures": {f"{n} people / 1 person": ratio for n, ratio in ratios.items()}
        | {f"{n} people, images per second": m.rate_hz for n, m in measured.items()}
        | {f"{n} people, meshes per image": m.people for n, m in measured.items()},
        "goals": {
            f"1 person within {LATENCY_GOAL_MS:g} ms": one <= LATENCY_GOAL_MS,
            **{f"{n} people at most {goal:g} times 1": ratios[n] <= goal for n, goal in RATIO_GOALS.items()},
            f"own overhead within {OVERHEAD_GOAL_MS:g} ms": stub.overhead_ms <= OVERHEAD_GOAL_MS,
            "everybody was found": all(m.people > n - 0.5 for n, m in measured.items()),
        },
    }


def _measure(module: str, image: Image, folder: Path, seconds: float) -> Measured:
    """Run camera and node, wait until bodies come, and listen for a while."""
    path = folder / "image.bmp"  # the fastest format to read again and again
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    session = Session(_NAMESPACE)
    node = RosProcess(module, _NAMESPACE, parameters=["max_frame_age_s:=0.0"])
    camera = ["--rate", str(CAMERA_HZ), "--loop", "--wait", "2", "--focal", "1000"]
    player = RosProcess("hmr_ros.ros.player", _NAMESPACE, [str(path), *camera])
    try:
        deadline_s = time.monotonic() + _STARTUP_S
        while not len(session.recorder.latencies_s()):
            if time.monotonic() > deadline_s or not node.running:
                raise RuntimeError(f"{module}: no mesh within {_STARTUP_S:.0f} s; its messages above say why")
            session.spin(0.1)
        session.spin(_SETTLE_S)
        session.recorder.start_over()
        session.spin(seconds)
    finally:
        player.stop()
        node.stop()
        session.close()
    recorder = session.recorder
    rates = recorder.rates_hz()
    return Measured(
        latency_ms=float(np.median(recorder.latencies_s())) * 1e3,
        rate_hz=rates["bodies"],
        people=rates["mesh"] / max(rates["bodies"], 1e-9),
        overhead_ms=recorder.overhead_ms,
    )


@contextmanager
def _two_cores() -> Iterator[None]:
    """Keep this process and its children to two cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:CORES])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
