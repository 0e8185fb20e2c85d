# SPDX-License-Identifier: Apache-2.0
"""The budget max_latency_ms, from the parameter to what is published. The policy itself: test/core."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBodyArray
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray
from visualization_msgs.msg import Marker

from hmr_ros.core.temporal import overrun
from hmr_ros.core.temporal.histogram import BOUNDS_MS, Counts
from hmr_ros.core.temporal.shedding import Admission, Costs, Shed
from hmr_ros.ros.node import latency as module
from hmr_ros.ros.node.latency import LatencyBudget, histogram_message
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


def test_late_bodies_are_published_again_where_the_limit_cannot_be_kept(world, monkeypatch):
    """Bodies are published now and then at first, as long as no duration is known."""
    monkeypatch.setattr(overrun, "SILENCE_S", 1.0)
    w = world(max_latency_ms=20.0)
    estimate = w.estimator.estimate

    def slowly(*args):
        time.sleep(0.05)
        return estimate(*args)

    monkeypatch.setattr(w.estimator, "estimate", slowly)
    assert w.node.start()
    w.show_until(lambda: w.reported("latency limit") == "not kept: late bodies are published")
    count = len(w.received["bodies"])
    w.show(count=count + 10)
    stamps = [message.header.stamp for message in w.received["bodies"]]
    assert len({(stamp.sec, stamp.nanosec) for stamp in stamps}) == len(stamps)

    w.node.set_parameters([Parameter("max_latency_ms", value=5000.0)])
    w.show_until(lambda: w.node.monitor.last_processed().latency_problem == "")


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


@pytest.fixture
def budget(monkeypatch):
    """A budget whose publisher, subscribers and clock are set by hand."""
    sent, destroyed = [], []
    publisher = SimpleNamespace(publish=sent.append)

    def create(kind, topic, qos):
        assert (kind, topic, qos.depth) == (Float64MultiArray, "~/latency", 1)
        return publisher

    monkeypatch.setattr(
        module, "PublisherFactory", lambda node: SimpleNamespace(create=create, destroy=destroyed.append)
    )
    now_s, subscribed = [50.0], [True]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(module, "has_subscribers", lambda of: of is publisher and subscribed[0])
    budget = LatencyBudget(None)
    budget.sent, budget.destroyed, budget.now_s, budget.subscribed = sent, destroyed, now_s, subscribed
    budget.publisher = publisher
    return budget


COSTS = Costs(detect_s=0.03, estimate_s=0.005, views_s=0.01, rest_s=0.002)


def test_the_limit_is_in_milliseconds_and_what_was_learnt_counts(budget):
    assert budget.admit(0.0, 0.01, 50.0) == Admission(True, Shed.NOTHING, 0.01)
    budget.done(0.0, Shed.NOTHING, COSTS, 0.057)
    assert budget.admit(0.1, 0.01, 0.0).shed is Shed.NOTHING
    assert budget.admit(0.1, 0.01, 60.0).shed is Shed.NOTHING
    assert budget.admit(0.2, 0.01, 50.0).shed is Shed.VIEWS
    assert not budget.admit(0.3, 0.2, 50.0).is_admitted


def test_latencies_are_published_once_a_second_where_they_are_subscribed(budget):
    def done(after_s, latency_s=0.004):
        budget.now_s[0] = 50.0 + after_s
        budget.done(after_s, Shed.NOTHING, COSTS, latency_s)
        return len(budget.sent)

    assert [done(0.0), done(0.99), done(1.01), done(1.5), done(2.0), done(2.02)] == [0, 0, 1, 1, 1, 2]
    budget.subscribed[0] = False
    assert done(9.0, 2.0) == 2
    budget.subscribed[0] = True
    assert done(9.1) == 3
    rows = np.reshape(budget.sent[-1].data, (3, -1))
    bucket = BOUNDS_MS.index(5)
    assert rows[1:, bucket].tolist() == [7, 1]
    assert rows[1:, -1].tolist() == [1, 1]
    assert rows[1:].sum() == 10
    budget.close()
    assert budget.destroyed == [budget.publisher]


def test_the_layout_of_the_histogram_is_that_of_its_rows():
    total = np.arange(len(BOUNDS_MS) + 1)
    message = histogram_message(Counts(total, total // 2))
    rows, buckets = message.layout.dim
    assert (rows.label, buckets.label) == ("upper bound [ms], images, images since the last message", "bucket")
    assert (rows.size, buckets.size, rows.stride, buckets.stride) == (3, len(total), 3 * len(total), len(total))
    data = np.reshape(message.data, (rows.size, buckets.stride))
    assert np.array_equal(data, [[*BOUNDS_MS, np.finfo(float).max], total, total // 2])
