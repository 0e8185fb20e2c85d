# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import platform
import re
from pathlib import Path

import pytest

from hmr_ros import __version__
from hmr_ros.core.metrics import Interval
from hmr_ros.results import report_file
from hmr_ros.results.report_file import report_text, write_report

GIVEN = {"command_line": "hmr evaluate net.json"}


def parsed(text: str) -> dict[str, object]:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_report_says_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report_file, "PACKAGES", ("numpy", "no-such-package"))
    net, photos = tmp_path / "net.json", [tmp_path / "1.png", tmp_path / "2.png"]
    for path in (net, *photos):
        path.write_text(path.name)
    given = GIVEN | {"model": net, "photos": photos, "directory": tmp_path, "absent": tmp_path / "none", "seed": 3}
    read = parsed(report_text(given, {"unit": "mm"}))
    assert list(read) == ["command", "date", "versions", "files", "unit"]
    assert read["command"] == "hmr evaluate net.json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(read["date"]))
    assert read["versions"].keys() == {"hmr_ros", "python", "numpy", "no-such-package"}
    assert read["versions"]["hmr_ros"] == __version__
    assert read["versions"]["python"] == platform.python_version()
    assert read["versions"]["no-such-package"] == "absent"
    assert read["files"] == {str(p): hashlib.sha256(p.name.encode()).hexdigest() for p in (net, *photos)}


def test_rows_are_lines_and_numbers_are_short():
    rows = [Interval(1 / 3, 0.0, float("nan")), Interval(2.0, 1.0, float("inf"))]
    text = report_text(
        GIVEN, {"rows": rows, "of": {"far": {"sizes": [1, 2], "worst": (1234567.8, 1e-7 / 3)}}, "none": []}
    )
    read = parsed(text)
    assert read["rows"] == [{"mean": 0.333333, "low": 0.0, "high": None}, {"mean": 2.0, "low": 1.0, "high": None}]
    assert read["of"] == {"far": {"sizes": [1, 2], "worst": [1234570.0, 3.33333e-08]}}
    assert read["none"] == []
    lines = text.splitlines()
    assert sum('"mean"' in line for line in lines) == 2
    assert '"sizes": [1, 2],' in lines


def test_a_report_is_written_whole_and_not_digested_itself(tmp_path: Path):
    path = tmp_path / "new" / "report.json"
    for made in (1, 2):
        write_report(path, GIVEN | {"json": path}, {"made": made})
        read = parsed(path.read_text())
        assert (read["made"], read["files"]) == (made, {})
    assert list(path.parent.iterdir()) == [path]
    write_report(None, {}, {})
