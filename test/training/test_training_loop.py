# SPDX-License-Identifier: Apache-2.0
"""The loop itself, with a recipe of a few numbers: quick, and exact to the bit."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from hmr_ros.core.settings import updated
from hmr_ros.training import optimising
from hmr_ros.training import trainer as loop
from hmr_ros.training.checkpoint import load_checkpoint, save_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.stopping import only_run, stop_request

SETTINGS = {
    "run.workers": 0,
    "run.log_every": 2,
    "run.validate_every": 3,
    "run.ema": 0.9,
    "lift.steps": 6,
    "lift.batch_size": 8,
    "lift.learning_rate": 0.05,
    "lift.warmup": 0,
    "lift.clip": 0.0,  # a clipped gradient of one number is the same whatever the data
    "mesh.clip": 0.0,
    "mesh.steps": 3,
    "mesh.batch_size": 8,
}


class Batch(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


class LineRecipe:
    """A line through noisy points; "lift" trains its slope, "mesh" its offset, too."""

    def __init__(self) -> None:
        self.topology = {"points": np.arange(3)}
        torch.manual_seed(0)
        self.slope, self.offset = nn.Linear(1, 1, bias=False), nn.Linear(1, 1)
        self.modules = nn.ModuleDict({"network": nn.ModuleDict({"slope": self.slope, "offset": self.offset})})
        self.validated: list[dict[str, torch.Tensor]] = []
        self.live: list[dict[str, torch.Tensor]] = []

    def trained(self, stage):
        return [(self.slope, 1.0)] if stage == "lift" else [(self.slope, 0.5), (self.offset, 1.0)]

    def sampler(self, split, stage):
        return split

    def batch(self, sampler, rng, count):
        x = torch.from_numpy(rng.normal(size=(count, 1)).astype(np.float32))
        return Batch(x, 3 * x + 1 + 0.1 * torch.from_numpy(rng.normal(size=(count, 1)).astype(np.float32)))

    def loss(self, batch, stage, progress):
        self.live.append(weights(self))
        return {"error": (self.slope(batch.x) + self.offset(torch.zeros_like(batch.x)) - batch.y).square().mean()}

    def validate(self, sampler, stage):
        assert sampler == "val"
        self.validated.append(weights(self))
        return {"mpjpe": float(len(self.validated) == 1)}  # the second validation is the best of its stage


def weights(recipe: LineRecipe) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in recipe.modules.state_dict().items()}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """-> a function that runs the loop in a directory, and returns its recipe."""
    monkeypatch.setattr(loop, "load_motion", lambda path: None)
    monkeypatch.setattr(loop, "load_body_model", lambda path: SimpleNamespace(sha256="0" * 64))

    def call(name: str = "run", resume: bool = False, **settings: object) -> LineRecipe:
        recipe = LineRecipe()
        monkeypatch.setattr(loop, "make_recipe", lambda *_: recipe)
        config = updated(TrainConfig(), SETTINGS | {key.replace("__", "."): value for key, value in settings.items()})
        resumed = load_checkpoint(tmp_path / name / "last.pt") if resume else None
        loop.Trainer(config, tmp_path / name, resumed).train()
        return recipe

    return call


def test_averaged_weights_are_validated_and_the_live_ones_trained_on(train, tmp_path):
    recipe = train(mesh__steps=0)
    rarely = train("rarely", mesh__steps=0, run__validate_every=100)
    assert len(recipe.validated) == 2
    for name, average in load_checkpoint(tmp_path / "run" / "last.pt").average.items():
        torch.testing.assert_close(recipe.validated[-1][name], average, atol=0, rtol=0)
    slope = "network.slope.weight"
    assert recipe.validated[0][slope] != recipe.live[3][slope], "the average lags behind"
    for often, seldom in zip(recipe.live, rarely.live, strict=True):
        assert often[slope] == seldom[slope], "a validation leaves no trace in the training"
    assert load_checkpoint(tmp_path / "run" / "last.pt").weights[slope] == weights(recipe)[slope]


def test_the_average_is_of_the_weights_after_every_step(train):
    recipe = train(lift__steps=3, mesh__steps=1, run__validate_every=3)
    average = loop.RunningAverage(recipe.live[0], SETTINGS["run.ema"])
    for step, after in enumerate(recipe.live[1:4], start=1):
        average.update(after, step)
    slope = "network.slope.weight"
    assert recipe.validated[0][slope] == average.state[slope]


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(train, tmp_path, monkeypatch):
    train("whole")
    original = loop.Trainer._save

    def save_then_die(self, *arguments):
        original(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "_save", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            train("broken")
    assert load_checkpoint(tmp_path / "broken" / "last.pt").step == 3
    train("broken", resume=True)
    whole, broken = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert (whole.stage, whole.step) == (broken.stage, broken.step) == (1, 3)
    for kind in ("weights", "average"):
        for name, value in getattr(whole, kind).items():
            assert torch.equal(getattr(broken, kind)[name], value), f"{kind} {name}"


def test_a_stage_trains_its_modules_only(train):
    recipe = train()
    first, last = recipe.live[0], recipe.live[6]
    assert first["network.slope.weight"] != last["network.slope.weight"]
    assert torch.equal(first["network.offset.bias"], last["network.offset.bias"])
    assert not torch.equal(recipe.live[-1]["network.offset.bias"], last["network.offset.bias"])


def test_the_best_checkpoint_is_that_of_the_smallest_validation(train, tmp_path):
    recipe = train(mesh__steps=0, lift__steps=9)
    best = load_checkpoint(tmp_path / "run" / "best.pt")
    assert (best.step, best.best, dict(best.validation)) == (6, 0.0, {"mpjpe": 0.0})
    assert load_checkpoint(tmp_path / "run" / "last.pt").step == 9
    assert torch.equal(best.average["network.slope.weight"], recipe.validated[1]["network.slope.weight"])
    assert not best.optimiser


def test_the_log_has_means_since_the_last_line(train, tmp_path):
    recipe = train(mesh__steps=0)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [2, 4, 6]
    assert [row["step"] for row in rows if "validation" in row] == [3, 6]
    assert recipe.topology.keys() == load_checkpoint(tmp_path / "run" / "last.pt").topology.keys()


def test_the_average_forgets_the_initial_weights_at_once():
    """Twenty steps at 1 leave nothing of the 0 it began with, which a fixed decay of 0.999 would keep."""
    average = loop.RunningAverage({"w": torch.zeros(())}, 0.999)
    history = []
    for step in range(1, 21):
        average.update({"w": torch.ones(())}, step)
        history.append(average.state["w"].item())
    assert history[0] > 0.8
    assert history[-1] > 0.999


def test_the_average_is_slow_in_the_end():
    average = loop.RunningAverage({"w": torch.zeros(())}, 0.999)
    average.update({"w": torch.ones(())}, 1_000_000)
    assert average.state["w"].item() == pytest.approx(0.001, rel=1e-3)


def test_the_learning_rate_rises_to_its_highest_and_no_further():
    stage = dataclasses.replace(TrainConfig().lift, steps=1000, warmup=10, schedule="multistep", milestones=(0.9,))
    rates = [optimising.learning_rate_fraction(stage, step) for step in range(20)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[10:] == [1.0] * 10


def test_gradients_are_clipped_to_the_largest_norm():
    layer = nn.Linear(1, 1, bias=False)
    before = layer.weight.item()
    optimising.optimise(1000 * layer.weight.sum(), torch.optim.SGD(layer.parameters(), lr=1.0), layer, 0.5)
    assert before - layer.weight.item() == pytest.approx(0.5, rel=1e-3)


def test_gradients_start_anew_with_every_step_and_small_ones_are_not_clipped():
    layer = nn.Linear(1, 1, bias=False)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    for clip in (0.0, 5.0):
        before = layer.weight.item()
        optimising.optimise(2 * layer.weight.sum(), optimiser, layer, clip)
        assert before - layer.weight.item() == pytest.approx(2, rel=1e-4)


def test_a_batch_depends_on_the_seed_the_stage_and_its_number_only():
    recipe = LineRecipe()

    def batches(key, numbers):
        return list(loop.SampleStream(recipe, "train", key, 5, numbers))

    whole = batches((3, 0), range(4))
    assert [len(batch.x) for batch in whole] == [5] * 4
    for actual, expected in zip(batches((3, 0), range(1, 4, 2)), whole[1::2], strict=True):
        assert torch.equal(actual.x, expected.x)
    for other in ((4, 0), (3, 1)):
        assert not torch.equal(batches(other, range(1))[0].x, whole[0].x)
    assert not torch.equal(whole[0].x, whole[1].x)


@pytest.mark.parametrize(("workers", "number", "taken"), [(3, 0, [0, 3, 6]), (3, 1, [1, 4]), (1, 0, list(range(7)))])
def test_workers_share_the_batches(monkeypatch, workers, number, taken):
    recipe = LineRecipe()
    monkeypatch.setattr(recipe, "batch", lambda sampler, rng, size: rng.bit_generator.seed_seq.entropy[-1])
    monkeypatch.setattr(loop, "get_worker_info", lambda: SimpleNamespace(id=number, num_workers=workers))
    assert list(loop.SampleStream(recipe, "train", (0, 0), 1, range(7))) == taken


def test_the_first_steps_of_the_average_follow_faster_than_its_decay():
    average = loop.RunningAverage({"w": torch.zeros(())}, 0.5)
    for step, expected in ((1, 9 / 11), (1000, 1 - (2 / 11) * 0.5)):
        average.update({"w": torch.ones(())}, step)
        assert average.state["w"].item() == pytest.approx(expected, rel=1e-5)


def test_a_run_keeps_its_settings_and_seeds_its_weights(train, tmp_path, monkeypatch):
    seeds, threads = [], []
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    train(run__seed=7, run__threads=3, lift__steps=0, mesh__steps=0)
    assert 7 in seeds
    assert threads == [3]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["seed"] == 7
    assert not (tmp_path / "run" / "last.pt").exists(), "a stage of no steps validates nothing"
    train("default", lift__steps=0, mesh__steps=0)
    assert threads == [3], "0 is PyTorch's own number"


def test_makers_of_samples_take_one_core_and_leave_ctrl_c_to_the_training(monkeypatch):
    threads, handlers = [], {}
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    loop._prepare_worker(5)
    assert threads == [1]
    assert handlers == {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_DFL}


def test_the_body_is_the_shipped_one_or_that_of_the_settings(train, monkeypatch):
    loaded = []
    train(lift__steps=0, mesh__steps=0)
    body = SimpleNamespace(sha256="0" * 64)
    monkeypatch.setattr(loop, "load_body_model", lambda path: loaded.append(path) or body)
    train(lift__steps=0, mesh__steps=0)
    train(lift__steps=0, mesh__steps=0, run__body="mine.npz")
    assert [path.name for path in loaded] == ["open_body.npz", "mine.npz"]


def test_a_step_averages_the_gradients_of_its_batches(train, tmp_path):
    """Two batches for each step: twice as many are drawn, and a resumed run draws those that are due."""
    whole = train("whole", mesh__steps=0, run__accumulate=2)
    assert len(whole.live) == 12, "six steps"
    slope = [step["network.slope.weight"] for step in whole.live]
    assert all(torch.equal(a, b) for a, b in zip(slope[::2], slope[1::2], strict=True)), "no step in between"
    train("broken", mesh__steps=0, lift__steps=3, run__accumulate=2)
    train("broken", resume=True, mesh__steps=0, lift__steps=6, run__accumulate=2)
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    losses = (factor * layer.weight.sum() for factor in (2.0, 4.0))
    optimising.optimise_parts(losses, 2, torch.optim.SGD(layer.parameters(), lr=0.1), layer, 0.0)
    assert layer.weight.item() == pytest.approx(1 - 0.1 * 3)


def test_a_frozen_normalisation_keeps_its_statistics_also_after_a_validation():
    modules = nn.ModuleList([nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), nn.BatchNorm1d(2), nn.Dropout()])
    optimising.only_these_learn(modules, [(modules[0], 0.0), (modules[1], 1.0)])
    x = torch.randn(8, 1, 4, 4)
    for _ in range(2):
        before = modules[0][1].running_mean.clone()
        moving = modules[1].running_mean.clone()
        modules[1](modules[0](x).mean((2, 3)))
        assert torch.equal(modules[0][1].running_mean, before)
        assert not torch.equal(modules[1].running_mean, moving)
        assert modules[2].training
        modules.eval()
        optimising.training_mode(modules)


def test_what_is_frozen_is_frozen_again_after_each_validation(train, monkeypatch):
    """A recipe puts all of its modules back into training mode."""
    frozen = []
    for module in (loop, optimising):
        monkeypatch.setattr(module, "training_mode", frozen.append)
    train(mesh__steps=0)
    assert len(frozen) == 4, "at the start of both stages and after two validations"


def test_a_run_goes_on_with_its_body_alone(train, tmp_path, monkeypatch):
    train(mesh__steps=0)
    assert load_checkpoint(tmp_path / "run" / "best.pt").body_sha256 == "0" * 64
    monkeypatch.setattr(loop, "load_body_model", lambda path: SimpleNamespace(sha256="1" * 64))
    with pytest.raises(ValueError, match=r"run\.body: the run was trained on another body model"):
        train(resume=True)


def test_a_stage_keeps_the_best_of_its_own_validations(train, tmp_path):
    """The second stage begins anew: its errors measure something else."""
    train(lift__steps=9, mesh__steps=3)
    assert load_checkpoint(tmp_path / "run" / "best.pt").stage == 1
    assert load_checkpoint(tmp_path / "run" / "last.pt").best == 0.0


def test_processes_that_do_not_lead_only_step(train, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.ProcessGroup, "parallel", lambda self, loss, modules, partly_used: loss)
    original = loop.Trainer

    def second(config, out, resumed):
        return original(config, out, resumed, group=loop.ProcessGroup(1, 2))

    monkeypatch.setattr(loop, "Trainer", second)
    recipe = train(mesh__steps=0)
    assert recipe.validated == []
    assert len(recipe.live) == 6
    assert list((tmp_path / "run").iterdir()) == []


def test_progress_counts_from_the_start_of_the_stage(train, monkeypatch):
    seen = []
    original = LineRecipe.loss
    monkeypatch.setattr(LineRecipe, "loss", lambda self, *of: seen.append(of[1:]) or original(self, *of))
    train(lift__steps=4, mesh__steps=2)
    assert seen == [("lift", 0.0), ("lift", 0.25), ("lift", 0.5), ("lift", 0.75), ("mesh", 0.0), ("mesh", 0.5)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_goes_on_later_as_if_it_had_not(train, tmp_path, number, capsys):
    train("whole", mesh__steps=0)
    before = signal.getsignal(number)
    original = LineRecipe.loss

    def loss(self, *arguments):
        if len(self.live) == 1:
            os.kill(os.getpid(), number)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LineRecipe, "loss", loss)
        recipe = train("stopped", mesh__steps=0)
    assert len(recipe.live) == 2, "the step during which the signal came is finished"
    assert "after step 2" in capsys.readouterr().out
    assert signal.getsignal(number) == before
    assert load_checkpoint(tmp_path / "stopped" / "last.pt").step == 2
    train("stopped", resume=True, mesh__steps=0)
    whole, stopped = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "stopped"))
    assert stopped.step == whole.step == 6
    for name, value in whole.weights.items():
        assert torch.equal(stopped.weights[name], value), name


def test_a_second_signal_interrupts_at_once():
    with stop_request() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_full_disk_is_told_and_the_last_checkpoint_kept(train, tmp_path, monkeypatch):
    train(mesh__steps=0)
    path = tmp_path / "run" / "last.pt"
    whole = path.read_bytes()

    def full(state, where):
        where.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"last\.pt: cannot be written, is the disk full"):
        save_checkpoint(load_checkpoint(path), path)
    assert path.read_bytes() == whole
    assert {p.name for p in path.parent.iterdir()} <= {"last.pt", "best.pt", "config.json", "log.jsonl", ".lock"}


def test_two_runs_do_not_share_a_directory(tmp_path):
    code = "import sys; from pathlib import Path; from hmr_ros.training.stopping import only_run"
    code += "; only_run(Path(sys.argv[1])).__enter__()"
    with only_run(tmp_path / "new"):
        pass
    with only_run(tmp_path):
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert other.returncode
    assert f"{tmp_path}: another `hmr train` runs in it" in other.stderr
    with only_run(tmp_path):
        pass


def test_a_file_is_no_directory_of_a_run(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ValueError, match=r"run: a file; --out is the directory"), only_run(tmp_path / "run"):
        pass
