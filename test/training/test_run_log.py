# SPDX-License-Identifier: Apache-2.0
"""The log of a training run."""

import json
from pathlib import Path

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
