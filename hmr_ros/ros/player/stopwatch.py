# SPDX-License-Identifier: Apache-2.0
"""A subscriber that measures the node's latencies from another process, for ``hmr bench ros``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, JointState, PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.core.arrays import Float64s
from hmr_ros.msg import SmplBodyArray
from hmr_ros.ros.wire.cdr import CdrReader
from hmr_ros.ros.wire.interfaces import TF

if TYPE_CHECKING:  # Jazzy's rclpy has no name for it
    from rclpy.subscription import MessageInfo

_QOS = QoSProfile(depth=32)

OUTPUTS = ("tf", "joint_states", "markers", "mesh", "overlay", "mesh_points")
"""Outputs that may be subscribed besides the bodies."""

_TOPICS: dict[str, tuple[Any, str]] = {
    "bodies": (SmplBodyArray, "bodies"),
    "markers": (MarkerArray, "markers"),
    "mesh": (Marker, "mesh"),
    "overlay": (Image, "overlay"),
    "mesh_points": (PointCloud2, "mesh_points"),
}
_ARRAYS = ("markers", "tf")
"""Outputs without a header: the stamp of the first element follows their length."""

_JOINT_STATE = "sensor_msgs/msg/JointState"


class Stopwatch(Node):
    """Measures while it is spun (session.Session), by the publisher's clock: delays of receiving do not count."""

    def __init__(self) -> None:
        super().__init__("hmr_stopwatch")
        self.diagnostics: dict[str, str] = {}
        """Key -> value of the node's last /diagnostics."""
        self._subscribed: dict[str, Subscription[Any]] = {}
        self._wants_joint_states = False
        self._latency_s: dict[int, float] = {}
        self._bodies_at_s: list[float] = []
        self._messages = 0
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, _QOS)

    def subscribe(self, outputs: Sequence[str]) -> None:
        """Subscribe the bodies and ``outputs``, and nothing else."""
        for subscription in self._subscribed.values():
            self.destroy_subscription(subscription)
        self._subscribed.clear()
        self._wants_joint_states = "joint_states" in outputs
        if "tf" in outputs and TF.is_available:
            self._subscribe("tf", TF.message("TFMessage"), "/tf")
        for output in ("bodies", *outputs):
            if output in _TOPICS:
                self._subscribe(output, *_TOPICS[output])

    def follow_people(self) -> None:
        """Subscribe the joint states of people who have appeared, if "joint_states" is among the outputs."""
        for topic, kinds in self.get_topic_names_and_types() if self._wants_joint_states else ():
            if _JOINT_STATE in kinds and topic not in self._subscribed:
                self._subscribe(topic, JointState, topic)

    def start_over(self) -> None:
        """Forget all messages received so far."""
        self._latency_s.clear()
        self._bodies_at_s.clear()
        self._messages = 0

    @property
    def message_count(self) -> int:
        """Number of messages received."""
        return self._messages

    def latencies_s(self) -> Float64s:
        """(N,) s: for each image, the time from its stamp until the last message about it was published."""
        return np.array(list(self._latency_s.values()))

    def bodies_at_s(self) -> Float64s:
        """(N,) s: the times at which bodies were published, since the epoch."""
        return np.array(self._bodies_at_s)

    def _subscribe(self, output: str, kind: Any, topic: str) -> None:
        """Subscribe ``topic`` with messages of type ``kind`` and record the latency of each."""
        is_array, is_bodies = output in _ARRAYS, output == "bodies"

        def on_message(data: bytes, info: MessageInfo) -> None:
            self._messages += 1
            if is_bodies:
                self._bodies_at_s.append(info["source_timestamp"] * 1e-9)
            reader = CdrReader(data)
            if is_array and reader.uint32() == 0:
                return
            stamp_ns = reader.stamp().nanoseconds
            latency_s = (info["source_timestamp"] - stamp_ns) * 1e-9
            self._latency_s[stamp_ns] = max(latency_s, self._latency_s.get(stamp_ns, -np.inf))

        self._subscribed[output] = self.create_subscription(kind, topic, on_message, _QOS, raw=True)

    def _on_diagnostics(self, report: DiagnosticArray) -> None:
        namespace = self.get_namespace().lstrip("/")
        ours = [status for status in report.status if status.hardware_id.startswith(namespace)]
        if ours:
            self.diagnostics = {pair.key: pair.value for status in ours for pair in status.values}
