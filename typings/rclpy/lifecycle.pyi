# SPDX-License-Identifier: Apache-2.0
from enum import Enum
from typing import NamedTuple, TypedDict, Unpack, type_check_only

from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

class LifecycleState(NamedTuple):
    label: str
    state_id: int

class TransitionCallbackReturn(Enum):
    SUCCESS = 0
    FAILURE = 1
    ERROR = 2

@type_check_only
class _NodeArguments(TypedDict, total=False):
    context: Context | None
    cli_args: list[str] | None
    parameter_overrides: list[Parameter[object]] | None

class LifecycleNode(Node):
    def __init__(self, node_name: str, **kwargs: Unpack[_NodeArguments]) -> None: ...
    def trigger_configure(self) -> TransitionCallbackReturn: ...
    def trigger_activate(self) -> TransitionCallbackReturn: ...
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn: ...
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn: ...
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn: ...
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn: ...
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn: ...
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn: ...
