# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics is told of the last seconds."""

import dataclasses
import itertools

import numpy as np
import pytest

from hmr_ros.core.people import Bodies, Detections
from hmr_ros.perception.pipeline import Timings
from hmr_ros.ros import monitor as module
from hmr_ros.ros.monitor import WINDOW_S, Disagreement, Monitor, Processed, known_median


@pytest.fixture
def clock(monkeypatch):
    """The time s that the monitor sees, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def processed(at_s: float, mean_m: float = np.nan) -> Processed:
    count = len(dataclasses.fields(Timings))
    return Processed(at_s, 0.05, Timings(*itertools.repeat(0.01, count)), 0.002, 1, 1, Disagreement(mean_m, mean_m))


def test_before_the_first_image_nothing_is_recent():
    recent = Monitor().recent()
    assert (recent.received, recent.processed, dict(recent.drops)) == (0, (), {})
    assert np.isnan(recent.disagreement_m)
    assert Monitor().last_received_s() == float("-inf")
    assert Monitor().last_processed() is None


def test_only_the_last_seconds_count_and_drops_count_from_the_start(clock):
    monitor = Monitor()
    for at_s in (100.0, 103.0, 104.0):
        clock[0] = at_s
        monitor.receive()
        monitor.process(processed(at_s))
        monitor.drop("too_old")
    clock[0] = 103.5 + WINDOW_S
    recent = monitor.recent()
    assert recent.received == 1
    assert [p.at_s for p in recent.processed] == [104.0]
    assert recent.drops == monitor.drops() == {"too_old": 3}
    assert monitor.received_count == 3


def test_the_edge_of_the_window_is_in_it(clock):
    monitor = Monitor()
    monitor.receive()
    monitor.process(processed(100.0))
    clock[0] = 100.0 + WINDOW_S
    assert (monitor.recent().received, len(monitor.recent().processed)) == (1, 1)


def test_an_explained_drop_is_remembered_for_a_while(clock):
    monitor = Monitor()
    clock[0] = 100.0
    monitor.drop("no_stamp", "it is 0")
    monitor.drop("rate_limit")
    assert str(monitor.last_explained()) == "images are dropped (no_stamp): it is 0"
    clock[0] = 100.1 + WINDOW_S
    assert monitor.last_explained() is None


def test_the_time_of_the_last_image_is_kept_however_long_ago(clock):
    monitor = Monitor()
    monitor.receive()
    monitor.process(processed(100.0))
    clock[0] = 1000.0
    assert (monitor.recent().received, monitor.recent().processed) == (0, ())
    last = monitor.last_processed()
    assert last is not None
    assert monitor.last_received_s() == last.at_s == 100.0


def test_disagreement_is_about_the_person_that_is_worst():
    bodies = Bodies.without_geometry(Detections.empty("coco17"), 10)
    assert np.isnan(Disagreement.about(bodies).mean_m)
    three = Bodies.without_geometry(
        Detections(np.zeros((3, 4)), np.ones(3), np.zeros((3, 17, 2)), np.zeros((3, 17)), "coco17", np.arange(3)), 10
    )
    apart = np.full((3, 24), 0.02)
    apart[0, 5] = 0.3
    apart[1] = 0.1
    apart[2, 0] = np.nan
    assert Disagreement.about(dataclasses.replace(three, disagreement=apart)) == Disagreement(
        pytest.approx(0.1), pytest.approx(0.1)
    )
    apart[0, 5] = 3.0
    worst = Disagreement.about(dataclasses.replace(three, disagreement=apart))
    assert worst.largest_m == pytest.approx(3.0)
    assert worst.mean_m == pytest.approx((3.0 + 23 * 0.02) / 24)


def test_the_median_is_of_what_is_known():
    assert known_median([np.nan, 1.0, 5.0, np.inf, 2.0]) == 2.0
    assert np.isnan(known_median([np.nan]))


def test_drops_without_words_are_counted_but_explain_nothing(clock):
    monitor = Monitor()
    monitor.drop("rate_limit")
    assert monitor.last_explained() is None
    monitor.drop("no_stamp", "it is 0")
    clock[0] += 1.0
    monitor.drop("too_old", "it is old")
    last = monitor.last_explained()
    assert (last.at_s, last.reason, last.explanation) == (101.0, "too_old", "it is old")
    assert monitor.drops() == {"rate_limit": 1, "no_stamp": 1, "too_old": 1}
    clock[0] = 101.0 + WINDOW_S
    assert monitor.last_explained() is last


def test_what_is_older_is_forgotten_but_for_the_last_image_that_came(clock):
    monitor = Monitor()
    for at_s in (100.0, 101.0, 102.0):
        clock[0] = at_s
        monitor.receive()
        monitor.process(processed(at_s))
    clock[0] = 200.0
    assert monitor.recent().received == 0
    assert (list(monitor._received), list(monitor._processed)) == ([102.0], [])
    assert monitor.received_count == 3
    assert monitor.last_received_s() == 102.0


def test_a_monitor_keeps_no_more_than_a_window_of_a_fast_camera(clock):
    monitor = Monitor()
    for _ in range(2500):
        monitor.receive()
    assert monitor.recent().received >= 120 * WINDOW_S
    assert len(monitor._received) < 2500
    assert monitor.received_count == 2500
