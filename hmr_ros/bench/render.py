# SPDX-License-Identifier: Apache-2.0
"""Rendering training images: images per second of one core, and the time of each step.

Poses are random rotations instead of motion capture, and backgrounds are procedural, so that the bench needs no data.
Throughput is per second of processor time, without waiting for a core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.bench.timing import time_in_turns
from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir

if TYPE_CHECKING:
    from hmr_ros.training.datasets.motion import Motion

BATCH = 32
RATE_GOAL = 60.0


def run(options: Options) -> Row:
    """Time whole batches and, in turns with them, single steps."""
    import cv2
    import torch

    from hmr_ros.training.synthetic.images import ImageMix, ImageSampler

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    body = load_body_model(models_dir() / "open_body.npz")
    sampler = ImageSampler(_motion(), body, "coco_feet", ImageMix())

    def whole() -> object:
        return sampler.sample(np.random.default_rng(0), BATCH)

    rounds = max(1, options.repeats // 5)
    timings = time_in_turns({"whole batch": whole, **_steps()}, rounds)
    medians = timings.medians_ms()
    fractions = {f"fraction of {name}": 1 / timings.ratio("whole batch", name) for name in timings.names[1:]}
    fractions["fraction of survey, shadows, raster, shading"] = 1 - sum(fractions.values())
    rate = _rate(whole, rounds)
    return {
        "settings": {"batch": BATCH, "repeats": rounds, "threads": 1},
        "medians_ms": medians,
        "figures": {"images per second of a core": rate, **fractions},
        "goals": {f"at least {RATE_GOAL:g} images per second of a core": rate >= RATE_GOAL},
    }


def _motion() -> Motion:
    from hmr_ros.training.datasets.motion import Motion

    frames = 256
    pose = np.random.default_rng(0).normal(0, 0.25, (frames, 24, 3)).astype(np.float32)
    name = np.array(["random"])
    return Motion(
        pose=pose,
        trans=np.zeros((frames, 3), np.float32),
        clip=np.zeros(frames, np.int64),
        clip_id=name,
        clip_subject=name,
        clip_category=name,
        clip_split=np.array(["train"]),
        clip_leg=np.array([np.nan], np.float32),
        fps=30.0,
    )


def _steps() -> dict[str, Callable[[], object]]:
    """Each step repeated as often as in a batch, at the size of a crop."""
    from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH, ImageMix
    from hmr_ros.training.synthetic.images.clothing.drapes import clothes_template
    from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix, expose
    from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds
    from hmr_ros.training.synthetic.images.scene.figures import dressed
    from hmr_ros.training.synthetic.people import PeopleSampler

    body = load_body_model(models_dir() / "open_body.npz")
    people = PeopleSampler(_motion(), body, "coco_feet", ImageMix().people)
    template = clothes_template(body)
    vertices: Float32s = people.sample(np.random.default_rng(0), BATCH).vertices.astype(np.float32)
    backgrounds = Backgrounds(None)
    image = backgrounds.sample(np.random.default_rng(0), CROP_HEIGHT, CROP_WIDTH)

    def repeated(step: Callable[[np.random.Generator], object]) -> Callable[[], object]:
        def steps() -> None:
            rng = np.random.default_rng(0)
            for _ in range(BATCH):
                step(rng)

        return steps

    return {
        "bodies and cameras": lambda: people.sample(np.random.default_rng(0), BATCH),
        "clothes": lambda: dressed(vertices, template, np.random.default_rng(0)),
        "backgrounds": repeated(lambda rng: backgrounds.sample(rng, CROP_HEIGHT, CROP_WIDTH)),
        "sensor": repeated(lambda rng: expose(image, SensorMix(), rng)),
    }


def _rate(whole: Callable[[], object], rounds: int) -> float:
    """Images per second of processor time."""
    start = time.process_time()
    for _ in range(rounds):
        whole()
    return rounds * BATCH / (time.process_time() - start)
