# SPDX-License-Identifier: Apache-2.0
"""The pipeline alone, without ROS: images at 10 Hz in, bodies out, as in the node; and MediaPipe, if installed.

Rendered people who sway, so that their number is known, and the sample clip or the user's. Each contender sees the same
images, one contender after the other, several times over. `pip install mediapipe==0.10.21`, best into an environment
of its own, adds MediaPipe's pose pipeline, which sees one person and gives 33 points of them; no mesh, no positions in
metres.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.core.arrays import Float64s, Image
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import DetectorConfig, RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera
from hmr_ros.core.share import share_dir
from hmr_ros.evaluation.crowd import CAMERA, crowd_image
from hmr_ros.media.sources import Frame, open_source
from hmr_ros.perception.assemble import assemble_live

PRESETS = ("fast", "balanced")
MEDIAPIPE = "mediapipe"
RATE_HZ = 10.0
IMAGES, QUICK_IMAGES, ROUNDS = 60, 20, 3
CROWDS = (1, 4, 8)
MEDIAPIPE_GOALS = {"fast": 1.0, "balanced": 1.5}
TAIL_GOAL, CROWD_GOAL = 1.5, 3.0
_SWAY_PX, _SWAY_IMAGES = 24, 20
_ONE = "1 person"

See = Callable[[Image, float], int]
"""(image, stamp in s) -> number of people."""


@dataclass(frozen=True, eq=False)
class _Scene:
    """Images, and their camera."""

    name: str
    images: Sequence[Image]
    camera: Camera


@dataclass(frozen=True, eq=False)
class _Pass:
    """What each image took by the clock, and of all processors until the next one, s; mean number of people seen."""

    wall_s: Float64s
    processor_s: Float64s
    people: float


def run(options: Options) -> Row:
    """Measure every contender on every scene."""
    scenes = _scenes(options.source, QUICK_IMAGES if options.quick else IMAGES)
    contenders = _contenders()
    rounds = 1 if options.quick else ROUNDS
    passes: dict[tuple[str, str], list[_Pass]] = {}
    with tqdm(total=rounds * len(contenders) * len(scenes), unit="pass") as progress:
        for _ in range(rounds):
            for name in contenders:
                for scene in scenes:
                    progress.set_postfix_str(f"{name}, {scene.name}")
                    with _opened(name, scene.camera) as see:
                        passes.setdefault((name, scene.name), []).append(_watched(see, scene.images))
                    progress.update()
    return _row({key: _together(several) for key, several in passes.items()}, rounds, len(scenes[0].images))


def _contenders() -> list[str]:
    with suppress(ModuleNotFoundError):
        if hasattr(importlib.import_module("mediapipe"), "solutions"):
            return [*PRESETS, MEDIAPIPE]
        print(
            "left out: this MediaPipe has no pipeline of its own any more; pip install mediapipe==0.10.21",
            file=sys.stderr,
        )
    return [*PRESETS]


def _scenes(source: Path | None, images: int) -> list[_Scene]:
    body_model = load_body_model(models_dir() / "open_body.npz")
    crowds = [
        _Scene(_ONE if people == 1 else f"{people} people", _swaying(crowd_image(body_model, people), images), CAMERA)
        for people in CROWDS
    ]
    return [*crowds, _clip(source or share_dir() / "samples" / "crossing.mp4", images)]


def _swaying(image: Image, images: int) -> list[Image]:
    """``image``, moved from side to side."""
    phases = 2 * np.pi * np.arange(images) / _SWAY_IMAGES
    return [np.roll(image, round(_SWAY_PX * np.sin(phase)), axis=1) for phase in phases]


def _clip(path: Path, images: int) -> _Scene:
    frames = (frame for frame in open_source(str(path)).frames() if isinstance(frame, Frame))
    clip = [frame.rgb() for frame, _ in zip(frames, range(images), strict=False)]
    if not clip:
        raise ValueError(f"{path}: no image in it can be read")
    height, width = clip[0].shape[:2]
    return _Scene("the clip", clip, Camera.from_fov(60, width, height))


@contextmanager
def _opened(contender: str, camera: Camera) -> Iterator[See]:
    """What sees people, ready to start."""
    if contender == MEDIAPIPE:
        with importlib.import_module("mediapipe").solutions.pose.Pose(model_complexity=1) as pose:
            yield lambda image, stamp_s: int(pose.process(image).pose_landmarks is not None)
        return
    with assemble_live(RobotConfig(detector=DetectorConfig(preset=contender))) as pipeline:
        yield lambda image, stamp_s: len(pipeline(image, camera, stamp_s).bodies)


def _watched(see: See, images: Sequence[Image]) -> _Pass:
    """Show ``images`` at RATE_HZ. The first, which finds the people, is not counted."""
    see(images[0], 0.0)
    wall, processor, people = [], [], []
    for number, image in enumerate(images[1:], start=1):
        busy_s, started_s = time.process_time(), time.perf_counter()
        people.append(see(image, number / RATE_HZ))
        wall.append(time.perf_counter() - started_s)
        time.sleep(max(0.0, 1 / RATE_HZ - wall[-1]))
        processor.append(time.process_time() - busy_s)
    return _Pass(np.array(wall), np.array(processor), float(np.mean(people)))


def _together(passes: Sequence[_Pass]) -> _Pass:
    """Image by image the median of several passes."""
    return _Pass(
        np.median([p.wall_s for p in passes], axis=0),
        np.median([p.processor_s for p in passes], axis=0),
        float(np.median([p.people for p in passes])),
    )


def _row(passes: dict[tuple[str, str], _Pass], rounds: int, images: int) -> Row:
    medians_ms, figures = {}, {}
    for (name, scene), result in passes.items():
        p50_s, p99_s = np.percentile(result.wall_s, [50, 99])
        medians_ms[f"{name}, {scene}"] = 1000 * float(p50_s)
        figures[f"{name}, {scene}: p99, ms"] = 1000 * float(p99_s)
        figures[f"{name}, {scene}: processor time of an image, ms"] = 1000 * float(result.processor_s.mean())
        figures[f"{name}, {scene}: people seen"] = result.people
    return {
        "settings": {"rate_hz": RATE_HZ, "rounds": rounds, "images": images},
        "medians_ms": medians_ms,
        "figures": figures,
        "goals": _goals(medians_ms, figures),
    }


def _goals(medians_ms: dict[str, float], figures: dict[str, float]) -> dict[str, bool]:
    goals = {}
    for preset in PRESETS:
        one, eight = (medians_ms[f"{preset}, {scene}"] for scene in (_ONE, "8 people"))
        tail = figures[f"{preset}, {_ONE}: p99, ms"]
        goals[f"{preset}: p99 at most {TAIL_GOAL:g} times p50, {_ONE}"] = tail <= TAIL_GOAL * one
        goals[f"{preset}: 8 people at most {CROWD_GOAL:g} times {_ONE}"] = eight <= CROWD_GOAL * one
        if other := medians_ms.get(f"{MEDIAPIPE}, {_ONE}"):
            goals[f"{preset}: at most {MEDIAPIPE_GOALS[preset]:g} times MediaPipe"] = (
                one <= MEDIAPIPE_GOALS[preset] * other
            )
    return goals
