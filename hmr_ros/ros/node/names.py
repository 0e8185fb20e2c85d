# SPDX-License-Identifier: Apache-2.0
"""The parameter ``cameras``: namespaces of cameras, of nodes that have several."""

from __future__ import annotations

import re

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node

from hmr_ros.ros.wire.qos import ParameterError

_NAME = re.compile(r"[A-Za-z]\w*(/[A-Za-z]\w*)*")


def camera_names(node: Node) -> list[str]:
    """Declare the parameter ``cameras`` on ``node`` and return its namespaces. Raises ParameterError."""
    descriptor = ParameterDescriptor(description="namespaces of the cameras, such as [front, back]", read_only=True)
    try:
        names: list[str] = list(node.declare_parameter("cameras", [""], descriptor).value or ())
    except InvalidParameterTypeException as err:
        raise ParameterError("parameter 'cameras': expected names such as [front, back]") from err
    if not names or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        raise ParameterError(f"parameter 'cameras': expected different names such as [front, back], got {names}")
    return names
