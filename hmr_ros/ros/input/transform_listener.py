# SPDX-License-Identifier: Apache-2.0
"""/tf and /tf_static, subscribed, -> a FrameTree."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription

from hmr_ros.core.geometry.frames import FrameTree, NotYetError, Transform
from hmr_ros.ros.input.subscriptions import NO_EVENTS
from hmr_ros.ros.input.transform_messages import read_transforms
from hmr_ros.ros.wire.cdr import CdrError, Stamp
from hmr_ros.ros.wire.interfaces import TF
from hmr_ros.ros.wire.qos import SUBSCRIPTION, overridden

_MOVING = QoSProfile(depth=100)
_STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""QoS of /tf and /tf_static in tf2_ros."""


class TransformListener:
    """Subscribes TF until ``close``. The executor's thread receives; another thread may look up. Needs tf2_msgs."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed = threading.Condition()
        self._tree = FrameTree()
        self._subscriptions = [
            self._subscribed("/tf", _MOVING, is_static=False),
            self._subscribed("/tf_static", _STATIC, is_static=True),
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def forget_moving(self) -> None:
        """Forget moving frames: time jumped back, and their transforms are of another time."""
        with self._changed:
            self._tree.forget_moving()

    def lookup(self, target: str, source: str, stamp: Stamp, timeout_s: float) -> Transform:
        """The transform ``source`` -> ``target`` at ``stamp``; waits up to ``timeout_s`` where it may still arrive.

        Raises NoTransformError.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                try:
                    return self._tree.lookup(target, source, stamp.nanoseconds)
                except NotYetError:
                    left_s = deadline_s - time.monotonic()
                    if left_s <= 0:
                        raise
                    self._changed.wait(left_s)

    def _subscribed(self, topic: str, qos: QoSProfile, *, is_static: bool) -> Subscription[Any]:
        def receive(data: bytes) -> None:
            self._receive(data, is_static=is_static)

        return self._node.create_subscription(
            TF.message("TFMessage"),
            topic,
            receive,
            overridden(self._node, topic, qos, SUBSCRIPTION),
            raw=True,
            event_callbacks=NO_EVENTS,
        )

    def _receive(self, data: bytes, *, is_static: bool) -> None:
        """Add a message to the tree. A broken one is logged; lookups that need it report the missing transform."""
        try:
            with self._changed:
                ignored = read_transforms(self._tree, data, is_static=is_static)
                self._changed.notify_all()
        except CdrError as err:
            ignored = f"unreadable TF message: {err}"
        if ignored:
            self._node.get_logger().warning(ignored, throttle_duration_sec=10.0)


def listener_for(node: Node, frames: Iterable[str]) -> TransformListener | None:
    """TF, where one of ``frames`` is not "", the camera's own, and tf2_msgs is installed."""
    return TransformListener(node) if any(frames) and TF.is_available else None
