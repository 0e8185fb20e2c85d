# SPDX-License-Identifier: Apache-2.0
"""``hmr_multi``: several cameras in one process, which share the networks.

The parameter ``cameras`` names them::

    ros2 run hmr_ros hmr_multi --ros-args -p cameras:="[front, back]" -r /front/image:=/front_camera/image_raw

Each camera is a lifecycle node ``/<camera>/hmr`` with the parameters, services and topics of ``hmr_node`` in its own
namespace, and with its own detector, tracker and smoother. The node ``/hmr_multi`` has the parameter ``cameras`` and
publishes ROS4HRI's list of all tracks. The cameras share the networks and the body model, which are loaded once and run
by one camera after the other; an id is unique in the process; all tracks are in one ``/humans/bodies/tracked``.

With ``fuse``, the node ``/hmr_fuse`` (fusing.py) runs in the process, too: a person whom several cameras see is one. It
alone publishes TF of people, ROS4HRI's topics and collision objects then; ``bodies``, markers, meshes and overlays of
each camera stay. In the process it is also told how people look, which no message says.

The namespace of the process (``__ns``) comes first: ``/robot/front/hmr``. One file holds the parameters of all cameras:
``/**`` is for every node, ``/front/hmr`` for one. Remapping rules name absolute topics, as above; ``image`` alone would
be the image of every camera. If a camera with ``autostart`` cannot start, the process ends with status 1.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hmr_ros.core.config import RobotConfig
from hmr_ros.perception.assemble import assemble_live
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.ros.node import process
from hmr_ros.ros.node.fusing import FuseNode
from hmr_ros.ros.node.log_bridge import logged_by
from hmr_ros.ros.node.names import camera_names
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.output.looks import SharedLooks
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.wire.qos import ParameterError

_OF_THE_ROOM = {"humans.enabled": False, "publish_tf": "none", "planning.collision_objects": False}
"""Parameters of cameras whose people are fused: what a robot must get once is published by ``hmr_fuse`` alone."""


class CameraGroup(Node):
    """The node ``/hmr_multi``, and the nodes of the cameras that its parameter names. Raises ParameterError.

    ``build`` makes each camera's perception pipeline; tests pass their own.
    """

    def __init__(self, build: Callable[[RobotConfig], Pipeline] | None = None, context: Context | None = None) -> None:
        # destroy_node frees these, and ROS calls it also when a parameter is refused below.
        self.cameras: tuple[HmrNode, ...] = ()
        self.fusing: FuseNode | None = None
        self._logging = contextlib.ExitStack()
        super().__init__("hmr_multi", context=context)
        self._logging.enter_context(logged_by(self.get_logger()))
        build = build or functools.partial(assemble_live, parts=SharedParts())
        shared, above = SharedOutputs.of(PublisherFactory(self)), self.get_namespace().rstrip("/")
        names, fuses = camera_names(self), _fuses(self)
        looks = SharedLooks() if fuses else None
        self.fusing = FuseNode(names, context=context, looks=looks) if fuses else None
        overrides = [Parameter(name, value=value) for name, value in _OF_THE_ROOM.items()] if fuses else None
        of_camera = {
            name: shared if looks is None else dataclasses.replace(shared, looks=looks.of_camera(name))
            for name in names
        }
        self.cameras = tuple(HmrNode(build, overrides, f"{above}/{name}", of_camera[name], context) for name in names)

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes of the cameras, this one, and the one that fuses their people, if there is one."""
        return (*self.cameras, self, *([self.fusing] if self.fusing else []))

    def autostart(self) -> bool:
        """Start the cameras whose parameter ``autostart`` is set; False when one fails."""
        return all(camera.autostart() for camera in self.cameras)

    def destroy_node(self) -> None:
        """Stop all cameras, free everything and leave the graph."""
        for camera in self.cameras:
            camera.destroy_node()
        if self.fusing is not None:
            self.fusing.destroy_node()
        self._logging.close()
        super().destroy_node()


def _fuses(node: Node) -> bool:
    """Declare the parameter ``fuse`` on ``node`` and return its value. Raises ParameterError."""
    text = "make one set of people of those of all cameras, as hmr_fuse does; needs the parameter world_frame"
    try:
        return bool(node.declare_parameter("fuse", False, ParameterDescriptor(description=text, read_only=True)).value)
    except InvalidParameterTypeException as err:
        raise ParameterError("parameter 'fuse': expected true or false") from err


def main(args: list[str] | None = None, build: Callable[[RobotConfig], Pipeline] | None = None) -> int:
    """Run all cameras until a signal stops the process; returns its exit status."""
    return process.run("hmr_multi", lambda: CameraGroup(build), args)


if __name__ == "__main__":
    sys.exit(main())
