# SPDX-License-Identifier: Apache-2.0
"""A process of nodes: created, started, spun until a signal stops it, and destroyed.

SIGINT and SIGTERM are handled here, not by rclpy: its handlers shut the middleware down at once, before the nodes can
report that their tracks have ended.
"""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from hmr_ros.ros.node.executors import make_executor
from hmr_ros.ros.node.signals import EndingSignals
from hmr_ros.ros.wire.qos import ParameterError

_SIGNALS_EVERY_S = 0.1
"""Longest wait for messages, s: a signal does not end it, and is answered after it."""


_IN_SOURCES = re.compile(r",? at /\S+:\d+")
"""Where in the sources of rcl an error was found."""


class StartError(RuntimeError):
    """ROS 2 does not start: says why, and what helps."""


class Application(Protocol):
    """One or several nodes that start and end together."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes that the executor spins."""

    def autostart(self) -> bool:
        """Start the nodes whose parameter ``autostart`` is set; False when one fails."""

    def destroy_node(self) -> None:
        """Stop, free all resources and leave the ROS graph."""


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Give the errors of rclpy at start as StartError.

    They are mistakes on the command line or in a file of parameters, or a machine without a directory for the log, as
    where a service has no HOME or the disk is read-only.
    """
    try:
        yield
    except RuntimeError as err:  # rclpy's RCLError, which has no public name
        reason = _IN_SOURCES.sub("", str(err))
        needs_directory = re.search("log(ging)? directory", reason)
        remedy = "; set ROS_LOG_DIR to a directory that may be written" if needs_directory else ""
        raise StartError(f"{reason}{remedy}") from err


def initialize(args: list[str] | None) -> None:
    """Initialize rclpy without its handlers of signals. Raises StartError."""
    with starting():
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)


def run(name: str, make: Callable[[], Application], args: list[str] | None = None) -> int:
    """Spin the nodes that ``make`` creates in one thread; returns the exit status. ``name`` is that of the process."""
    # Until the nodes spin both raise KeyboardInterrupt, which also ends a configuring node that waits for an engine.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    application: Application | None = None
    try:
        initialize(args)
        application = make()
        if not application.autostart():
            return 1
        _spin(application.nodes)
    except (ParameterError, StartError) as err:
        print(f"{name}: {err}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # the usual end of a ROS node
    finally:
        # Ctrl-C reaches some processes twice; one that hangs here ends with SIGTERM.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if application is not None:
            application.destroy_node()
        rclpy.try_shutdown()
    return 0


def _spin(nodes: Sequence[Node]) -> None:
    """Serve ``nodes`` until the middleware is shut down or a signal comes; KeyboardInterrupt ends a long callback."""
    executor = make_executor()
    for node in nodes:
        executor.add_node(node)
    with EndingSignals() as signals:
        while rclpy.ok() and not signals.came:
            executor.spin_once(timeout_sec=_SIGNALS_EVERY_S)
