# SPDX-License-Identifier: Apache-2.0
"""The budget max_latency_ms, from the parameter to what is published. The policy itself: test/core."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBodyArray
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray
from visualization_msgs.msg import Marker

from hmr_ros.core.temporal.histogram import BOUNDS_MS
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.ros.output.outputs import Outputs
from test.ros.world import World

LONG_S = 0.3
"""Much longer than everything else takes, on a busy machine, too."""


@pytest.fixture
def world(executor, closing):
    def make(**parameters):
        w = closing(World, executor, **parameters)
        w.subscribe(SmplBodyArray, "bodies")
        w.subscribe(DiagnosticArray, "/diagnostics")
        return w

    return make


def slow(monkeypatch, owner, name):
    """Let a method take LONG_S; returns the times of its calls."""
    quick, calls = getattr(owner, name), []

    def slowly(*args):
        calls.append(time.monotonic())
        time.sleep(LONG_S)
        return quick(*args)

    monkeypatch.setattr(owner, name, slowly)
    return calls


def recorded_levels(monkeypatch, estimator):
    """What was shed of each image."""
    estimate, levels = estimator.estimate, []

    def recording(image, detections, camera, shed):
        levels.append(shed)
        return estimate(image, detections, camera, shed)

    monkeypatch.setattr(estimator, "estimate", recording)
    return levels


def test_images_that_would_be_late_are_dropped_and_counted(world, monkeypatch):
    w = world(max_latency_ms=LONG_S * 500)
    slow(monkeypatch, w.estimator, "estimate")
    assert w.node.start()
    w.show_until(lambda: int(w.reported("dropped: would_be_late") or 0) >= 3)

    w.node.set_parameters([Parameter("max_latency_ms", value=0.0)])
    before = w.node.monitor.drops()["would_be_late"]
    w.show(count=len(w.received["bodies"]) + 5)
    assert w.node.monitor.drops()["would_be_late"] <= before + 1, "one may have been evaluated already"


def test_views_are_shed_first_and_diagnostics_report_it(world, monkeypatch):
    drawn = slow(monkeypatch, Outputs, "publish_views")
    w = world(max_latency_ms=LONG_S * 900)
    levels = recorded_levels(monkeypatch, w.estimator)
    w.subscribe(Marker, "mesh")
    assert w.node.start()
    w.show_until(lambda: w.reported("work shed") == "views")
    assert Shed.VIEWS in levels
    assert len(drawn) < len(levels)
    count = len(w.received["bodies"])
    w.show(count=count + 5)


def test_nothing_is_shed_at_first_after_the_node_was_stopped(world, monkeypatch):
    w = world(max_latency_ms=LONG_S * 500)
    slow(monkeypatch, w.estimator, "estimate")
    levels = recorded_levels(monkeypatch, w.estimator)
    assert w.node.start()
    w.show_until(lambda: Shed.SEARCHES in levels)
    w.node.trigger_deactivate()
    count = len(levels)
    w.node.trigger_activate()
    w.show_until(lambda: len(levels) > count)
    assert levels[count] == Shed.NOTHING


def test_latencies_are_published_as_a_histogram(world):
    w = world()
    w.subscribe(Float64MultiArray, "hmr/latency")
    assert w.node.start()
    w.show_calibrated()
    w.show(until="hmr/latency", count=2)
    for message in w.received["hmr/latency"]:
        rows, buckets = message.layout.dim
        assert rows.label == "upper bound [ms], images, images since the last message"
        assert (rows.size, rows.stride, buckets.size) == (3, len(message.data), len(BOUNDS_MS) + 1)
    first, second = (np.array(m.data).reshape(3, -1) for m in w.received["hmr/latency"][:2])
    assert first[0].tolist() == [*BOUNDS_MS, np.finfo(np.float64).max]
    assert second[1].sum() > first[1].sum() > 0
    assert np.array_equal(second[1] - first[1], second[2])
