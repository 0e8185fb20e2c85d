# SPDX-License-Identifier: Apache-2.0
"""One training loop for every recipe: stages, running average, validation, checkpoints."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Generic

import torch
from numpy.random import default_rng
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from tqdm import tqdm

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import atomic_path, models_dir
from hmr_ros.training import recipes
from hmr_ros.training.checkpoint import Checkpoint, save_checkpoint
from hmr_ros.training.compiling import compile_network
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.datasets.motion import Motion, load_motion
from hmr_ros.training.device import moved, pins_memory, place
from hmr_ros.training.distributed import Loss, ProcessGroup
from hmr_ros.training.optimising import (
    learning_rate_fraction,
    make_optimiser,
    only_these_learn,
    optimise_parts,
    training_mode,
)
from hmr_ros.training.real.data_sets import DataSets
from hmr_ros.training.recipes import (
    AnyRecipe,
    Batch,
    Recipe,
    Source,
    make_recipe,
    needs_motion,
    stage_names,
    stage_number,
)
from hmr_ros.training.run_log import RunLog
from hmr_ros.training.stopping import StopRequest, stop_request

_CPU = torch.device("cpu")
_ALONE = ProcessGroup()


class SampleStream(IterableDataset[Batch], Generic[Source, Batch]):
    """The batches ``numbers`` of one stage; what is in batch n depends on the seed and n only, whoever makes it."""

    def __init__(
        self, recipe: Recipe[Source, Batch], sampler: Source, key: tuple[int, int], size: int, numbers: range
    ) -> None:
        super().__init__()
        self._recipe, self._sampler = recipe, sampler
        self._key, self._size, self._numbers = key, size, numbers

    def __iter__(self) -> Iterator[Batch]:
        """Yield this worker's fraction of the batches."""
        worker = get_worker_info()
        fraction = self._numbers[worker.id :: worker.num_workers] if worker else self._numbers
        for number in fraction:
            yield self._recipe.batch(self._sampler, default_rng((*self._key, number)), self._size)


class RunningAverage:
    """Exponential moving average of weights and statistics, usually more accurate than the last step's."""

    def __init__(self, state: Mapping[str, Tensor], decay: float, device: torch.device | None = None) -> None:
        """``device``: where to keep it (None: with ``state``)."""
        self.state = {name: value.detach().to(device, copy=True) for name, value in state.items()}
        self._decay = decay

    @torch.no_grad()
    def update(self, state: Mapping[str, Tensor], step: int) -> None:
        """Move towards ``state``; counters are copied. The first steps move farther, away from the initial weights."""
        decay = min(self._decay, (1 + step) / (10 + step))
        names = [name for name, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.state[n] for n in names], [state[n] for n in names], 1 - decay)
        for name in state.keys() - set(names):
            self.state[name].copy_(state[name])


