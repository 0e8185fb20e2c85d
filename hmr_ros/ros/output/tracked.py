# SPDX-License-Identifier: Apache-2.0
"""ROS4HRI's list of everybody (REP-155): one list per process, however many cameras it has.

Who is missing from the last list is gone, as libhri reads it. So two publishers of the list, each of the people of its
own camera, would take turns in deleting each other's.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from hmr_ros.ros.output.human_messages import HriTypes
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.template import KeptTemplate

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Reliable, and who subscribes late gets the last message."""


class TrackedLists:
    """The lists of one process, by topic; a topic exists while a camera takes part in it. Thread-safe."""

    def __init__(self, node: Node) -> None:
        """``node`` publishes the lists."""
        self._publishers = PublisherFactory(node)
        self._lock = threading.Lock()
        self._seen: dict[str, dict[TrackedBodies, list[str]]] = {}
        self._open: dict[str, Publisher[Any]] = {}
        self._kept: dict[tuple[str, str], KeptTemplate] = {}

    def join(self, topic: str) -> TrackedBodies:
        """The part of one camera in the list that is published as ``topic``. Needs hri_msgs."""
        member = TrackedBodies(self, topic)
        with self._lock:
            if topic not in self._open:
                self._open[topic] = self._publishers.create(HriTypes.imported().ids_list, topic, LATCHED)
                self._seen[topic] = {}
            self._seen[topic][member] = []
        return member

    def update(self, topic: str, member: TrackedBodies, header: Header, ids: Sequence[str]) -> None:
        """Publish that ``member`` sees ``ids``, and the other cameras whom they saw last."""
        with self._lock:
            self._seen[topic][member] = list(ids)
            self._publish(topic, header)

    def leave(self, topic: str, member: TrackedBodies, header: Header) -> None:
        """Publish that ``member`` sees nobody any more; without members there is no topic."""
        with self._lock:
            del self._seen[topic][member]
            if self._seen[topic]:
                self._publish(topic, header)
            else:
                self._publishers.destroy(self._open.pop(topic))

    def _publish(self, topic: str, header: Header) -> None:
        if not self._publishers.node.context.ok():
            return  # told to stop: the middleware goes first
        everybody = [name for names in self._seen[topic].values() for name in names]
        kept = self._kept.setdefault((topic, header.frame_id), KeptTemplate())
        template = kept(tuple(everybody), lambda: HriTypes.imported().ids_list(header=header, ids=everybody))
        template.stamp(Stamp(header.stamp.sec, header.stamp.nanosec))
        self._open[topic].publish(template.finish())


class TrackedBodies:
    """The people of one camera in the list ``topic``."""

    def __init__(self, lists: TrackedLists, topic: str) -> None:
        self._lists = lists
        self._topic = topic
        self._header = Header()

    def update(self, header: Header, ids: Sequence[str]) -> None:
        """Publish everybody; this camera's people are ``ids``, as of the image with ``header``."""
        self._header = header
        self._lists.update(self._topic, self, header, ids)

    def close(self) -> None:
        """Take this camera's people off the list."""
        self._lists.leave(self._topic, self, self._header)
