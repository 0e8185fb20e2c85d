# SPDX-License-Identifier: Apache-2.0
"""A process of nodes: made, started, spun until it is told to stop, and taken down in good order."""

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
        """What the executor spins."""

    def autostart(self) -> bool:
        """Start what is to start by itself; False when that failed."""

    def destroy_node(self) -> None:
        """Stop, free everything and leave the graph."""


def run(name: str, make: Callable[[], Application], args: list[str] | None = None) -> int:
    """Run what ``make`` makes, in one thread; returns the exit status of the process, called ``name``."""
    # As SIGINT does, SIGTERM raises KeyboardInterrupt, too: it ends a configuring node that waits for an engine.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(args=args)
    application: Application | None = None
    try:
        application = make()
        if not application.autostart():
            return 1 if rclpy.ok() else 0  # not ok: told to stop while starting
        executor = SingleThreadedExecutor()
        for node in application.nodes:
            executor.add_node(node)
        executor.spin()
    except ParameterError as err:
        print(f"{name}: {err}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # how ROS nodes are asked to stop
    finally:
        if application is not None:
            application.destroy_node()
        rclpy.try_shutdown()
    return 0
