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
import itertools
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.bench.ros_case import CLIP, Case, Measured, file_hash
from hmr_ros.bench.ros_measuring import Cores, Outcome, Plan, Scene, opened
from hmr_ros.bench.split import RESIDUE_MS
from hmr_ros.bench.split_table import table
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.share import share_dir
from hmr_ros.evaluation.crowd import HEIGHT, WIDTH, crowd_image
from hmr_ros.ros.player.stopwatch import OUTPUTS
from hmr_ros.tools.ros_process import prepare_environment

CAMERA_HZ = 30.0
RATES_HZ = (10.0, CAMERA_HZ, 60.0)
CROWDS = (0, 1, 4, 8)
QUICK_CROWDS = (1, 4, 8)
STANDING = (4, 8)
"""Numbers of people who are also measured as those who stand; the images show all people still."""
USUAL = ("tf", "joint_states", "markers", "mesh")
"""What a robot and RViz subscribe."""
LATENCY_GOAL_MS, OVERHEAD_GOAL_MS = 66.0, 3.0
RATIO_GOALS = {4: 4.0, 8: 7.0}

_NAMESPACE = f"hmr_bench_{os.getpid()}"
"""Unique, so that two runs at once do not receive each other's messages."""
_WINDOWS, _WINDOW_S_PER_REPEAT = 3, 0.15
_QUICK_WINDOW_S = 4.0
_NODE, _STUB_NODE = "hmr_ros.bench.traced_node", "hmr_ros.bench.stub_node"
_FOCAL_PX = "1000"


@dataclass(frozen=True)
class _Setting:
    """What all cases have in common: the scene of each number of people, and where what they leave is kept."""

    scenes: Mapping[int, Scene]
    directory: Path
    plan: Plan
    progress: tqdm[None]
    preset: str


def run(options: Options) -> Row:
    """Measure the node with its networks in all cases, and without them in one."""
    plan = Plan(1, _QUICK_WINDOW_S) if options.quick else Plan(_WINDOWS, _WINDOW_S_PER_REPEAT * options.repeats)
    alone = Case(CAMERA_HZ, 1, USUAL)
    cases = _quick_cases() if options.quick else _cases()
    prepare_environment()
    with tempfile.TemporaryDirectory() as directory, tqdm(total=len(cases) + 1, unit="case") as progress:
        scenes = _scenes(Path(directory), options.source)
        hashes = {"clip": file_hash(scenes[CLIP].path)} | {path.name: file_hash(path) for path in _networks()}
        setting = _Setting(scenes, Path(directory), plan, progress, options.preset)
        outcomes = _measure(_NODE, cases, setting)
        stub = _measure(_STUB_NODE, [alone], setting)[alone]
    row = _row(outcomes, stub, plan, hashes)
    row["settings"]["preset"] = options.preset
    return row


def _cases() -> list[Case]:
    """All rates with all crowds and the clip, and each output alone."""
    crowds = [Case(rate_hz, people, USUAL) for rate_hz in RATES_HZ for people in (*CROWDS, CLIP)]
    single = [Case(CAMERA_HZ, 1, ()), *(Case(CAMERA_HZ, 1, (output,)) for output in OUTPUTS)]
    return [*crowds, *single, *_standing_cases()]


def _quick_cases() -> list[Case]:
    return [*(Case(CAMERA_HZ, people, USUAL) for people in (*QUICK_CROWDS, CLIP)), *_standing_cases()]


def _standing_cases() -> list[Case]:
    return [Case(CAMERA_HZ, people, USUAL, standing=True) for people in STANDING]


def _networks() -> list[Path]:
    return sorted(models_dir().glob("*.onnx"))


def _scenes(directory: Path, source: Path | None) -> dict[int, Scene]:
    """The scene of each number of people."""
    samples = share_dir() / "samples"
    clip = Scene(samples / "crossing.mp4", str(samples / "crossing.yaml"))
    scenes = {CLIP: clip if source is None else Scene(source)}
    body_model = load_body_model(models_dir() / "open_body.npz")
    return scenes | {people: Scene(_drawn(body_model, people, directory), _FOCAL_PX) for people in CROWDS}


def _drawn(body_model: BodyModel, people: int, directory: Path) -> Path:
    path = directory / f"{people}.bmp"  # the fastest format to read again and again
    cv2.imwrite(str(path), cv2.cvtColor(crowd_image(body_model, people), cv2.COLOR_RGB2BGR))
    return path


