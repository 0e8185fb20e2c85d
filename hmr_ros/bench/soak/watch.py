# SPDX-License-Identifier: Apache-2.0
"""The subscriber of ``make soak``: who comes and goes, how late, and what diagnostics say."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile

from hmr_ros.msg import SmplBody, SmplBodyArray

if TYPE_CHECKING:  # Jazzy's rclpy has no name for it
    from rclpy.subscription import MessageInfo

_QOS = QoSProfile(depth=50)


@dataclass(frozen=True)
class Report:
    """One status ``bodies`` of /diagnostics: when it came, monotonic s, its level (0 OK), message and values."""

    at_s: float
    level: int
    message: str
    values: dict[str, str]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return self.level == 0

    def dropped(self) -> int:
        """Number of images that were dropped so far because of what is wrong with themselves."""
        reasons = ("broken_message", "short_data", "unknown_encoding", "bad_size", "bad_step", "undecodable")
        return sum(int(self.values.get(f"dropped: {reason}", 0)) for reason in reasons)


class Watch:
    """Subscribes ``bodies`` and /diagnostics from ``node``."""

    def __init__(self, node: Node) -> None:
        self.reports: list[Report] = []
        """Those since ``forget``."""
        self.latencies_s: list[float] = []
        """From an image's stamp until its bodies were published; cleared by who reads them."""
        self.ids: set[str] = set()
        self.lost: set[str] = set()
        self.reused: list[str] = []
        """Ids that came again after they were LOST."""
        node.create_subscription(SmplBodyArray, "bodies", self._on_bodies, _QOS)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, _QOS)

    def forget(self, before_s: float) -> None:
        """Forget the reports from before ``before_s``, monotonic."""
        self.reports = [report for report in self.reports if report.at_s >= before_s]

    def _on_bodies(self, message: SmplBodyArray, info: MessageInfo) -> None:
        stamp = message.header.stamp
        self.latencies_s.append((info["source_timestamp"] - stamp.sec * 1_000_000_000 - stamp.nanosec) * 1e-9)
        for body in message.bodies:
            self.ids.add(body.id)
            if body.state == SmplBody.LOST:
                self.lost.add(body.id)
            elif body.id in self.lost and body.id not in self.reused:
                self.reused.append(body.id)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        self.reports += [_report(status) for status in array.status if status.name.endswith(": bodies")]


def _report(status: DiagnosticStatus) -> Report:
    values = {pair.key: pair.value for pair in status.values}
    return Report(time.monotonic(), int.from_bytes(status.level, "big"), status.message, values)
