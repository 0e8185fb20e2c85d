# SPDX-License-Identifier: Apache-2.0
"""/tf and /tf_static -> a FrameTree, read from serialised messages."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription

from hmr_ros.core.arrays import Float64s
from hmr_ros.core.geometry.frames import FrameTree, NotYetError, Pose, Transform
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.subscriptions import NO_EVENTS
from hmr_ros.ros.wire.cdr import CdrError, CdrReader, Stamp
from hmr_ros.ros.wire.interfaces import TF
from hmr_ros.ros.wire.qos import SUBSCRIPTION, overridden

_MOVING = QoSProfile(depth=100)
_STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""QoS of /tf and /tf_static in tf2_ros."""

_OFF_UNIT = 1e-2
"""Largest deviation of the square of a quaternion's length from 1, as in tf2."""

_PERSON = "body_"
"""Prefix of the frames of people."""


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


def read_transforms(tree: FrameTree, data: bytes, *, is_static: bool) -> str:
    """Add the transforms of a serialised TFMessage to ``tree``; returns which were ignored. Raises CdrError."""
    reader, ignored = CdrReader(data), ""
    for _ in range(reader.uint32()):
        stamp, parent, child = reader.stamp(), bare_frame(reader.string()), bare_frame(reader.string())
        if child.startswith(_PERSON):
            return ignored  # this node's own message of people, up to 60 times a second: no camera is below them
        numbers = reader.doubles(7)
        if _is_transform(parent, child, numbers):
            tree.add(parent, child, stamp.nanoseconds, Pose(numbers[:3], numbers[3:]), is_static=is_static)
        else:
            ignored = f"transform from {child!r} to {parent!r} is ignored: it is none ({numbers.tolist()})"
    return ignored


def _is_transform(parent: str, child: str, numbers: Float64s) -> bool:
    """Whether tf2 would take it: two frames, finite numbers (7,), and a quaternion of length 1."""
    quat = numbers[3:]
    if not (parent and child and parent != child and np.isfinite(numbers).all() and np.abs(quat).max() < 2):
        return False
    return bool(abs(quat @ quat - 1) < _OFF_UNIT)