class Trainer:
    """One run: the recipe, how far it has come, and its directory."""

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        resumed: Checkpoint | None = None,
        device: torch.device = _CPU,
        group: ProcessGroup = _ALONE,
    ) -> None:
        """``resumed``: where to go on; its weights and progress count, but ``config`` is what is followed."""
        self._config, self._out, self._group, self._device = config, out, group, device
        torch.manual_seed(config.run.seed)
        if config.run.threads:
            torch.set_num_threads(config.run.threads)
        body = load_body_model(Path(config.run.body) if config.run.body else models_dir() / "open_body.npz")
        if resumed and resumed.body_sha256 not in ("", body.sha256):
            raise ValueError("run.body: the run was trained on another body model; give another --out, or --restart")
        self._body_sha256 = body.sha256
        topology = resumed.topology if resumed else None
        motion = motion_of(config, body) if needs_motion(config) else None
        self._recipe: AnyRecipe = make_recipe(config, motion, body, topology)
        place(self._recipe.modules, device)
        if config.run.compile:
            compile_network(self._recipe.modules["network"], device)
        self._average = RunningAverage(self._recipe.modules.state_dict(), config.run.ema)
        self._resumed = resumed
        self._stage, self._step, self._best = 0, 0, math.inf
        self._report: Mapping[str, float] = {}
        if resumed:
            self._recipe.modules.load_state_dict(resumed.weights)
            self._report = resumed.validation
            self._average = RunningAverage(resumed.average, config.run.ema, device)
            self._stage, self._step, self._best = stage_number(resumed, config), resumed.step, resumed.best
        out.mkdir(parents=True, exist_ok=True)
        self._log = RunLog(out) if group.leads else None
        if group.leads:
            with atomic_path(out / "config.json") as temporary:
                temporary.write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n", encoding="utf-8")

    def train(self) -> signal.Signals | None:
        """Run the stages that are left, or until Ctrl-C or SIGTERM: that signal is returned, a checkpoint written.

        Of several processes none stops between steps, as the others would wait for it.
        """
        try:
            with stop_request() if self._group.size == 1 else nullcontext(StopRequest()) as stop:
                for number, name in enumerate(stage_names(self._config)):
                    if number < self._stage or stop:
                        continue
                    if number > self._stage:
                        self._stage, self._step, self._best, self._resumed = number, 0, math.inf, None
                    self._train_stage(name, stop)
            return stop.signal
        finally:
            if self._log:
                self._log.close()

    def _train_stage(self, name: str, stop: StopRequest) -> None:
        stage: StageConfig = getattr(self._config, name)
        trained = self._recipe.trained(name)
        only_these_learn(self._recipe.modules, trained)
        optimiser = make_optimiser(stage, trained)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: learning_rate_fraction(stage, step))
        if self._resumed and self._step:
            optimiser.load_state_dict(dict(self._resumed.optimiser))
            schedule.load_state_dict(dict(self._resumed.schedule))
        partly_used = (self._config.recipe, name) in recipes.PARTLY_USED
        loss = self._group.parallel(self._recipe.loss, self._recipe.modules, partly_used)
        validation = self._recipe.sampler("val", name)
        last = stage.steps
        with tqdm(
            total=last, initial=self._step, desc=name, dynamic_ncols=True, smoothing=0.05, disable=not self._group.leads
        ) as bar:
            batches = iter(self._batches(stage, name)) if self._step < last else iter(())
            while self._step < last:
                losses = self._losses(loss, batches, name, last)
                optimise_parts(losses, self._config.run.accumulate, optimiser, self._recipe.modules, stage.clip)
                schedule.step()
                self._step += 1
                if not self._log:  # the leading process alone averages, reports and writes
                    continue
                self._average.update(self._recipe.modules.state_dict(), self._step)
                bar.update()
                if self._step % self._config.run.log_every == 0:
                    bar.set_postfix_str(self._log.flush(name, self._step, float(schedule.get_last_lr()[0])))
                if self._step % self._config.run.validate_every == 0 or self._step == last:
                    report = self._validate(validation, name)
                    bar.write(f"{name} {self._step}: " + "  ".join(f"{k} {v:.1f}" for k, v in report.items()))
                    self._save(report, optimiser, schedule)
                elif stop:
                    save_checkpoint(self._checkpoint(optimiser, schedule), self._out / "last.pt")
                if stop:
                    bar.write(f"stopped after step {self._step}; the same command goes on from there")
                    return

    def _losses(self, loss: Loss, batches: Iterator[tuple[Tensor, ...]], name: str, last: int) -> Iterator[Tensor]:
        """The losses of one step, each computed when it is due, so that one batch at a time takes memory."""
        for batch in itertools.islice(batches, self._config.run.accumulate):
            terms = loss(moved(batch, self._recipe.modules), name, self._step / last)
            if self._log:
                self._log.add(terms)
            yield torch.stack(list(terms.values())).sum()

    def _batches(self, stage: StageConfig, name: str) -> DataLoader[tuple[Tensor, ...]]:
        sampler = self._recipe.sampler("train", name)
        key = (self._config.run.seed, self._stage)
        parts = self._config.run.accumulate
        numbers = self._group.fraction(range(parts * self._step, parts * stage.steps))
        stream = SampleStream(self._recipe, sampler, key, stage.batch_size, numbers)
        return DataLoader(
            stream,
            batch_size=None,
            num_workers=self._config.run.workers,
            worker_init_fn=_prepare_worker,
            pin_memory=pins_memory(self._device),
        )

    def _validate(self, sampler: object, name: str) -> dict[str, float]:
        """Errors of the averaged weights."""
        modules = self._recipe.modules
        live = {key: value.clone() for key, value in modules.state_dict().items()}
        modules.load_state_dict(self._average.state)
        report = self._recipe.validate(sampler, name)
        modules.load_state_dict(live)
        training_mode(modules)
        assert self._log is not None, "the leading process has a log"
        self._log.write({"stage": name, "step": self._step, "time": time.time(), "validation": report})
        return report

    def _save(self, report: dict[str, float], optimiser: torch.optim.Optimizer, schedule: LRScheduler) -> None:
        """Checkpoint; the smallest sum of all errors is the best."""
        total = sum(report.values())
        best = total < self._best
        self._best, self._report = min(total, self._best), report
        checkpoint = self._checkpoint(optimiser, schedule)
        save_checkpoint(checkpoint, self._out / "last.pt")
        if best:
            save_checkpoint(dataclasses.replace(checkpoint, optimiser={}, schedule={}), self._out / "best.pt")

    def _checkpoint(self, optimiser: torch.optim.Optimizer, schedule: LRScheduler) -> Checkpoint:
        """How far the run has come."""
        return Checkpoint(
            config=self._config,
            topology=self._recipe.topology,
            weights=self._recipe.modules.state_dict(),
            average=self._average.state,
            stage=self._stage,
            step=self._step,
            best=self._best,
            validation=self._report,
            optimiser=optimiser.state_dict(),
            schedule=schedule.state_dict(),
            body_sha256=self._body_sha256,
            stage_name=stage_names(self._config)[self._stage],
        )


def _prepare_worker(_worker: int) -> None:
    """Workers of samples each take one core, as the training itself needs the others, and end when it does."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def motion_of(config: TrainConfig, body: BodyModel) -> Motion:
    """The poses of the motion file, or those of the data sets where there is none. ValueError without either."""
    if not (config.run.motion or config.data.weights):
        raise ValueError("run.motion: set it to a motion file, or give a data set a weight in [data]")
    return load_motion(config.run.motion) if config.run.motion else DataSets(config.data, body).motion()
