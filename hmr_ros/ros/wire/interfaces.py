# SPDX-License-Identifier: Apache-2.0
"""Optional message packages: the output that needs each of them, and what to install when it is missing.

The node runs without them; each enables an output. hmr_ros brings no copies of them: two packages of the same name
hide each other.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass

from hmr_ros.ros.wire.types import message_class


@dataclass(frozen=True)
class OptionalOutput:
    """An output that needs messages of ``package``."""

    name: str
    package: str

    @property
    def is_available(self) -> bool:
        """Whether the package is installed and sourced."""
        return importlib.util.find_spec(self.package) is not None

    @property
    def remedy(self) -> str:
        """How to install the package, where it is missing."""
        return _remedy(self.package)

    def message(self, name: str) -> type:
        """The Python class of ``<package>/msg/<name>``: a stand-in where the package is not installed."""
        message: type = message_class(self.package, name)
        return message


TF = OptionalOutput("TF", "tf2_msgs")
HUMANS = OptionalOutput("ROS4HRI humans", "hri_msgs")
DETECTIONS = OptionalOutput("3D detections", "vision_msgs")
BOXES = OptionalOutput("boxes of another detector, an input", "vision_msgs")
COLLISION_OBJECTS = OptionalOutput("MoveIt collision objects", "moveit_msgs")
SHAPES = OptionalOutput("their shapes", "shape_msgs")
"""A dependency of moveit_msgs: installed where that is."""
PEOPLE = OptionalOutput("people for nav2", "people_msgs")


def summary(wanted: Sequence[OptionalOutput]) -> str:
    """One line for the log: which of the ``wanted`` outputs are published, and which packages the others need."""
    present = [output.name for output in wanted if output.is_available]
    missing = [f"{output.name} ({output.remedy})" for output in wanted if not output.is_available]
    parts = [f"publishing {', '.join(present)}"] if present else []
    parts += [f"not publishing {', '.join(missing)}"] if missing else []
    return "; ".join(parts)


def _remedy(package: str) -> str:
    """How to install ``package``."""
    distro = os.environ.get("ROS_DISTRO", "<distro>")
    return f"{package} is not installed: apt install ros-{distro}-{package.replace('_', '-')}, or build it from source"
