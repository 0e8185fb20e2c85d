# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from ``RobotConfig``: declared with description and range, validated with a reason when set."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import Setting, Value, describe, updated
from hmr_ros.ros.wire.qos import ParameterError

_Config = TypeVar("_Config")

_LARGEST_INT = 2**63 - 1

_PYTHON_TYPES = {"bool": (bool,), "int": (int,), "float": (float, int), "str": (str,)}
"""Type of a setting -> the Python types that its parameter accepts."""


def declare_config(node: Node) -> RobotConfig:
    """Declare every setting of RobotConfig on ``node`` and return the values given at start. Raises ParameterError."""
    return declared(node, RobotConfig())


def declared(node: Node, defaults: _Config) -> _Config:
    """Declare every setting of the config ``defaults`` on ``node``, as ``declare_config`` does."""
    values: dict[str, Value] = {}
    for setting in describe(type(defaults)):
        try:
            values[setting.name] = _declared(node, setting)
        except (InvalidParameterTypeException, InvalidParameterValueException) as err:
            raise ParameterError(
                f"parameter {setting.name!r}: expected {_expected(setting)} (default {setting.default!r}): {err}"
            ) from err
    try:
        return updated(defaults, values)
    except ValueError as err:
        raise ParameterError(f"parameter {err}") from err


def _declared(node: Node, setting: Setting) -> Value:
    """Declare ``setting``; its value at start. A whole number will do for a float, as it does later."""
    try:
        return node.declare_parameter(setting.name, setting.default, descriptor(setting)).value
    except InvalidParameterTypeException:
        given = node.declare_parameter(setting.name, descriptor=ParameterDescriptor(dynamic_typing=True)).value
        node.undeclare_parameter(setting.name)
        if setting.type != "float" or type(given) is not int:
            raise
    return node.declare_parameter(setting.name, float(given), descriptor(setting), ignore_override=True).value


def descriptor(setting: Setting) -> ParameterDescriptor:
    """Descriptor of one setting: description, range and read_only, as ``ros2 param describe`` shows them."""
    result = ParameterDescriptor(
        description=setting.doc, read_only=setting.read_only, additional_constraints=setting.allowed
    )
    if setting.low is None and setting.high is None:
        return result
    if setting.type == "int":
        first = -_LARGEST_INT if setting.low is None else int(setting.low)
        last = _LARGEST_INT if setting.high is None else int(setting.high)
        result.integer_range = [IntegerRange(from_value=first, to_value=last)]
    elif setting.type == "float":
        low = -sys.float_info.max if setting.low is None else float(setting.low)
        high = sys.float_info.max if setting.high is None else float(setting.high)
        result.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return result


def type_problem(parameters: list[Parameter[Any]]) -> str:
    """Which of ``parameters`` has the wrong type, "" if none: rclpy's own reason does not name the parameter."""
    types = {setting.name: setting for setting in describe(RobotConfig)}
    for parameter in parameters:
        setting = types.get(parameter.name)
        if setting is not None and type(parameter.value) not in _PYTHON_TYPES[setting.type]:
            return f"{setting.name}: expected {_expected(setting)}, got {parameter.value!r}"
    return ""


def _expected(setting: Setting) -> str:
    return f"{setting.type}, {setting.allowed}" if setting.allowed else setting.type


def _with_floats(parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
    """``parameters`` with integers as floats where those are expected: `ros2 param set /hmr max_rate_hz 10`."""
    floats = {setting.name for setting in describe(RobotConfig) if setting.type == "float"}

    def as_float(parameter: Parameter[Any]) -> Parameter[Any]:
        if parameter.name in floats and parameter.type_ is Parameter.Type.INTEGER:
            return Parameter(parameter.name, value=float(parameter.value))
        return parameter

    return [as_float(parameter) for parameter in parameters]


def follow_config(node: Node, config: RobotConfig, apply: Callable[[RobotConfig], None]) -> None:
    """Call ``apply`` with the complete new config each time parameters were set; reject values that do not validate."""
    known = {setting.name for setting in describe(RobotConfig)}
    current = [config]

    def merged(parameters: list[Parameter[Any]]) -> RobotConfig:
        return updated(current[0], {p.name: p.value for p in parameters if p.name in known})

    def check(parameters: list[Parameter[Any]]) -> SetParametersResult:
        try:
            merged(parameters)
        except ValueError as err:
            return SetParametersResult(successful=False, reason=str(err))
        return SetParametersResult(successful=True)

    def accept(parameters: list[Parameter[Any]]) -> None:
        current[0] = merged(parameters)
        apply(current[0])

    node.add_pre_set_parameters_callback(_with_floats)
    node.add_on_set_parameters_callback(check)
    node.add_post_set_parameters_callback(accept)
