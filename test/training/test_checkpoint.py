# SPDX-License-Identifier: Apache-2.0
"""Checkpoints come back as they were written, and what is none is named."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hmr_ros.training.config import TrainConfig


def checkpoint() -> Checkpoint:
    return Checkpoint(
        config=TrainConfig(recipe="paper"),
        topology={"faces": np.arange(6).reshape(2, 3)},
        weights={"net.a": torch.ones(2)},
        average={"net.a": torch.full((2,), 0.5), "network.a": torch.zeros(1), "net.b.net.c": torch.ones(1)},
        stage=1,
        step=20,
        best=0.25,
        validation={"mpjpe": 41.5},
        optimiser={"lr": 0.1},
        schedule={},
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path):
    path, written = tmp_path / "last.pt", checkpoint()
    save_checkpoint(written, path)
    read = load_checkpoint(path)
    assert read.config == written.config
    np.testing.assert_array_equal(read.topology["faces"], written.topology["faces"])
    assert torch.equal(read.weights["net.a"], torch.ones(2))
    assert torch.equal(read.average["net.a"], torch.full((2,), 0.5))
    assert (read.stage, read.step, read.best, read.validation) == (1, 20, 0.25, {"mpjpe": 41.5})
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"], "no half-written file is left"


def test_the_averaged_weights_of_a_module_are_named_as_the_module_names_them():
    assert set(checkpoint().averaged_weights("net")) == {"a", "b.net.c"}


def test_what_is_no_checkpoint_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"none\.pt: no such checkpoint; hmr train writes them"):
        load_checkpoint(tmp_path / "none.pt")
    (tmp_path / "damaged.pt").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ValueError, match=r"damaged\.pt: not a checkpoint of hmr train"):
        load_checkpoint(tmp_path / "damaged.pt")


def test_a_run_that_is_killed_while_it_writes_leaves_the_last_whole_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint(), path)
    before = path.read_bytes()

    def killed(state, partial):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(checkpoint(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_no_object_is_unpickled(tmp_path: Path):
    torch.save({"config": Path("anything")}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"evil\.pt: not a checkpoint of hmr train \(UnpicklingError\)"):
        load_checkpoint(tmp_path / "evil.pt")


def test_settings_that_are_no_more_are_named(tmp_path: Path, monkeypatch):
    save_checkpoint(checkpoint(), tmp_path / "old.pt")
    state = torch.load(tmp_path / "old.pt", weights_only=True)
    state["config"]["crops"]["lifting"] = "best.pt"
    torch.save(state, tmp_path / "old.pt")
    with pytest.raises(ValueError, match=r"old\.pt: written by another version of hmr train: .*crops\.lifting"):
        load_checkpoint(tmp_path / "old.pt")