def _measure(module: str, cases: Sequence[Case], setting: _Setting) -> dict[Case, Outcome]:
    """Measure ``cases`` with one node, that of ``module``."""
    outcomes = {}
    together = sorted(cases, key=lambda case: case.still_people)
    for still_people, alike in itertools.groupby(together, key=lambda case: case.still_people):
        with opened(module, _NAMESPACE, setting.directory, Cores.here(), setting.preset, still_people) as bench:
            for case in alike:
                setting.progress.set_postfix_str(case.name)
                outcomes[case] = bench.measure(case, setting.scenes[case.people], setting.plan)
                setting.progress.update()
    return {case: outcomes[case] for case in cases}


def _row(outcomes: dict[Case, Outcome], without: Outcome, plan: Plan, hashes: dict[str, str]) -> Row:
    stub, compared = (
        without.measured,
        {c: o for c, o in outcomes.items() if c.rate_hz == CAMERA_HZ and c.outputs == USUAL},
    )
    crowds = {case.people: outcome.measured for case, outcome in compared.items() if not case.standing}
    standing = {case.crowd: outcome.measured for case, outcome in compared.items() if case.standing}
    split = {case.crowd: outcome.split for case, outcome in compared.items() if outcome.split is not None}
    split |= {"no networks": without.split} if without.split is not None else {}
    people = [n for n in crowds if n > 0]
    one = crowds[1].timing.latency_p50_ms
    ratios = {n: crowds[n].timing.latency_p50_ms / one for n in RATIO_GOALS}
    return {
        "settings": {
            "image": f"{WIDTH}x{HEIGHT}",
            "camera [Hz]": CAMERA_HZ,
            "cores": str(Cores.here()),
            "seconds": plan.window_s,
            "windows": plan.windows,
        },
        "medians_ms": {f"{n} people, stamp to mesh": crowds[n].timing.latency_p50_ms for n in people}
        | {f"{crowd}, stamp to mesh": measured.timing.latency_p50_ms for crowd, measured in standing.items()}
        | {"no networks, stamp to mesh": stub.timing.latency_p50_ms, "own overhead": stub.overhead_p50_ms}
        | {"own overhead, p99": stub.overhead_p99_ms},
        "figures": {f"{n} people / 1 person": ratio for n, ratio in ratios.items()}
        | {f"{n} people, images per second": crowds[n].rate_hz for n in people}
        | {f"{crowd}, images per second": measured.rate_hz for crowd, measured in standing.items()},
        "goals": {
            f"1 person within {LATENCY_GOAL_MS:g} ms": one <= LATENCY_GOAL_MS,
            **{f"{n} people at most {goal:g} times 1": ratios[n] <= goal for n, goal in RATIO_GOALS.items()},
            f"own overhead p99 within {OVERHEAD_GOAL_MS:g} ms": stub.overhead_p99_ms <= OVERHEAD_GOAL_MS,
            "all people were found": all(crowds[n].people > n - 0.5 for n in people),
            f"the parts are the whole but for {RESIDUE_MS:g} ms": all(
                abs(s.residue) <= RESIDUE_MS for s in split.values()
            ),
        },
        "table": table(split),
        "submission": [*(_latency(crowds[n]) for n in QUICK_CROWDS), _own(stub), str(Cores.here())],
        "sha256": hashes,
        "cases": [
            {"case": case.name} | dataclasses.asdict(case) | _as_dict(outcome)
            for case, outcome in [*outcomes.items(), (Case(CAMERA_HZ, 1, ("no networks", *USUAL)), without)]
        ],
    }


def _latency(measured: Measured) -> str:
    t = measured.timing
    return f"{t.latency_p50_ms:.0f} ({t.latency_p99_ms:.0f}), {measured.rate_hz:.0f} Hz"


def _own(stub: Measured) -> str:
    return f"{stub.overhead_p50_ms:.1f} ({stub.overhead_p99_ms:.1f})"


def _as_dict(outcome: Outcome) -> dict[str, object]:
    """``outcome`` for JSON."""
    split = None if outcome.split is None else dataclasses.asdict(outcome.split)
    return dataclasses.asdict(outcome.measured) | {"split": split}
