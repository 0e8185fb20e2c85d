# SPDX-License-Identifier: Apache-2.0
"""Reports of `hmr evaluate` as JSON."""

import json
from pathlib import Path

from hmr_ros.core.metrics import Interval
from hmr_ros.evaluation.json_report import Report, write_json


def test_a_report_has_its_unit_and_tables(tmp_path: Path):
    path = tmp_path / "report.json"
    write_json(path, {"command_line": "hmr evaluate"}, Report("model", "data", ["better"], [Interval(2.0, 1.0, 3.0)]))
    read = json.loads(path.read_text())
    assert read["unit"].startswith("mm; ")
    assert (read["model"], read["data"], read["verdicts"], read["forecasts"]) == ("model", "data", ["better"], [])
    assert read["rows"] == [{"mean": 2.0, "low": 1.0, "high": 3.0}]
