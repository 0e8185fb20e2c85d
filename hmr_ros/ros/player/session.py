# SPDX-License-Identifier: Apache-2.0
"""Starts ROS and spins one node, for tools without ROS of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

_Node = TypeVar("_Node", bound=Node)


class Session(Generic[_Node]):
    """Starts ROS in ``namespace``, with the ``node`` that ``make`` creates; it receives during ``spin``."""

    def __init__(self, namespace: str, make: Callable[[], _Node]) -> None:
        rclpy.init(args=["--ros-args", "-r", f"__ns:=/{namespace}"])
        self.node = make()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def spin(self, seconds: float) -> None:
        """Receive messages for ``seconds``."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def close(self) -> None:
        """Destroy the node and leave the ROS graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()
