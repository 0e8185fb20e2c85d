# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel's training on this machine: rates of drawing samples and of training steps on one thread, and memory.

No images are read from disk and weights are random, which does not change the times. Motion is synthetic, too: standing
people with small random rotations of all joints.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.bench.timing import time_in_turns
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir

if TYPE_CHECKING:
    from hmr_ros.training.datasets.motion import Motion
    from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe

BATCH = 16
STAGES = ("local", "images")


def run(options: Options) -> Row:
    """Time batches and steps of both stages in turns."""
    import torch

    from hmr_ros.training.config import TrainConfig
    from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe

    torch.set_num_threads(1)
    torch.manual_seed(0)
    body = load_body_model(models_dir() / "open_body.npz")
    recipe = GlobalToPixelRecipe(TrainConfig(recipe="global_to_pixel"), standing_people(), body, None)
    calls: dict[str, Callable[[], object]] = {}
    for stage in STAGES:
        calls |= _calls(recipe, stage)
    timings = time_in_turns(calls, options.repeats)
    medians = {name: value / BATCH for name, value in timings.medians_ms().items()}
    figures = {f"{name}, samples/s": 1000 / value for name, value in medians.items()}
    figures["peak memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["step / batch with images"] = timings.ratio("step images", "batch images")
    return {
        "settings": {"threads": 1, "repeats": options.repeats, "batch": BATCH, "parameters": _parameters(recipe)},
        "medians_ms": {f"{name}, per sample": value for name, value in medians.items()},
        "figures": figures,
        "goals": {},
    }


def _calls(recipe: GlobalToPixelRecipe, stage: str) -> dict[str, Callable[[], object]]:
    """Drawing a batch of ``stage``, and a training step on it."""
    import torch

    from hmr_ros.training.config import StageConfig
    from hmr_ros.training.optimising import make_optimiser, only_these_learn, optimise

    sampler, rng = recipe.sampler("train", stage), np.random.default_rng(0)
    batch = recipe.batch(sampler, rng, BATCH)
    trained = recipe.trained(stage)
    optimiser = make_optimiser(StageConfig(), trained)

    def step() -> None:
        only_these_learn(recipe.modules, trained)
        loss = torch.stack(list(recipe.loss(batch, stage, 0.0).values())).sum()
        optimise(loss, optimiser, recipe.modules, clip=1.0)

    return {f"batch {stage}": lambda: recipe.batch(sampler, rng, BATCH), f"step {stage}": step}


def _parameters(recipe: GlobalToPixelRecipe) -> int:
    return sum(parameter.numel() for parameter in recipe.modules["network"].parameters())


def standing_people(frames: int = 200) -> Motion:
    """Upright people of two subjects, one for training and one for validation, every joint slightly rotated."""
    from hmr_ros.training.datasets.motion import Motion

    pose = np.random.default_rng(0).normal(0, 0.15, (frames, 24, 3)).astype(np.float32)
    clip = np.arange(frames) * 2 // frames
    names = np.array(["train", "val"])
    return Motion(
        pose=pose,
        trans=np.zeros((frames, 3), np.float32),
        clip=clip,
        clip_id=names,
        clip_subject=names,
        clip_category=np.array(["stand", "stand"]),
        clip_split=names,
        clip_leg=np.full(2, np.nan, np.float32),
        fps=30.0,
    )
