"""``hmr train``: one loop for every recipe.

A run lives in a folder: ``config.json``, ``log.jsonl``, ``last.pt`` (to resume) and ``best.pt`` (averaged weights of the
best validation, to evaluate and export). Checkpoints are written to one side and then moved into place.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from numpy.random import default_rng
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from tqdm import tqdm

from hmr_ros.core.body_model import load_body_model
from hmr_ros.core.config import load_toml
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.recipes import Recipe, make_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hmr train``."""
    parser.add_argument("config", type=Path, help="settings, for example config/train/pose2mesh.toml")
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/<name of the config>)")
    parser.add_argument("--motion", help="motion file, instead of the config's run.motion")
    parser.add_argument("--restart", action="store_true", help="start anew even if the folder holds a run")


def run(args: argparse.Namespace) -> int:
    """Train, or go on where the run in the folder stopped."""
    config = load_toml(args.config, TrainConfig)
    if args.motion:
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, motion=args.motion))
    out = args.out or Path("runs") / args.config.stem
    Trainer(config, out, restart=args.restart).train()
    return 0


class SampleStream(IterableDataset):  # type: ignore[type-arg]
    """Batches of one stage from ``first`` on; batch n depends on the seed and n only, however many workers there are."""

    def __init__(
        self, recipe: Recipe, sampler: object, key: tuple[int, int], batch_size: int, first: int, last: int
    ) -> None:
        super().__init__()
        self._recipe, self._sampler = recipe, sampler
        self._key, self._batch_size, self._range = key, batch_size, range(first, last)

    def __iter__(self) -> Iterator[object]:
        """Yield the batches of this worker."""
        worker = get_worker_info()
        share = self._range if worker is None else self._range[worker.id :: worker.num_workers]
        for number in share:
            yield self._recipe.batch(self._sampler, default_rng((*self._key, number)), self._batch_size)


