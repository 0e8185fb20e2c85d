# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys
import time
from types import ModuleType

import numpy as np
import pytest

from hmr_ros.bench import report
from hmr_ros.bench.protocol import Row
from hmr_ros.bench.timing import Timings, time_in_turns
from hmr_ros.cli import main
from hmr_ros.commands import bench

ROW: Row = {
    "settings": {"threads": 2},
    "medians_ms": {"slow": 30.0, "fast": 10.0},
    "figures": {"slow / fast": 3.0},
    "goals": {"at least 2 times faster": True},
}


@pytest.fixture
def fake(monkeypatch):
    """A bench named "fake" that returns ROW."""
    module = ModuleType("hmr_ros.bench.fake")
    module.run = lambda options: {**ROW, "settings": {"repeats": options.repeats}}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for user in (bench, report):
        monkeypatch.setattr(user, "BENCHES", {"fake": "something fake", "absent": "nothing"})
    return module


def test_prints_and_writes(fake, tmp_path, capsys):
    out = tmp_path / "new" / "bench.json"
    assert main(["bench", "fake", "--repeats", "7", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["benches"]["fake"] == {**ROW, "settings": {"repeats": 7}}
    assert report["machine"].keys() == {"cpu", "cores", "load_average_1min"}
    assert report["machine"]["cores"] == os.cpu_count()
    assert report["command"] == f"hmr bench fake --repeats 7 --out {out}"
    printed = capsys.readouterr().out
    assert "30.000 ms" in printed
    assert "met" in printed


def test_missed_goal_is_the_exit_status(fake, capsys):
    fake.run = lambda options: {**ROW, "goals": {"at least 5 times faster": False}}
    assert main(["bench", "fake"]) == 1
    assert "MISSED" in capsys.readouterr().out


def test_all_by_default_and_what_cannot_run_is_said(fake, capsys):
    assert main(["bench"]) == 0
    printed = capsys.readouterr().out
    assert "fake: something fake" in printed
    assert "absent: skipped" in printed


def test_unknown_bench_is_named(fake, capsys):
    assert main(["bench", "mash"]) == 1
    assert "no bench is named mash; there are fake, absent" in capsys.readouterr().err


def test_ratio_compares_within_rounds():
    """The machine is ten times slower in the second round; that concerns both alike."""
    timings = Timings(("slow", "fast"), np.array([[3.0, 1.0], [30.0, 10.0], [3.0, 1.0]]))
    assert timings.ratio("slow", "fast") == 3
    assert timings.medians_ms() == {"slow": 3000, "fast": 1000}


def test_calls_take_turns(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    order = []
    timings = time_in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=2)
    assert order == ["a"] * 3 + ["b"] * 3 + ["a", "b"] * 2
    assert timings.rounds.shape == (2, 2)
    assert (timings.rounds >= 0).all()
    with pytest.raises(ValueError, match="at least 1 repeat, got 0"):
        time_in_turns({}, repeats=0)


@pytest.mark.slow
def test_mesh_bench_runs(tmp_path):
    out = tmp_path / "bench.json"
    main(["bench", "mesh", "--repeats", "1", "--out", str(out)])
    row = json.loads(out.read_text())["benches"]["mesh"]
    assert row["goals"]["outputs differ by at most 1e-05 m"]
    assert set(row["medians_ms"]) >= {"plain", "deployed"}


def test_a_row_to_paste_is_of_the_node_on_this_machine(fake, monkeypatch, capsys):
    asked = []
    module = ModuleType("hmr_ros.bench.ros")
    module.run = lambda options: asked.append(options.preset) or {**ROW, "submission": ["30 (45), 30 Hz", "1.0 (2.0)"]}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(report, "BENCHES", {"ros": "the node"})
    assert main(["bench", "--submit", "--preset", "fast"]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["30 (45), 30 Hz", "1.0 (2.0)"]
    assert len(cells) == 4
    assert "cores; load" in cells[0]
    assert "onnxruntime" in cells[3]
    assert asked == ["fast"]
