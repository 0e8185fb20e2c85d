# SPDX-License-Identifier: Apache-2.0
"""``hmr_multi``: several cameras in one process, which share the networks.

ROS's parameters say which they are::

    ros2 run hmr_ros hmr_multi --ros-args -p cameras:="[front, back]" -r /front/image:=/front_camera/image_raw

Each camera is a lifecycle node ``/<camera>/hmr`` that is all that ``hmr_node`` is: the same parameters, services and
topics, in its own namespace, its own detector, tracker and smoother. Beside them stands ``/hmr_multi``, which has the
parameter ``cameras`` and publishes ROS4HRI's list of everybody. What the cameras share: networks and body model are
loaded once and run by one camera after the other; an id means one person (of one camera) in all of the process; all
people are in one ``/humans/bodies/tracked``.

The namespace of the process (``__ns``) stands before all of that: ``/robot/front/hmr``. One file has the parameters of
all cameras, as ROS files do: ``/**`` is for every node, ``/front/hmr`` for one. Remapping rules name absolute topics,
as above; ``image`` alone would be the image of every camera. A camera that is to start by itself (its ``autostart``)
and cannot ends the process with status 1.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Callable, Sequence

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node

from hmr_ros.core.config import RobotConfig
from hmr_ros.perception.assemble import Assembly, assemble
from hmr_ros.perception.shared import SharedParts
from hmr_ros.ros.node import process
from hmr_ros.ros.node.log_bridge import logged_by
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.output.tracked import TrackedLists
from hmr_ros.ros.wire.qos import ParameterError

_NAME = re.compile(r"[A-Za-z]\w*(/[A-Za-z]\w*)*")


class CameraGroup(Node):
    """The nodes of all cameras, which the parameter ``cameras`` names. Raises ParameterError.

    ``build`` makes each camera's perception pipeline; tests pass their own.
    """

    def __init__(self, build: Callable[[RobotConfig], Assembly] | None = None, context: Context | None = None) -> None:
        # What destroy_node frees: ROS calls it also when a parameter is refused below.
        self.cameras: tuple[HmrNode, ...] = ()
        self._logging = contextlib.ExitStack()
        super().__init__("hmr_multi", context=context)
        self._logging.enter_context(logged_by(self.get_logger()))
        build = build or functools.partial(assemble, parts=SharedParts())
        lists, above = TrackedLists(self), self.get_namespace().rstrip("/")
        self.cameras = tuple(
            HmrNode(build, namespace=f"{above}/{name}", lists=lists, context=context) for name in _names(self)
        )

    @property
    def nodes(self) -> Sequence[Node]:
        """The cameras' and this one."""
        return (*self.cameras, self)

    def autostart(self) -> bool:
        """Start the cameras that are to start by themselves; False when one cannot."""
        return all(camera.autostart() for camera in self.cameras)

    def destroy_node(self) -> None:
        """Stop all cameras, free everything and leave the graph."""
        for camera in self.cameras:
            camera.destroy_node()
        self._logging.close()
        super().destroy_node()


def _names(node: Node) -> list[str]:
    """The namespaces that the parameter ``cameras`` of ``node`` asks for."""
    descriptor = ParameterDescriptor(description="namespaces of the cameras, such as [front, back]", read_only=True)
    try:
        names: list[str] = list(node.declare_parameter("cameras", [""], descriptor).value or ())
    except InvalidParameterTypeException as err:
        raise ParameterError("parameter 'cameras': expected names such as [front, back]") from err
    if not names or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        raise ParameterError(f"parameter 'cameras': expected different names such as [front, back], got {names}")
    return names


def main(args: list[str] | None = None, build: Callable[[RobotConfig], Assembly] | None = None) -> int:
    """Run all cameras until told to stop."""
    return process.run("hmr_multi", lambda: CameraGroup(build), args)


if __name__ == "__main__":
    sys.exit(main())
