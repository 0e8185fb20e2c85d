# SPDX-License-Identifier: Apache-2.0
import importlib.util
import re
from html.parser import HTMLParser

import pytest

from hmr_ros.recording.tally import Summary
from hmr_ros.running.many.outcome import Outcome, Row, Status
from hmr_ros.running.many.report import COLUMNS, summary_lines, totals, write


def done(status, images, **more):
    summary = Summary(images, 1, 2 * images, 2, interrupted=False, footage_s=3600.0, person_s=5400.0)
    return Outcome(status, "c", "clip-0123456789abcdef", summary=summary, cpu_s=2.0, wall_s=3.0, **more)


ROWS = [
    Row("/in/<clip>.avi", "video", done(Status.DONE, 40, problems=("a & b",)), 1),
    Row("/in/old.mcap", "recording", done(Status.FOUND, 10)),
    Row("/in/text.mp4", "video", Outcome(Status.FAILED, reason="not a <video>", cpu_s=1.0), 2),
    Row("/in/late.mp4", "video", Outcome(Status.INTERRUPTED)),
]


def test_totals_are_of_all_results_and_speed_is_of_this_call():
    sums = totals(ROWS, 10.0)
    assert sums.counts == {Status.DONE: 1, Status.FOUND: 1, Status.FAILED: 1, Status.INTERRUPTED: 1}
    assert (sums.images, sums.unreadable, sums.people) == (50, 2, 4)
    assert (sums.footage_s, sums.person_s) == (7200.0, 10800.0)
    assert (sums.new_images, sums.cpu_s, sums.images_per_s) == (40, 3.0, 4.0)
    lines = dict(summary_lines(sums))
    assert lines["inputs"] == "1 done, 1 done before, 1 failed, 1 interrupted"
    assert lines["person-hours"] == "3.00 h"
    assert lines["CPU time"] == "75 ms per image"
    assert "speed" not in dict(summary_lines(totals(ROWS[1:], 10.0)))


class Text(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_else_and_shows_names_as_they_are(tmp_path):
    page = Text(write(ROWS, 10.0, tmp_path)[0].read_text())
    assert set(page.links) == {"clip-0123456789abcdef/"}
    assert not {"script", "clip", "video", "link", "img"} & set(page.tags)
    for words in ("/in/<clip>.avi", "a & b", "not a <video>", "3.00 h", "Bodies in 4 inputs"):
        assert words in page.text
    failures = re.search("Failures(.*)All", page.text, re.DOTALL)[1]
    assert "text.mp4" in failures
    assert "late.mp4" in failures
    assert "old.mcap" not in failures


def test_the_table_has_the_types_that_it_says(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert [path.name for path in write(ROWS, 10.0, tmp_path)] == ["report.html", "report.parquet"]
    table = parquet.read_table(tmp_path / "report.parquet")
    assert {field.name: str(field.type).replace("double", "float64") for field in table.schema} == {
        name: kind for name, (kind, _) in COLUMNS.items()
    }
    first, *_, last = table.to_pylist()
    assert (first["input"], first["person_s"], first["attempts"]) == ("/in/<clip>.avi", 5400.0, 1)
    assert (last["status"], last["result"], last["images"]) == ("interrupted", "", 0)


def test_without_pyarrow_there_is_the_page_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert [path.name for path in write([], 0.0, tmp_path)] == ["report.html"]
