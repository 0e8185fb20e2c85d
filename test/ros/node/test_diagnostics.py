# SPDX-License-Identifier: Apache-2.0
import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from hmr_ros.engines.switching import EngineState
from hmr_ros.perception.pipeline import Timings
from hmr_ros.ros.input.images import BadImageReason
from hmr_ros.ros.monitor import Disagreement, Drop, Monitor, Processed
from hmr_ros.ros.node.diagnostics import OVERHEAD, Health, bodies_status, connections_status, engines_status
from test.ros.stubs import some_bodies


def values(status):
    return {pair.key: pair.value for pair in status.values}


def report_of(monitor):
    return values(bodies_status("hmr: bodies", "hmr", Health(), monitor.recent()))


def test_a_working_node_reports_rates_latencies_and_people():
    monitor = Monitor()
    for latency_ms in range(1, 101):
        monitor.receive()
        timings = Timings(detect_s=0.02, estimate_s=0.005)
        monitor.process(Processed(time.monotonic(), latency_ms * 1e-3, timings, overhead_s=0.003, people=3, metric=2))
    status = bodies_status("hmr: bodies", "hmr", Health(), monitor.recent())
    assert status.level == DiagnosticStatus.OK
    report = values(status)
    assert report["images received [Hz]"] == report["images processed [Hz]"] == "20.0"  # 100 within the window of 5 s
    assert report["latency stamp to published p50 [ms]"] == "50.5"
    assert report["latency stamp to published p99 [ms]"] == "99.0"
    assert (report["detect p50 [ms]"], report["estimate p50 [ms]"]) == ("20.0", "5.0")
    assert report[OVERHEAD] == "3.00"
    assert (report["people"], report["people with a position"]) == ("3", "2")


def test_every_reason_of_a_drop_is_documented():
    reference = (Path(__file__).parents[3] / "docs" / "ros.md").read_text()
    assert [reason for reason in (*Drop, *BadImageReason) if f"`{reason}`" not in reference] == []


def compared(bodies, distances):
    return dataclasses.replace(bodies, disagreement=np.array(distances)[:, None] * np.linspace(0, 2, 24))


def test_disagreement_is_about_the_person_it_is_largest_of():
    of = Disagreement.about(compared(some_bodies(3), [0.05, 0.2, np.nan]))
    assert of.mean_m == pytest.approx(0.2)
    assert of.largest_m == pytest.approx(0.4)
    for none in (some_bodies(0), some_bodies(2)):
        assert np.isnan(Disagreement.about(none).mean_m)


def test_disagreement_is_reported_where_two_methods_run():
    monitor = Monitor()
    monitor.process(Processed(time.monotonic(), 0.1, Timings(), 0.003, 1, 1))
    assert np.isnan(monitor.recent().disagreement_m)
    assert not [key for key in report_of(monitor) if "disagreement" in key]
    monitor = Monitor()
    monitor.process(Processed(time.monotonic() - 60, 0.1, Timings(), 0.003, 1, 1, Disagreement(9.0, 9.0)))
    for mean_m in (0.1, 0.3, 0.1):
        monitor.process(Processed(time.monotonic(), 0.1, Timings(), 0.003, 1, 1, Disagreement(mean_m, 2 * mean_m)))
    assert monitor.recent().disagreement_m == pytest.approx(0.1)
    report = report_of(monitor)
    assert report["disagreement of methods, mean of joints p50 [m]"] == "0.100"
    assert report["disagreement of methods, largest of joints p50 [m]"] == "0.200"


def test_drops_are_counted_by_reason():
    monitor = Monitor()
    for reason in (Drop.TOO_OLD, Drop.TOO_OLD, Drop.REPLACED):
        monitor.drop(reason)
    report = report_of(monitor)
    assert report["dropped: too_old"] == "2"
    assert report["dropped: replaced_by_newer"] == "1"


def test_problems_become_warnings_or_errors():
    recent = Monitor().recent()
    assert bodies_status("n", "h", Health("no calibration"), recent).level == DiagnosticStatus.WARN
    stale = bodies_status("n", "h", Health("no image", fatal=True), recent)
    assert stale.level == DiagnosticStatus.ERROR
    assert stale.message == "no image"


def test_states_of_people_and_impossible_joints_are_counted():
    monitor = Monitor()
    for _ in range(10):
        seen = Processed(time.monotonic(), 0.1, Timings(), 0.003, people=6, metric=5, tentative=1, coasting=2)
        monitor.process(dataclasses.replace(seen, limit_violations=4))
    report = report_of(monitor)
    counts = [report[f"people{state}"] for state in ("", " tentative", " tracked", " coasting")]
    assert counts == ["6", "1", "3", "2"]
    assert report["joint angles beyond their limits [1/s]"] == "8.0"  # 40 within 5 s


@pytest.mark.parametrize(
    ("states", "level", "message"),
    [
        ({}, DiagnosticStatus.OK, "no networks are loaded"),
        ({"a": EngineState.READY}, DiagnosticStatus.OK, "ready"),
        ({"a": EngineState.READY, "b": EngineState.BUILDING}, DiagnosticStatus.WARN, "b: being built: runs on the CPU"),
        ({"a": EngineState.FAILED, "b": EngineState.BUILDING}, DiagnosticStatus.WARN, "a: could not be built"),
    ],
)
def test_engines_that_are_not_ready_are_a_warning(states, level, message):
    status = engines_status("n", "h", [("backend", "auto")], states)
    assert status.level == level
    assert status.message.startswith(message)
    assert values(status) == {"backend": "auto"}


def test_incompatible_qos_is_a_warning():
    assert connections_status("n", "h", []).level == DiagnosticStatus.OK
    status = connections_status("n", "h", ["/mesh: rviz requests too much"])
    assert (status.level, status.message) == (DiagnosticStatus.WARN, "1 with incompatible QoS")
    assert values(status) == {"incompatible QoS 1": "/mesh: rviz requests too much"}
