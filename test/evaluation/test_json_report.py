# SPDX-License-Identifier: Apache-2.0
"""Reports as JSON."""

import json

import pytest

from hmr_ros.core.metrics import Interval
from hmr_ros.evaluation.json_report import Report, write_json


def test_rows_are_lines_and_numbers_are_short(tmp_path):
    report = Report("model", "data", ["better"], [Interval(1 / 3, 0.0, float("nan")), Interval(2.0, 1.0, 3.0)])
    path = tmp_path / "new" / "report.json"
    write_json(report, path)
    read = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert read["rows"] == [{"mean": 0.3333, "low": 0.0, "high": None}, {"mean": 2.0, "low": 1.0, "high": 3.0}]
    assert (read["model"], read["verdicts"], read["forecasts"]) == ("model", ["better"], [])
    assert sum('"mean"' in line for line in path.read_text().splitlines()) == 2
