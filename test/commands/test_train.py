# SPDX-License-Identifier: Apache-2.0
import argparse
import dataclasses
import signal

import pytest
import torch

from hmr_ros.commands import train
from hmr_ros.core.settings import updated
from hmr_ros.training.checkpoint import Checkpoint, save_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.trainer import motion_of


@pytest.fixture
def command(tmp_path, monkeypatch):
    """-> a function that runs ``hmr train``, and returns its status and what the trainer was given."""
    made = []

    class NoTrainer:
        stopped_by = None

        def __init__(self, config, out, resumed, *more):
            made.append((config, resumed))

        def train(self):
            return self.stopped_by

    monkeypatch.setattr(train, "Trainer", NoTrainer)

    def call(*arguments, recipe="compact", stopped_by=None):
        NoTrainer.stopped_by = stopped_by
        (tmp_path / "my.toml").write_text(f"recipe = {recipe!r}\n[lift]\nsteps = 7\n")
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        status = train.run(parser.parse_args([str(tmp_path / "my.toml"), "--out", str(tmp_path / "run"), *arguments]))
        return status, *made[-1]

    return call


def checkpoint(**settings) -> Checkpoint:
    weights = {"network.a": torch.zeros(1)}
    config = updated(TrainConfig(), settings)
    return Checkpoint(config, {}, weights, weights, stage=0, step=3, best=1.0, validation={}, optimiser={}, schedule={})


def test_settings_of_the_command_line_count_more_than_the_file(command):
    status, config, resumed = command("--set", "lift.steps=9", "--set", "run.device=cpu", "--motion", "other.npz")
    assert (status, config.lift.steps, config.run.device, config.run.motion) == (0, 9, "cpu", "other.npz")
    assert resumed is None
    assert command()[1].lift.steps == 7
    with pytest.raises(ValueError, match=r"did you mean 'lift\.steps'"):
        command("--set", "lift.step=9")
    with pytest.raises(ValueError, match=r"'lift\.steps': expected NAME=VALUE"):
        command("--set", "lift.steps")


def test_a_run_goes_on_unless_it_is_restarted(command, tmp_path):
    (tmp_path / "run").mkdir()
    save_checkpoint(checkpoint(), tmp_path / "run" / "last.pt")
    assert command()[2].step == 3
    assert command("--restart")[2] is None


def test_a_new_run_starts_from_the_network_that_it_names(command, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "_new", lambda config: ("recipe", "body"))
    monkeypatch.setattr(train, "started", lambda *given: given)
    path, config, *new = command("--start", "a.json", "--set", "run.lifting=b.onnx")[2]
    assert (str(path), config.run.start, config.run.lifting, new) == ("a.json", "a.json", "", ["recipe", "body"])
    (tmp_path / "run").mkdir(exist_ok=True)
    save_checkpoint(checkpoint(), tmp_path / "run" / "last.pt")
    assert command("--start", "a.json")[2].step == 3, "a run that was stopped goes on"


def test_a_mean_of_runs_has_a_first_one(command):
    with pytest.raises(ValueError, match=r"run\.mean_with: give --start, the network that these runs started from"):
        command("--set", 'run.mean_with=["a.pt"]')


def test_a_run_of_another_network_is_not_gone_on_with(command, tmp_path):
    (tmp_path / "run").mkdir()
    save_checkpoint(checkpoint(), tmp_path / "run" / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt: a run of the recipe compact, not paper"):
        command(recipe="paper")
    with pytest.raises(ValueError, match=r"last\.pt: trained with width \d+, not 16"):
        command("--set", "compact.width=16")
    changed = dataclasses.replace(checkpoint(), step=4)
    save_checkpoint(changed, tmp_path / "run" / "last.pt")
    assert command("--set", "lift.steps=900")[2].step == 4, "longer stages are no other network"


def test_the_status_tells_which_signal_ended_the_run(command, capsys):
    assert command(stopped_by=signal.SIGTERM)[0] == 143
    assert "best weights" not in capsys.readouterr().out
    assert command()[0] == 0
    assert "best weights" in capsys.readouterr().out


def test_people_to_train_on_are_asked_for():
    with pytest.raises(ValueError, match=r"run\.motion: set it to a motion file, or give a data set a weight in"):
        motion_of(updated(TrainConfig(), {"run.motion": ""}), None)


def test_memory_is_told_without_training(tmp_path, capsys):
    (tmp_path / "my.toml").write_text('recipe = "hands"\n[hands]\nwidth = 16\nblocks = 1\n[lift]\nbatch_size = 512\n')
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    assert train.run(parser.parse_args([str(tmp_path / "my.toml"), "--out", str(tmp_path / "run"), "--memory"])) == 0
    told = capsys.readouterr().out
    assert told.startswith("lift: 0.00 GiB and 0.")
    assert "for batch_size = 512; largest batch: 8 GiB: " in told
    assert not (tmp_path / "run").exists()
