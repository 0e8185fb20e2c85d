# SPDX-License-Identifier: Apache-2.0
"""A process of nodes: created, started, spun until a signal stops it, and destroyed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from hmr_ros.ros.wire.qos import ParameterError


class Application(Protocol):
    """One or several nodes that start and end together."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes that the executor spins."""

    def autostart(self) -> bool:
        """Start the nodes whose parameter ``autostart`` is set; False when one fails."""

    def destroy_node(self) -> None:
        """Stop, free all resources and leave the ROS graph."""


def run(name: str, make: Callable[[], Application], args: list[str] | None = None) -> int:
    """Spin the nodes that ``make`` creates in one thread; returns the exit status. ``name`` is that of the process."""
    # SIGTERM raises KeyboardInterrupt as SIGINT does: it also ends a configuring node that waits for an engine.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(args=args)
    application: Application | None = None
    try:
        application = make()
        if not application.autostart():
            return 1 if rclpy.ok() else 0  # not ok: stopped by a signal while starting
        executor = SingleThreadedExecutor()
        for node in application.nodes:
            executor.add_node(node)
        executor.spin()
    except ParameterError as err:
        print(f"{name}: {err}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # the usual end of a ROS node
    finally:
        if application is not None:
            application.destroy_node()
        rclpy.try_shutdown()
    return 0
