# SPDX-License-Identifier: Apache-2.0
"""The node over DDS on two cores: a camera process, the node, and this subscriber, at several rates, crowds and
outputs.

The people are rendered (open bodies side by side), so that their number is known; the clip is the one of the demo, or
the user's. Latency is the camera's stamp -> the time at which the node published the last message about the image.
"own overhead" is the time of the node with constant outputs in place of its networks, between an image's arrival in the
process and the last message about it. The method is ros2_benchmark's: fixed rates, several windows,
medians over them, everything in one JSON with the hashes of the input files.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.bench.ros_case import CLIP, Case, Measured, drops_between, file_hash, median, timing
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.share import share_dir
from hmr_ros.evaluation.crowd import HEIGHT, WIDTH, crowd_image
from hmr_ros.ros.node.diagnostics import OVERHEAD, OVERHEAD_P99
from hmr_ros.ros.player.session import Session
from hmr_ros.ros.player.stopwatch import OUTPUTS, Stopwatch
from hmr_ros.tools.ros_process import RosProcess, prepare_environment

CORES = 2
CAMERA_HZ = 30.0
RATES_HZ = (10.0, CAMERA_HZ, 60.0)
CROWDS = (0, 1, 4, 8)
QUICK_CROWDS = (1, 4, 8)
USUAL = ("tf", "joint_states", "markers", "mesh")
"""What a robot and RViz subscribe."""
LATENCY_GOAL_MS, OVERHEAD_GOAL_MS = 66.0, 3.0
RATIO_GOALS = {4: 4.0, 8: 7.0}

_NAMESPACE = f"hmr_bench_{os.getpid()}"
"""Unique, so that two runs at once do not receive each other's messages."""
_STARTUP_S, _SETTLE_S = 60.0, 2.5
_WINDOWS, _WINDOW_S_PER_REPEAT = 3, 0.15
_QUICK_WINDOW_S = 4.0
_POLL_S = 0.25
_NODE, _STUB_NODE = "hmr_ros.ros.node.node", "hmr_ros.bench.stub_node"
_FOCAL = ("--focal", "1000")


@dataclass(frozen=True)
class _Scene:
    """The input of a camera: a file for hmr_player, and its calibration arguments."""

    path: Path
    calibration: Sequence[str]


@dataclass(frozen=True)
class _Plan:
    """How long to measure each case: ``windows`` of ``window_s`` seconds."""

    windows: int
    window_s: float


def run(options: Options) -> Row:
    """Measure the node with its networks in all cases, and without them in one."""
    plan = _Plan(1, _QUICK_WINDOW_S) if options.quick else _Plan(_WINDOWS, _WINDOW_S_PER_REPEAT * options.repeats)
    alone = Case(CAMERA_HZ, 1, USUAL)
    cases = _quick_cases() if options.quick else _cases()
    prepare_environment()
    with _two_cores(), tempfile.TemporaryDirectory() as directory, tqdm(total=len(cases) + 1, unit="case") as progress:
        scenes = _scenes(Path(directory), options.source)
        hashes = {"clip": file_hash(scenes[CLIP].path)} | {path.name: file_hash(path) for path in _networks()}
        measured = _measure(_NODE, cases, scenes, plan, progress)
        stub = _measure(_STUB_NODE, [alone], scenes, plan, progress)[alone]
    return _row(measured, stub, plan, hashes)


def _cases() -> list[Case]:
    """All rates with all crowds and the clip, and each output alone."""
    crowds = [Case(rate_hz, people, USUAL) for rate_hz in RATES_HZ for people in (*CROWDS, CLIP)]
    return [*crowds, Case(CAMERA_HZ, 1, ()), *(Case(CAMERA_HZ, 1, (output,)) for output in OUTPUTS)]


def _quick_cases() -> list[Case]:
    return [Case(CAMERA_HZ, people, USUAL) for people in (*QUICK_CROWDS, CLIP)]


def _networks() -> list[Path]:
    return sorted(models_dir().glob("*.onnx"))


def _scenes(directory: Path, source: Path | None) -> dict[int, _Scene]:
    """The scene of each number of people."""
    samples = share_dir() / "samples"
    clip = _Scene(samples / "crossing.mp4", ("--camera-info", str(samples / "crossing.yaml")))
    scenes = {CLIP: clip if source is None else _Scene(source, ())}
    body_model = load_body_model(models_dir() / "open_body.npz")
    return scenes | {people: _Scene(_drawn(body_model, people, directory), _FOCAL) for people in CROWDS}


def _drawn(body_model: BodyModel, people: int, directory: Path) -> Path:
    path = directory / f"{people}.bmp"  # the fastest format to read again and again
    cv2.imwrite(str(path), cv2.cvtColor(crowd_image(body_model, people), cv2.COLOR_RGB2BGR))
    return path


