# SPDX-License-Identifier: Apache-2.0
"""Rendering by a plan, as shards on disk in several processes or on one sheet to look at."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import atomic_path, models_dir
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.synthetic.images import ImageBatch, ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import shard_path, write_shard
from hmr_ros.training.synthetic.images.shards.sheet import contact_sheet

PLAN_FILE = "render.json"
SHEET_SAMPLES = 40


@dataclass(frozen=True)
class Plan:
    """What is rendered: with the same plan, shard i is the same."""

    motion: str
    split: str
    joint_set: str
    seed: int
    shard_size: int
    mix: ImageMix

    def samples(self, shard: int, count: int) -> ImageBatch:
        """``count`` samples of a shard; another ``count`` draws others, as all people are drawn at once."""
        return _sampler(self).sample(np.random.default_rng([self.seed, shard]), count)


@dataclass(frozen=True)
class Job:
    """One shard to write."""

    plan: Plan
    directory: Path
    shard: int


def write_sheet(plan: Plan, path: Path) -> None:
    """Draw samples of shard 0 with their skeletons, ``path`` a .png."""
    if path.suffix != ".png":
        raise ValueError(f"--sheet {path}: expected a name that ends in .png")
    sheet = contact_sheet(plan.samples(0, SHEET_SAMPLES))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))[1].tobytes())
    print(f"{path}: {SHEET_SAMPLES} images; keypoints blue: visible, yellow: behind the body, red: hidden")


def write_shards(plan: Plan, directory: Path, count: int, workers: int) -> None:
    """Write the shards that ``directory`` lacks, ``count`` images in all (rounded up to whole shards).

    Several processes and machines may write into one directory: each leaves out what another one has written or begun.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _keep_plan(plan, directory / PLAN_FILE)
    shards = range(-(-count // plan.shard_size))
    jobs = [Job(plan, directory, shard) for shard in shards if not shard_path(directory, shard).exists()]
    with (
        _mapping(min(workers, len(jobs))) as mapped,
        tqdm(total=len(shards) * plan.shard_size, unit="image") as progress,
    ):
        progress.update((len(shards) - len(jobs)) * plan.shard_size)
        for _ in mapped(_render, jobs):
            progress.update(plan.shard_size)
    begun = sum(not shard_path(directory, shard).exists() for shard in shards)
    elsewhere = f", {begun} of which other processes are still writing" if begun else ""
    print(f"{directory}: {len(shards)} shards of {plan.shard_size} images{elsewhere}")


def _keep_plan(plan: Plan, path: Path) -> None:
    """Store the plan beside its shards; ValueError if they were made with another one."""
    settings = dataclasses.asdict(plan)
    text = json.dumps(settings, indent=1) + "\n"
    if path.exists() and (before := path.read_text(encoding="utf-8")) != text:
        stored = json.loads(before)
        other = ", ".join(name for name in settings if stored.get(name) != json.loads(text)[name])
        raise ValueError(f"{path}: the shards there were rendered with other settings ({other}); choose another --out")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Iterable[None]]]:
    """A ``map`` that runs in this process or in several others, results as they come."""
    if workers <= 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield pool.imap_unordered


def _render(job: Job) -> None:
    """Write a shard, unless another process does or did. The lock of a process that died is free."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    path = shard_path(job.directory, job.shard)
    lock = FileLock(path.with_name(f".{path.stem}.lock"), blocking=False)
    with contextlib.suppress(Timeout), lock:
        if not path.exists():
            write_shard(job.plan.samples(job.shard, job.plan.shard_size), path)
        Path(lock.lock_file).unlink(missing_ok=True)


@cache
def _sampler(plan: Plan) -> ImageSampler:
    """Made once per process: reading the motion takes seconds."""
    body = load_body_model(models_dir() / "open_body.npz")
    return ImageSampler(load_motion(plan.motion).select(plan.split), body, plan.joint_set, plan.mix)