class Trainer:
    """One run: state, checkpoints, log."""

    def __init__(self, config: TrainConfig, out: Path, restart: bool = False) -> None:
        self._config, self._out = config, out
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.run.seed)
        if config.run.threads:
            torch.set_num_threads(config.run.threads)
        last = out / "last.pt"
        saved = torch.load(last, weights_only=False) if last.exists() and not restart else None
        motion = load_motion(config.run.motion)
        body = load_body_model(Path(config.run.body) if config.run.body else models_dir() / "open_body.npz")
        self._recipe = make_recipe(config, motion.select("train"), body, saved["topology"] if saved else None)
        self._modules = self._recipe.modules
        self._samplers = {split: self._recipe.sampler(motion.select(split)) for split in ("train", "val")}
        self._average = torch.optim.swa_utils.AveragedModel(
            self._modules, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.run.ema), use_buffers=True
        )
        self._stage, self._step, self._best = 0, 0, math.inf
        self._optimiser_state = None
        if saved:
            self._restore(saved)
        (out / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=1))

    def train(self) -> None:
        """Run the stages that are left."""
        for index in range(self._stage, len(self._recipe.stages)):
            self._train_stage(index)
            self._stage, self._step, self._best, self._optimiser_state = index + 1, 0, math.inf, None

    def _train_stage(self, index: int) -> None:
        name = self._recipe.stages[index]
        stage: StageConfig = getattr(self._config, name)
        optimiser = make_optimiser(stage, self._modules)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(stage, step))
        if self._optimiser_state:
            optimiser.load_state_dict(self._optimiser_state[0])
            schedule.load_state_dict(self._optimiser_state[1])
        self._stage = index
        bar = tqdm(total=stage.steps, initial=self._step, desc=name, dynamic_ncols=True)
        totals: dict[str, float] = {}
        for batch in self._batches(stage, index):
            terms = self._recipe.loss(batch, name)
            optimise(sum(terms.values()), optimiser, self._modules, stage.clip)
            schedule.step()
            self._average.update_parameters(self._modules)
            self._step += 1
            bar.update()
            for term, value in terms.items():
                totals[term] = totals.get(term, 0.0) + value.item()
            if self._step % self._config.run.log_every == 0:
                means = {term: total / self._config.run.log_every for term, total in totals.items()}
                bar.set_postfix({term: f"{value:.4f}" for term, value in means.items()})
                self._log({"stage": name, "step": self._step, **means, "rate": schedule.get_last_lr()[0]})
                totals = {}
            if self._step % self._config.run.validate_every == 0 or self._step == stage.steps:
                self._validate(name, bar)
                self._save("last.pt", (optimiser.state_dict(), schedule.state_dict()))
        bar.close()

    def _batches(self, stage: StageConfig, index: int) -> DataLoader:  # type: ignore[type-arg]
        stream = SampleStream(
            self._recipe,
            self._samplers["train"],
            (self._config.run.seed, index),
            stage.batch_size,
            self._step,
            stage.steps,
        )
        return DataLoader(stream, batch_size=None, num_workers=self._config.run.workers, worker_init_fn=_one_thread)

    def _validate(self, stage: str, bar: tqdm) -> None:  # type: ignore[type-arg]
        """Validate the averaged weights and keep the best (smallest sum of all errors)."""
        live = {k: v.clone() for k, v in self._modules.state_dict().items()}
        self._modules.load_state_dict(self._average.module.state_dict())
        report = self._recipe.validate(self._samplers["val"], stage)
        self._log({"stage": stage, "step": self._step, "validation": report})
        bar.write(f"{stage} {self._step}: " + "  ".join(f"{k} {v:.1f}" for k, v in report.items()))
        if (total := sum(report.values())) < self._best:
            self._best = total
            self._save("best.pt", None, report)
        self._modules.load_state_dict(live)

    def _log(self, row: dict[str, object]) -> None:
        with (self._out / "log.jsonl").open("a") as log:
            log.write(json.dumps({"time": time.time(), **row}) + "\n")

    def _save(self, name: str, optimiser_state: object, validation: object = None) -> None:
        state = {
            "config": self._config,
            "topology": self._recipe.topology,
            "modules": self._modules.state_dict(),
            "average": self._average.state_dict(),
            "progress": (self._stage, self._step, self._best),
            "optimiser": optimiser_state,
            "validation": validation,
        }
        partial = self._out / (name + ".part")
        torch.save(state, partial)
        os.replace(partial, self._out / name)

    def _restore(self, saved: dict[str, object]) -> None:
        self._modules.load_state_dict(saved["modules"])
        self._average.load_state_dict(saved["average"])
        self._stage, self._step, self._best = saved["progress"]
        self._optimiser_state = saved["optimiser"]


def make_optimiser(stage: StageConfig, modules: nn.Module) -> torch.optim.Optimizer:
    """The optimiser that ``stage`` asks for."""
    if stage.optimiser == "rmsprop":
        return torch.optim.RMSprop(modules.parameters(), lr=stage.learning_rate)
    return torch.optim.AdamW(modules.parameters(), lr=stage.learning_rate, weight_decay=stage.weight_decay)


def rate(stage: StageConfig, step: int) -> float:
    """Learning rate at ``step`` as a share of its highest."""
    warm = min(1.0, (step + 1) / max(1, stage.warmup))
    done = step / max(1, stage.steps)
    if stage.schedule == "multistep":
        return warm * stage.gamma ** sum(done >= milestone for milestone in stage.milestones)
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def optimise(loss: Tensor, optimiser: torch.optim.Optimizer, modules: nn.Module, clip: float) -> None:
    """One step down ``loss``; a loss that is no number ends the run before it spoils the weights."""
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss.item()}: lower the learning rate, or resume from last.pt")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if clip:
        nn.utils.clip_grad_norm_(modules.parameters(), clip)
    optimiser.step()


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)
