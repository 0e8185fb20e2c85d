# SPDX-License-Identifier: Apache-2.0
import dataclasses
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from hmr_ros.engines.switching import EngineState
from hmr_ros.perception.pipeline import Timings
from hmr_ros.ros.input.images import BadImageReason
from hmr_ros.ros.monitor import Disagreement, Drop, Monitor, Processed, Recent
from hmr_ros.ros.node import diagnostics as module
from hmr_ros.ros.node.diagnostics import (
    OVERHEAD,
    OVERHEAD_P99,
    DiagnosticsPublisher,
    Health,
    bodies_status,
    connections_status,
    engines_status,
)
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


def reported(*processed, received=0, **drops):
    recent = Recent(received, processed, drops)
    return values(bodies_status("hmr: bodies", "hmr", Health(), recent))


def an_image(**fields):
    fields = {"timings": Timings(), "overhead_s": 0.003, "people": 0, "metric": 0} | fields
    return Processed(**({"at_s": 0.0, "latency_s": 0.1} | fields))


def test_every_row_is_about_its_own_number():
    steps = Timings(detect_s=0.001, track_s=0.002, estimate_s=0.003, smooth_s=0.004)
    one = an_image(timings=steps, people=9, metric=5, measured=4, tentative=1, coasting=2, skipped=3, shed="views")
    assert reported(one, received=10, too_old=3, bad_size=7) == {
        "images received [Hz]": "2.0",
        "images processed [Hz]": "0.2",
        **{f"latency stamp to published p{p} [ms]": "100.0" for p in (50, 95, 99)},
        "detect p50 [ms]": "1.0",
        "track p50 [ms]": "2.0",
        "estimate p50 [ms]": "3.0",
        "smooth p50 [ms]": "4.0",
        OVERHEAD: "3.00",
        OVERHEAD_P99: "3.00",
        "work shed": "views",
        "people": "9",
        "people tentative": "1",
        "people tracked": "6",
        "people coasting": "2",
        "people skipped": "3",
        "people with a position": "5",
        "people measured by depth": "4",
        "joint angles beyond their limits [1/s]": "0.0",
        "dropped: bad_size": "7",
        "dropped: too_old": "3",
    }


def test_a_ground_is_reported_where_one_is_asked_for():
    report = reported(an_image(people=3, grounded=2, ground="1.20 m below"))
    assert (report["ground"], report["people on the ground"]) == ("1.20 m below", "2")
    assert "ground" not in reported(an_image(people=3))


def test_percentiles_are_of_all_images_and_the_rest_is_of_the_last():
    images = [an_image(latency_s=0.01 * k, overhead_s=0.001 * k, people=k, metric=0, shed=str(k)) for k in range(101)]
    report = reported(*images)
    assert [report[f"latency stamp to published p{p} [ms]"] for p in (50, 95, 99)] == ["500.0", "950.0", "990.0"]
    assert (report[OVERHEAD], report[OVERHEAD_P99]) == ("50.00", "99.00")
    assert (report["people"], report["work shed"]) == ("100", "100")


def test_before_the_first_image_there_are_rates_and_drops_alone():
    assert reported(received=5, no_stamp=1) == {
        "images received [Hz]": "1.0",
        "images processed [Hz]": "0.0",
        "dropped: no_stamp": "1",
    }
    status = bodies_status("hmr: bodies", "hmr", Health(), Recent(0, (), {}))
    assert (status.name, status.hardware_id, status.message) == ("hmr: bodies", "hmr", "running")


def test_all_engines_of_one_state_are_named_and_failures_first():
    states = {"a": EngineState.BUILDING, "b": EngineState.FAILED, "c": EngineState.FAILED, "d": EngineState.READY}
    assert engines_status("n", "h", (), states).message == "b, c: could not be built: another engine runs"
    del states["b"], states["c"]
    assert engines_status("n", "h", (), states).message == "a: being built: runs on the CPU meanwhile"
    status = engines_status("n", "h", (), {"d": EngineState.READY})
    assert (status.name, status.hardware_id, status.message) == ("n", "h", EngineState.READY)


def test_connections_are_numbered_and_named():
    status = connections_status("n", "h", ["one", "two"])
    assert (status.name, status.hardware_id, status.message) == ("n", "h", "2 with incompatible QoS")
    assert values(status) == {"incompatible QoS 1": "one", "incompatible QoS 2": "two"}
    status = connections_status("n", "h", [])
    assert (status.name, status.hardware_id, status.message) == ("n", "h", "all QoS is compatible")


class Host:
    """In place of the node: its log, and what it publishes on /diagnostics."""

    def __init__(self):
        self.log, self.sent, self.throttles = [], [], []

    def create(self, kind, topic, qos):
        assert (topic, qos.depth) == ("/diagnostics", 1)
        return SimpleNamespace(publish=self.sent.append)

    def get_logger(self):
        return SimpleNamespace(warning=self.warning)

    def warning(self, text, throttle_duration_sec=0.0):
        self.log.append(text)
        self.throttles.append(throttle_duration_sec)

    def get_fully_qualified_name(self):
        return "/robot/hmr"

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Time(sec=7, nanosec=8)))


@pytest.fixture
def host(monkeypatch):
    host = Host()
    monkeypatch.setattr(module, "PublisherFactory", lambda node: node)
    host.found = []
    monkeypatch.setattr(module, "mismatches", lambda node: host.found)
    return host


def test_the_report_has_three_statuses_under_the_name_of_the_node(host):
    engine = SimpleNamespace(manifest=SimpleNamespace(name="net"))
    pipeline = SimpleNamespace(facts=(("net", "on the CPU"),), engines=(engine,))
    publisher = DiagnosticsPublisher(host)
    publisher.report(Health("no image", fatal=True), Recent(0, (), {}), pipeline)
    publisher.report(Health(), Recent(0, (), {}), None)
    first, second = host.sent
    assert (first.header.stamp.sec, first.header.stamp.nanosec) == (7, 8)
    names = [f"robot/hmr: {part}" for part in ("bodies", "engines", "connections")]
    for report in host.sent:
        assert [status.name for status in report.status] == names
        assert {status.hardware_id for status in report.status} == {"robot/hmr"}
    assert [status.message for status in first.status] == ["no image", "ready", "all QoS is compatible"]
    assert values(first.status[1]) == {"net": "on the CPU"}
    assert [status.message for status in second.status][:2] == ["running", "no networks are loaded"]
    assert first.status[0].level == DiagnosticStatus.ERROR
    assert host.log == ["no image"], "what is fatal is logged, too"
    assert host.throttles[0] >= 1.0


def test_warnings_are_in_diagnostics_alone_and_each_mismatch_is_logged_once(host):
    publisher = DiagnosticsPublisher(host)
    for found in ([], ["/mesh: a"], ["/mesh: a", "/tf: b"], ["/tf: b"]):
        host.found = found
        publisher.report(Health("no calibration"), Recent(0, (), {}), None)
        assert values(host.sent[-1].status[2]) == {f"incompatible QoS {k + 1}": text for k, text in enumerate(found)}
    assert host.log == ["incompatible QoS: /mesh: a", "incompatible QoS: /tf: b"]
