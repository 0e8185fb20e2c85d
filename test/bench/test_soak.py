# SPDX-License-Identifier: Apache-2.0
"""The parts of ``make soak``; the whole of it for half a minute."""

import dataclasses
import importlib.util
import json
import math
import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec("hmr_ros.msg") is None:
    pytest.skip("needs ROS 2 and the built workspace", allow_module_level=True)

from hmr_ros.bench.soak.camera import broken
from hmr_ros.bench.soak.crowd_node import MarkDetector
from hmr_ros.bench.soak.curve import curve
from hmr_ros.bench.soak.events import EVENTS, OK, Event
from hmr_ros.bench.soak.scene import HEIGHT, LANES, WIDTH, drawn, marked_lanes
from hmr_ros.bench.soak.script import Outcome, problem
from hmr_ros.bench.soak.verdict import Ids, Sample, figures, goals, slope_per_hour
from hmr_ros.bench.soak.watch import Report
from hmr_ros.ros.input.images import BadImageError, decode_image
from hmr_ros.ros.wire.cdr import Stamp, write_image

pytestmark = pytest.mark.ros


def sample(minute, rss_mib=100.0, descriptors=18):
    return Sample(minute, rss_mib, descriptors, 18, 0.3, 30.0, 29.0, 10.0, 30.0, 5)


def report(message=OK, at_s=1.0, **values):
    return Report(at_s, 0 if message == OK else 1, message, values)


@pytest.mark.parametrize("lanes", [set(), {0}, {2, 3, 7}, set(range(LANES))])
def test_the_detector_finds_who_was_drawn(lanes):
    image = drawn(frozenset(lanes))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert set(marked_lanes(image)) == lanes
    assert len(MarkDetector().detect(image)) == len(lanes)


def test_broken_images_are_refused(rng):
    good = write_image(Stamp(1, 0), "camera", drawn(frozenset({1})), "rgb8")
    for _ in range(20):
        with pytest.raises(BadImageError):
            decode_image(broken(good, rng))


def test_a_slope_ignores_outliers():
    minutes = np.arange(60.0)
    memory = 100 + minutes / 60 * 2.0
    memory[::10] += 30
    assert slope_per_hour(minutes, memory) == pytest.approx(2.0, abs=0.2)
    assert np.isnan(slope_per_hour(minutes[:1], memory[:1]))


def test_memory_that_grows_at_the_start_alone_is_flat():
    measured = figures([sample(m, rss_mib=100 + min(m, 20.0)) for m in range(60)])
    assert measured["rss_mib per hour"] == pytest.approx(0)
    assert all(goals(measured, [], Ids(3, (), ()), 0).values())


@pytest.mark.parametrize(
    ("samples", "outcomes", "ids", "status"),
    [
        ([sample(m, rss_mib=100 + m / 30) for m in range(60)], [], Ids(3, (), ()), 0),
        ([sample(m, descriptors=18 + m // 4) for m in range(60)], [], Ids(3, (), ()), 0),
        ([sample(m) for m in range(60)], [Outcome("disabled", 1.0, "no diagnostics came")], Ids(3, (), ()), 0),
        ([sample(m) for m in range(60)], [], Ids(3, ("abcde",), ()), 0),
        ([sample(m) for m in range(60)], [], Ids(3, (), ("abcde",)), 0),
        ([sample(m) for m in range(60)], [], Ids(3, (), ()), -9),
    ],
    ids=["memory", "descriptors", "diagnostics", "ids", "left over", "status"],
)
def test_each_goal_can_be_missed(samples, outcomes, ids, status):
    assert list(goals(figures(samples), outcomes, ids, status).values()).count(False) == 1


def test_an_event_that_was_reported_and_overcome_is_right():
    event = Event("unplugged", 3.0, "no publisher of")
    assert problem(event, [report("no publisher of /image"), report()], 0) == ""


@pytest.mark.parametrize(
    ("event", "reports", "expected"),
    [
        (Event("any", 3.0, ""), [], "no diagnostics"),
        (Event("any", 3.0, ""), [report("disabled")], "not well"),
        (Event("quiet", 3.0, OK), [report("disabled"), report()], "diagnostics said"),
        (Event("told", 3.0, "not active"), [report("disabled"), report()], "did not say"),
        (Event("counted", 3.0, "", drops=True), [report(**{"dropped: short_data": "3"})], "not counted"),
    ],
    ids=["silence", "stays", "false alarm", "unreported", "uncounted"],
)
def test_what_is_wrong_with_an_event_is_said(event, reports, expected):
    assert expected in problem(event, reports, 3)


def test_the_names_of_events_are_unique():
    assert len({event.name for event in EVENTS}) == len(EVENTS)


def test_the_curve_is_an_svg_with_a_line_for_each_event():
    text = curve([sample(m) for m in range(10)], [Outcome("a", 1.0, ""), Outcome("b", 2.0, "wrong")])
    root = xml.etree.ElementTree.fromstring(text)
    lines = [element for element in root if element.tag.endswith("line") and not element.tag.endswith("polyline")]
    assert len(lines) == 4 * 2
    assert text.count("#e53935") == 4


def test_a_curve_has_a_gap_where_nothing_was_measured_and_a_round_axis():
    latency = [27.0, 30, math.nan, 28, math.nan, 29, 31]
    samples = [dataclasses.replace(sample(m), latency_p50_ms=value) for m, value in enumerate(latency)]
    root = xml.etree.ElementTree.fromstring(curve(samples, []))
    shapes = [e for e in root if e.get("stroke") == "#d81b60" or e.get("fill") == "#d81b60"]
    assert [e.tag.split("}")[1] for e in shapes] == ["polyline", "circle", "polyline"]
    assert [len(e.get("points").split()) for e in shapes[::2]] == [2, 2]
    assert "50" in [e.text for e in root]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs /proc")
def test_half_a_minute_of_it(tmp_path):
    command = [sys.executable, "-m", "hmr_ros.tools.soak", "--minutes", "0.6", "--out", str(tmp_path)]
    # Half a minute is too short for the slope of the memory, so the status may be 1.
    subprocess.run(command, check=False, env=dict(os.environ), timeout=150)
    found = json.loads((tmp_path / "soak.json").read_text())
    assert len(found["samples"]) >= 5
    assert found["goals"]["it ended with status 0"]
    assert found["goals"]["no id was used twice"]
    assert found["goals"]["all people were LOST in the end"]
    assert (tmp_path / "soak.svg").read_text().startswith("<svg")
