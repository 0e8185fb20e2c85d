# SPDX-License-Identifier: Apache-2.0
import argparse
import json

import pytest
import torch

from hmr_ros.commands.train import add_arguments, run
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.recipes import trained_network
from hmr_ros.training.trainer import RunningAverage, Trainer
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


def test_running_average():
    state = {"w": torch.zeros(2), "count": torch.tensor(1)}
    average = RunningAverage(state, 0.9)
    average.update({"w": torch.ones(2), "count": torch.tensor(5)}, step=1000)
    torch.testing.assert_close(average.state["w"], torch.full((2,), 0.1))
    assert average.state["count"] == 5
    assert (state["w"] == 0).all()


def test_shipped_configs_load():
    from pathlib import Path

    from hmr_ros.core.settings import load_toml

    for path in (Path(__file__).parents[2] / "config" / "train").glob("*.toml"):
        assert load_toml(path, TrainConfig).lift.steps > 0
