# SPDX-License-Identifier: Apache-2.0
"""Types of what this package uses of rclpy: Jazzy's own are few, and those of later distributions differ from them.

Classes, functions and optional arguments that are not used here are left out; what is left is true of every supported
distribution. test/tools/test_typings.py compares these files with the rclpy that is installed.
"""

from rclpy.context import Context
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

def init(
    *,
    args: list[str] | None = None,
    signal_handler_options: SignalHandlerOptions | None = None,
) -> None: ...
def ok(*, context: Context | None = None) -> bool: ...
def spin(node: Node, executor: Executor | None = None) -> None: ...
def try_shutdown(*, context: Context | None = None) -> None: ...
