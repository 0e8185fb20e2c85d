# SPDX-License-Identifier: Apache-2.0
"""A node with ROS around it, for tools that know nothing of ROS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

_Node = TypeVar("_Node", bound=Node)


class Session(Generic[_Node]):
    """Starts ROS in ``namespace``, and has the ``node`` that ``make`` makes receive while it is spun."""

    def __init__(self, namespace: str, make: Callable[[], _Node]) -> None:
        rclpy.init(args=["--ros-args", "-r", f"__ns:=/{namespace}"])
        self.node = make()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def spin(self, seconds: float) -> None:
        """Receive for a while."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def close(self) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()
