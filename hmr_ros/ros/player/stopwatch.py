# SPDX-License-Identifier: Apache-2.0
"""A subscriber that measures the node's latencies from another process, for ``hmr bench ros``."""

from __future__ import annotations

import struct
import time
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
from hmr_ros.ros.player.heard import Heard
from hmr_ros.ros.wire.cdr import ENCAPSULATION
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

_CONTENT, _STAMP, _LENGTH = len(ENCAPSULATION), struct.Struct("<iI"), struct.Struct("<I")
"""Where the content of a serialised message begins, and the layouts of a time and of a sequence's length in it."""

_JOINT_STATE = "sensor_msgs/msg/JointState"


class Stopwatch(Node):
    """Measures while it is spun (session.Session), by the publisher's clock: delays of receiving do not count."""

    def __init__(self) -> None:
        super().__init__("hmr_stopwatch")
        self.diagnostics: dict[str, str] = {}
        """Key -> value of the node's last /diagnostics."""
        self._subscribed: dict[str, Subscription[Any]] = {}
        self._wants_joint_states = False
        self._heard: list[Heard] = []
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
        self._heard.clear()
        self._bodies_at_s.clear()
        self._messages = 0

    @property
    def message_count(self) -> int:
        """Number of messages received."""
        return self._messages

    def latencies_s(self) -> Float64s:
        """(N,) s: for each image, the time from its stamp until the last message about it was published."""
        latest: dict[int, int] = {}
        for heard in self._heard:
            latest[heard.stamp_ns] = max(heard.source_ns, latest.get(heard.stamp_ns, 0))
        return np.array([source_ns - stamp_ns for stamp_ns, source_ns in latest.items()]) * 1e-9

    @property
    def heard(self) -> Sequence[Heard]:
        """The messages about images, in the order in which they came."""
        return self._heard

    def bodies_at_s(self) -> Float64s:
        """(N,) s: the times at which bodies were published, since the epoch."""
        return np.array(self._bodies_at_s)

    def _subscribe(self, output: str, kind: Any, topic: str) -> None:
        """Subscribe ``topic`` with messages of type ``kind`` and record the latency of each."""
        is_array, is_bodies = output in _ARRAYS, output == "bodies"

        def on_message(data: bytes, info: MessageInfo) -> None:
            taken_ns = time.time_ns()
            self._messages += 1
            if is_bodies:
                self._bodies_at_s.append(info["source_timestamp"] * 1e-9)
            if is_array and _length(data) == 0:
                return
            seconds, nanoseconds = _STAMP.unpack_from(data, _CONTENT + (_LENGTH.size if is_array else 0))
            stamp_ns = seconds * 1_000_000_000 + nanoseconds
            self._heard.append(Heard(stamp_ns, info["source_timestamp"], info["received_timestamp"], taken_ns))

        self._subscribed[output] = self.create_subscription(kind, topic, on_message, _QOS, raw=True)

    def _on_diagnostics(self, report: DiagnosticArray) -> None:
        namespace = self.get_namespace().lstrip("/")
        ours = [status for status in report.status if status.hardware_id.startswith(namespace)]
        if ours:
            self.diagnostics = {pair.key: pair.value for status in ours for pair in status.values}


def _length(data: bytes) -> int:
    """The number of elements of the sequence that a serialised message starts with."""
    length: int = _LENGTH.unpack_from(data, _CONTENT)[0]
    return length
