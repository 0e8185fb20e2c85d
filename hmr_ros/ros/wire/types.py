# SPDX-License-Identifier: Apache-2.0
"""The message classes of our writers: those of ROS, or stand-ins on a machine without it, as for recordings.

Of a package that is installed, its classes; of any other, those that standins.py makes from the definitions. To both
the writers do the same, and get the same bytes.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from hmr_ros.ros.wire import standins

__all__ = [
    "AbstractNestedType",
    "AbstractString",
    "Array",
    "BasicType",
    "CameraInfo",
    "ColorRGBA",
    "DiagnosticArray",
    "DiagnosticStatus",
    "Duration",
    "Header",
    "Image",
    "JointState",
    "KeyValue",
    "Marker",
    "MarkerArray",
    "NamespacedType",
    "Point",
    "PointCloud2",
    "PointStamped",
    "Pose",
    "Quaternion",
    "SmplBody",
    "SmplBodyArray",
    "SmplForecast",
    "String",
    "Time",
    "Twist",
    "TwistStamped",
    "Vector3",
    "message_class",
    "type_name",
]


def message_class(package: str, name: str) -> Any:
    """The class of ``<package>/msg/<name>``: of the installed package, or a stand-in."""
    if is_installed(package):
        return getattr(importlib.import_module(f"{package}.msg"), name)
    return standins.standin(f"{package}/{name}")


def is_installed(package: str) -> bool:
    """Whether the messages of ``package`` are installed and sourced. Ours are, only where colcon has built them."""
    try:
        return importlib.util.find_spec(f"{package}.msg") is not None
    except ModuleNotFoundError:
        return False


def type_name(message_type: Any) -> str:
    """The name of a message class in the ROS graph, such as sensor_msgs/msg/Image."""
    return f"{message_type.__module__.partition('.')[0]}/msg/{message_type.__name__}"


if TYPE_CHECKING:
    from builtin_interfaces.msg import Duration, Time
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    from geometry_msgs.msg import Point, PointStamped, Pose, Quaternion, Twist, TwistStamped, Vector3
    from rosidl_parser.definition import AbstractNestedType, AbstractString, Array, BasicType, NamespacedType
    from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2
    from std_msgs.msg import ColorRGBA, Header, String
    from visualization_msgs.msg import Marker, MarkerArray

    from hmr_ros.msg import SmplBody, SmplBodyArray, SmplForecast
else:
    _KINDS = ("AbstractNestedType", "AbstractString", "Array", "BasicType", "NamespacedType")
    _MESSAGES = {
        "builtin_interfaces": ("Duration", "Time"),
        "diagnostic_msgs": ("DiagnosticArray", "DiagnosticStatus", "KeyValue"),
        "geometry_msgs": ("Point", "PointStamped", "Pose", "Quaternion", "Twist", "TwistStamped", "Vector3"),
        "hmr_ros": ("SmplBody", "SmplBodyArray", "SmplForecast"),
        "sensor_msgs": ("CameraInfo", "Image", "JointState", "PointCloud2"),
        "std_msgs": ("ColorRGBA", "Header", "String"),
        "visualization_msgs": ("Marker", "MarkerArray"),
    }

    for _package, _names in _MESSAGES.items():
        globals().update({name: message_class(_package, name) for name in _names})
    _INSTALLED = importlib.import_module("rosidl_parser.definition") if is_installed("std_msgs") else standins
    # Where ROS is installed, other packages may be missing: their fields are described by the stand-ins' classes.
    globals().update({kind: getattr(_INSTALLED, kind) | getattr(standins, kind) for kind in _KINDS})