def _measure(
    module: str, cases: Sequence[Case], scenes: dict[int, _Scene], plan: _Plan, progress: tqdm[None]
) -> dict[Case, Measured]:
    """Measure ``cases`` with one node, that of ``module``."""
    session = Session(_NAMESPACE, Stopwatch)
    node = RosProcess(module, _NAMESPACE, parameters=["max_frame_age_s:=0.0"])
    measured = {}
    try:
        for case in cases:
            progress.set_postfix_str(case.name)
            measured[case] = _measure_case(case, scenes[case.people], session, node, plan)
            progress.update()
    finally:
        node.stop()
        session.close()
    return measured


def _measure_case(case: Case, scene: _Scene, session: Session[Stopwatch], node: RosProcess, plan: _Plan) -> Measured:
    """Start a camera, wait for the first bodies, and measure several windows."""
    session.node.subscribe(case.outputs)
    camera = [str(scene.path), "--rate", str(case.rate_hz), "--loop", "--wait", "1", *scene.calibration]
    player = RosProcess("hmr_ros.ros.player.player", _NAMESPACE, camera)
    try:
        session.node.start_over()
        deadline_s = time.monotonic() + _STARTUP_S
        while not len(session.node.bodies_at_s()):
            if time.monotonic() > deadline_s or not node.running:
                raise RuntimeError(f"{case.name}: no bodies within {_STARTUP_S:.0f} s; the messages above say why")
            session.spin(_POLL_S)
        _receive(session, _SETTLE_S)
        return median([_window(session, node, plan.window_s) for _ in range(plan.windows)])
    finally:
        player.stop()


def _receive(session: Session[Stopwatch], seconds: float) -> None:
    """Receive for ``seconds``, and subscribe the topics of people who appear."""
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        session.node.follow_people()
        session.spin(min(_POLL_S, left_s))


def _window(session: Session[Stopwatch], node: RosProcess, seconds: float) -> Measured:
    watch = session.node
    before, cpu_s, started_s = watch.diagnostics, node.cpu_s, time.monotonic()
    watch.start_over()
    session.spin(seconds)
    elapsed_s = time.monotonic() - started_s
    after, bodies_at_s = watch.diagnostics, watch.bodies_at_s()
    return Measured(
        timing=timing(watch.latencies_s(), bodies_at_s),
        images_hz=_figure(after, "images received [Hz]"),
        rate_hz=len(bodies_at_s) / elapsed_s,
        overhead_p50_ms=_figure(after, OVERHEAD),
        overhead_p99_ms=_figure(after, OVERHEAD_P99),
        messages_per_image=watch.message_count / max(len(bodies_at_s), 1),
        cpu=(node.cpu_s - cpu_s) / elapsed_s,
        memory_mib=node.memory_mib,
        people=_figure(after, "people"),
        drops=drops_between(before, after),
    )


def _figure(diagnostics: dict[str, str], key: str) -> float:
    return float(diagnostics.get(key, "nan"))


def _row(measured: dict[Case, Measured], stub: Measured, plan: _Plan, hashes: dict[str, str]) -> Row:
    crowds = {case.people: m for case, m in measured.items() if case.rate_hz == CAMERA_HZ and case.outputs == USUAL}
    people = [n for n in crowds if n > 0]
    one = crowds[1].timing.latency_p50_ms
    ratios = {n: crowds[n].timing.latency_p50_ms / one for n in RATIO_GOALS}
    return {
        "settings": {
            "image": f"{WIDTH}x{HEIGHT}",
            "camera [Hz]": CAMERA_HZ,
            "cores": CORES,
            "seconds": plan.window_s,
            "windows": plan.windows,
        },
        "medians_ms": {f"{n} people, stamp to mesh": crowds[n].timing.latency_p50_ms for n in people}
        | {"no networks, stamp to mesh": stub.timing.latency_p50_ms, "own overhead": stub.overhead_p50_ms}
        | {"own overhead, p99": stub.overhead_p99_ms},
        "figures": {f"{n} people / 1 person": ratio for n, ratio in ratios.items()}
        | {f"{n} people, images per second": crowds[n].rate_hz for n in people},
        "goals": {
            f"1 person within {LATENCY_GOAL_MS:g} ms": one <= LATENCY_GOAL_MS,
            **{f"{n} people at most {goal:g} times 1": ratios[n] <= goal for n, goal in RATIO_GOALS.items()},
            f"own overhead p99 within {OVERHEAD_GOAL_MS:g} ms": stub.overhead_p99_ms <= OVERHEAD_GOAL_MS,
            "all people were found": all(crowds[n].people > n - 0.5 for n in people),
        },
        "sha256": hashes,
        "cases": [
            {"case": case.name} | dataclasses.asdict(case) | dataclasses.asdict(m)
            for case, m in [*measured.items(), (Case(CAMERA_HZ, 1, ("no networks", *USUAL)), stub)]
        ],
    }


@contextmanager
def _two_cores() -> Iterator[None]:
    """Restrict this process and its children to two cores, where the system supports it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:CORES])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
