"""What the node says on /diagnostics, once a second."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile

from hmr_ros.engines.switching import state_of
from hmr_ros.perception.assemble import Assembly
from hmr_ros.ros.diagnostics import Health, Monitor, connections_status, engines_status
from hmr_ros.ros.publishers import PublisherFactory
from hmr_ros.ros.qos import mismatches

_LOG_EVERY_S = 10.0


class Supervisor:
    """Publishes one status per concern, for as long as ``node`` lives: bodies, engines, connections."""

    def __init__(self, node: Node, monitor: Monitor) -> None:
        self._node = node
        self._monitor = monitor
        self._publisher = PublisherFactory(node).create(DiagnosticArray, "/diagnostics", QoSProfile(depth=1))
        self._told: set[str] = set()

    def report(self, health: Health, assembly: Assembly | None) -> None:
        """Publish, and log what is fatal."""
        if health.fatal:
            self._node.get_logger().warning(health.problem, throttle_duration_sec=_LOG_EVERY_S)
        name = self._node.get_fully_qualified_name().lstrip("/")
        report = DiagnosticArray(
            status=[
                self._monitor.status(f"{name}: bodies", name, health),
                _engines_status(f"{name}: engines", name, assembly),
                connections_status(f"{name}: connections", name, self._mismatches()),
            ]
        )
        report.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(report)

    def _mismatches(self) -> list[str]:
        """Whose QoS does not fit ours; each is logged once."""
        found = mismatches(self._node)
        for text in found:
            if text not in self._told:
                self._told.add(text)
                self._node.get_logger().warning(f"incompatible QoS: {text}")
        return found


def _engines_status(name: str, hardware_id: str, assembly: Assembly | None) -> DiagnosticStatus:
    if assembly is None:
        return engines_status(name, hardware_id, (), {})
    states = {engine.manifest.name: state_of(engine) for engine in assembly.engines}
    return engines_status(name, hardware_id, assembly.facts, states)
