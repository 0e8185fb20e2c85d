# SPDX-License-Identifier: Apache-2.0
import argparse
import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from hmr_ros.commands.train import add_arguments, run
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training import trainer
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.recipes import trained_network
from hmr_ros.training.trainer import RunningAverage, Trainer, learning_rate_fraction, optimise
from test.training.datasets.test_motion import small_motion

SETTINGS = """
[run]
workers = 0
log_every = 1
validate_every = 2
validation_people = 8
[compact]
width = 16
blocks = 1
channels = 4
[lift]
steps = {lift}
batch_size = 4
[mesh]
steps = {mesh}
batch_size = 4
"""


@pytest.fixture
def command(tmp_path):
    """-> a function that runs ``hmr train`` in a directory of its own."""
    save_motion(small_motion(), tmp_path / "motion.npz")

    def train(name: str, lift: int, mesh: int, *more: str) -> int:
        config = tmp_path / "config.toml"
        config.write_text(SETTINGS.format(lift=lift, mesh=mesh))
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        motion = ["--motion", str(tmp_path / "motion.npz"), "--out", str(tmp_path / name)]
        return run(parser.parse_args([str(config), *motion, *more]))

    return train


@pytest.mark.slow
def test_a_run_from_start_to_network(command, tmp_path):
    assert command("run", 2, 2) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if "loss" in r] == [1, 2, 1, 2]
    assert {r["stage"] for r in rows if "validation" in r} == {"lift", "mesh"}
    assert not list((tmp_path / "run").glob("*.part"))

    body = load_body_model(models_dir() / "open_body.npz")
    network = trained_network(load_checkpoint(tmp_path / "run" / "best.pt"), body)
    vertices, joints, _ = network(torch.zeros(1, 21, 3), torch.zeros(1, 1))
    assert vertices.isfinite().all()
    assert joints.isfinite().all()


@pytest.mark.slow
def test_a_resumed_run_ends_where_an_unbroken_one_does(command, tmp_path, monkeypatch):
    command("whole", 4, 2)
    original, calls = Trainer._save, []

    def save_then_die(self, *arguments):
        original(self, *arguments)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        command("broken", 4, 2)
    command("broken", 4, 2)
    whole, broken = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert (whole.stage, whole.step) == (broken.stage, broken.step) == (1, 2)
    for name, value in whole.weights.items():
        torch.testing.assert_close(broken.weights[name], value, msg=name)


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "last.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"last\.pt: not a checkpoint of hmr train"):
        load_checkpoint(path)


def test_learning_rate_schedules():
    cosine = StageConfig(steps=100, warmup=10)
    assert learning_rate_fraction(cosine, 0) == pytest.approx(0.1)
    assert learning_rate_fraction(cosine, 50) == pytest.approx(0.5)
    assert learning_rate_fraction(cosine, 100) == pytest.approx(0)
    drops = StageConfig(steps=100, schedule="multistep", milestones=(0.5, 0.8), gamma=0.1, warmup=0)
    assert [learning_rate_fraction(drops, step) for step in (0, 50, 80)] == pytest.approx([1, 0.1, 0.01])


def test_running_average():
    state = {"w": torch.zeros(2), "count": torch.tensor(1)}
    average = RunningAverage(state, 0.9)
    average.update({"w": torch.ones(2), "count": torch.tensor(5)}, step=1000)
    torch.testing.assert_close(average.state["w"], torch.full((2,), 0.1))
    assert average.state["count"] == 5
    assert (state["w"] == 0).all()


def test_a_broken_loss_stops_before_it_spoils_the_weights():
    layer = torch.nn.Linear(1, 1)
    before = layer.weight.clone()
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    with pytest.raises(FloatingPointError, match="learning rate"):
        optimise(layer(torch.ones(1, 1)).sum() * math.nan, optimiser, layer, 1.0)
    torch.testing.assert_close(layer.weight, before)


def test_shipped_configs_load():
    from pathlib import Path

    from hmr_ros.core.settings import load_toml

    for path in (Path(__file__).parents[2] / "config" / "train").glob("*.toml"):
        assert load_toml(path, TrainConfig).lift.steps > 0


def stage(**changes: object):
    return dataclasses.replace(TrainConfig().lift, **changes)


def test_the_learning_rate_falls_as_asked():
    cosine = stage(steps=100, warmup=0)
    rates = [trainer.learning_rate_fraction(cosine, step) for step in (0, 25, 50, 75, 100, 150)]
    np.testing.assert_allclose(rates, [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0, 0], atol=1e-12)
    drops = stage(steps=100, schedule="multistep", milestones=(0.5, 0.8), gamma=0.3, warmup=0)
    rates = [trainer.learning_rate_fraction(drops, step) for step in (49, 50, 79, 80, 200)]
    np.testing.assert_allclose(rates, [1, 0.3, 0.3, 0.09, 0.09])
    assert trainer.learning_rate_fraction(stage(steps=0, warmup=0), 0) == 1, "a stage of no steps"


def test_a_stage_has_the_optimiser_it_asks_for_and_its_fractions_of_the_rate():
    slow, fast, frozen = nn.Linear(1, 1), nn.Linear(2, 1), nn.Linear(3, 1)
    trained = [(slow, 0.5), (fast, 1.0), (frozen, 0.0)]
    adamw = trainer.make_optimiser(stage(learning_rate=0.2, weight_decay=0.03), trained)
    assert isinstance(adamw, torch.optim.AdamW)
    assert [(group["lr"], group["weight_decay"]) for group in adamw.param_groups] == [(0.1, 0.03), (0.2, 0.03)]
    assert adamw.param_groups[0]["params"][0] is slow.weight
    rmsprop = trainer.make_optimiser(stage(optimiser="rmsprop"), trained)
    assert isinstance(rmsprop, torch.optim.RMSprop)


def test_only_what_has_a_learning_rate_learns():
    modules = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    trainer.only_these_learn(modules, [(modules[0], 1.0), (modules[1], 0.0)])
    assert [module.weight.requires_grad for module in modules] == [True, False, False]
    trainer.only_these_learn(modules, [(modules[2], 0.1)])
    assert [module.weight.requires_grad for module in modules] == [False, False, True]
