# SPDX-License-Identifier: Apache-2.0
"""The log of a training run."""

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from hmr_ros.training.run_log import RunLog


def test_losses_are_means_since_the_last_row(tmp_path: Path):
    log = RunLog(tmp_path)
    for value in (1.0, 2.0, 6.0):
        log.add({"mesh": torch.tensor(value), "edge": torch.tensor(2 * value)})
    assert log.flush("lift", 3, 0.1) == "mesh 3.0000 edge 6.0000"
    log.add({"mesh": torch.tensor(5.0)})
    assert log.flush("lift", 4, 0.1) == "mesh 5.0000"
    log.close()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["stage"], row["step"], row["rate"]) for row in rows] == [("lift", 3, 0.1), ("lift", 4, 0.1)]
    assert rows[0]["loss"] == pytest.approx({"mesh": 3.0, "edge": 6.0})


def test_a_resumed_run_goes_on_in_its_log(tmp_path: Path):
    for step in (1, 2):
        log = RunLog(tmp_path)
        log.write({"stage": "lift", "step": step})
        log.close()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_rows_have_the_time_and_numbers_become_scalars_of_their_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scalars, closed = [], []
    log = RunLog(tmp_path)
    log._events = SimpleNamespace(add_scalar=lambda *row: scalars.append(row), close=lambda: closed.append(1))
    monkeypatch.setattr(time, "time", lambda: 12.5)
    log.add({"mesh": torch.tensor(2.0)})
    log.flush("lift", 3, 0.1)
    log.write({"stage": "lift", "step": 4, "validation": {"mpjpe": 50.0}})
    log.close()
    first, second = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert first["time"] == 12.5
    assert second["validation"] == {"mpjpe": 50.0}
    assert scalars == [("lift/loss/mesh", 2.0, 3), ("lift/validation/mpjpe", 50.0, 4)]
    assert closed
    assert log._file.closed


def test_a_row_is_on_disk_as_soon_as_it_is_written(tmp_path: Path):
    log = RunLog(tmp_path)
    log.write({"stage": "lift", "step": 1})
    assert (tmp_path / "log.jsonl").read_text() == '{"stage": "lift", "step": 1}\n'
    log.close()


@pytest.mark.parametrize("installed", [True, False])
def test_events_are_written_where_tensorboard_is_installed(installed, tmp_path, monkeypatch):
    written = []
    stand_in = SimpleNamespace(SummaryWriter=lambda directory: written.append(directory) or SimpleNamespace(close=list))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: installed or None)
    RunLog(tmp_path).close()
    assert written == ([str(tmp_path)] if installed else [])
