# SPDX-License-Identifier: Apache-2.0
"""The node's /diagnostics: rates and latencies of images, state of the engines, incompatible QoS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from hmr_ros.core.bounded import Bounded
from hmr_ros.engines.switching import EngineState, state_of
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.ros.monitor import WINDOW_S, Processed, Recent, known_median
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.publishing import Qos
from hmr_ros.ros.wire.qos import mismatches

OVERHEAD = "overhead p50 [ms]"
OVERHEAD_P99 = "overhead p99 [ms]"
"""Keys of the node's own time per image: everything but the pipeline."""

_LOG_EVERY_S = 10.0
_TEXTS = 64
"""Incompatible connections that are remembered as logged: those of nodes with random names come without end."""


@dataclass(frozen=True)
class Health:
    """The current problem of the node, "" when there is none; ``fatal``: what is published is stale or missing."""

    problem: str = ""
    fatal: bool = False

    @property
    def level(self) -> bytes:
        """OK without a problem, ERROR for a fatal one, else WARN."""
        level: bytes = DiagnosticStatus.ERROR if self.fatal else DiagnosticStatus.WARN
        return level if self.problem else DiagnosticStatus.OK


class DiagnosticsPublisher:
    """Publishes three statuses for as long as ``node`` exists: bodies, engines, connections."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = PublisherFactory(node).create(DiagnosticArray, "/diagnostics", Qos(1))
        self._logged = Bounded[str, None](_TEXTS)

    def report(self, health: Health, recent: Recent, pipeline: Pipeline | None) -> None:
        """Publish all statuses; log a fatal problem, at most once in ten seconds."""
        if health.fatal:
            self._node.get_logger().warning(health.problem, throttle_duration_sec=_LOG_EVERY_S)
        name = self._node.get_fully_qualified_name().lstrip("/")
        report = DiagnosticArray(
            status=[
                bodies_status(f"{name}: bodies", name, health, recent),
                engines_status(f"{name}: engines", name, pipeline.facts if pipeline else (), _states(pipeline)),
                connections_status(f"{name}: connections", name, self._mismatches()),
            ]
        )
        report.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(report)

    def _mismatches(self) -> list[str]:
        """Connections with incompatible QoS, in words; each is logged once."""
        found = mismatches(self._node)
        for text in found:
            if text not in self._logged:
                self._logged[text] = None
                self._node.get_logger().warning(f"incompatible QoS: {text}")
        return found


def bodies_status(name: str, hardware_id: str, health: Health, recent: Recent) -> DiagnosticStatus:
    """The status of image processing: its problem, rates, latencies, people and drops."""
    of_processed = [*_times(recent.processed), *_people(recent.processed)] if recent.processed else []
    rows = [*_rates(recent), *of_processed, *_drop_rows(recent.drops)]
    return _status(name, hardware_id, health.level, health.problem or "running", rows)


def engines_status(
    name: str, hardware_id: str, facts: Iterable[tuple[str, str]], states: Mapping[str, EngineState]
) -> DiagnosticStatus:
    """The status of the engines: ``facts`` as (key, value) rows; WARN while one of the networks is not READY."""
    for state, message in (
        (EngineState.FAILED, "could not be built: another engine runs"),
        (EngineState.BUILDING, "being built: runs on the CPU meanwhile"),
    ):
        if concerned := [network for network, its_state in states.items() if its_state is state]:
            return _status(name, hardware_id, DiagnosticStatus.WARN, f"{', '.join(concerned)}: {message}", facts)
    message = EngineState.READY if states else "no networks are loaded"
    return _status(name, hardware_id, DiagnosticStatus.OK, message, facts)


def connections_status(name: str, hardware_id: str, found: Sequence[str]) -> DiagnosticStatus:
    """The status of the connections: WARN while QoS keeps messages back; ``found`` describes each mismatch."""
    rows = [(f"incompatible QoS {number}", text) for number, text in enumerate(found, 1)]
    if not rows:
        return _status(name, hardware_id, DiagnosticStatus.OK, "all QoS is compatible", rows)
    return _status(name, hardware_id, DiagnosticStatus.WARN, f"{len(rows)} with incompatible QoS", rows)


def _states(pipeline: Pipeline | None) -> dict[str, EngineState]:
    """State of the engine of each network, by the network's name."""
    return {engine.manifest.name: state_of(engine) for engine in pipeline.engines} if pipeline else {}


def _status(
    name: str, hardware_id: str, level: bytes, message: str, rows: Iterable[tuple[str, str]]
) -> DiagnosticStatus:
    values = [KeyValue(key=key, value=value) for key, value in rows]
    return DiagnosticStatus(level=level, name=name, hardware_id=hardware_id, message=message, values=values)


def _rates(recent: Recent) -> list[tuple[str, str]]:
    return [
        ("images received [Hz]", f"{recent.received / WINDOW_S:.1f}"),
        ("images processed [Hz]", f"{len(recent.processed) / WINDOW_S:.1f}"),
    ]


def _times(processed: Sequence[Processed]) -> list[tuple[str, str]]:
    """Latency, time of each step, overhead, the work that was shed, and that the limit is not kept."""
    latency, overhead = (
        np.array([getattr(p, f"{name}_s") for p in processed]) * 1e3 for name in ("latency", "overhead")
    )
    rows = [
        (f"latency stamp to published p{percentile} [ms]", f"{np.percentile(latency, percentile):.1f}")
        for percentile in (50, 95, 99)
    ]
    for step in ("detect", "track", "estimate", "smooth"):
        took = np.median([getattr(p.timings, f"{step}_s") for p in processed]) * 1e3
        rows.append((f"{step} p50 [ms]", f"{took:.1f}"))
    rows += [(OVERHEAD, f"{np.median(overhead):.2f}"), (OVERHEAD_P99, f"{np.percentile(overhead, 99):.2f}")]
    late = [("latency limit", "not kept: late bodies are published")] if processed[-1].latency_problem else []
    return [*rows, ("work shed", processed[-1].shed), *late]


def _people(processed: Sequence[Processed]) -> list[tuple[str, str]]:
    """Numbers of people in the last image, and what is unlikely about their bodies."""
    last, violations = processed[-1], sum(p.limit_violations for p in processed) / WINDOW_S
    rows = [
        ("people", str(last.people)),
        ("people tentative", str(last.tentative)),
        ("people tracked", str(last.people - last.tentative - last.coasting)),
        ("people coasting", str(last.coasting)),
        ("people skipped", str(last.skipped)),
        ("people with a position", str(last.metric)),
        ("people measured by depth", str(last.measured)),
        ("joint angles beyond their limits [1/s]", f"{violations:.1f}"),
    ]
    if last.ground:
        rows += [("ground", last.ground), ("people on the ground", str(last.grounded))]
    for joints in ("mean", "largest"):
        distance = known_median([getattr(p.disagreement, f"{joints}_m") for p in processed])
        if np.isfinite(distance):
            rows.append((f"disagreement of methods, {joints} of joints p50 [m]", f"{distance:.3f}"))
    return rows


def _drop_rows(drops: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(f"dropped: {reason}", str(count)) for reason, count in sorted(drops.items())]
