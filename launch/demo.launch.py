# SPDX-License-Identifier: Apache-2.0
"""A clip, a directory of images or a webcam, through the node, into RViz: ``ros2 launch hmr_ros demo.launch.py``."""

import math
from pathlib import Path

from launch.actions import IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hmr_ros.ros.node.launching import BOOLS, FRACTION, argument, installed, transport, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    argument(
        "source", str(FRACTION / "samples" / "crossing.mp4"), "video, image, directory of images, or number of a webcam"
    ),
    argument("camera_info", "", "its calibration file; left out: the .yaml beside it, if there is one, else assumed"),
    argument("rviz", "true", "start RViz as well", BOOLS),
    argument("namespace", "", "namespace of nodes and topics"),
)

TOPICS = {"image_topic": "image", "camera_info_topic": "", "depth_topic": "", "image_transport": "raw"}
"""What the player publishes, whatever hmr.launch.py is told."""


def start_player(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The source as a camera."""
    source = value(context, "source")
    beside = Path(source).with_suffix(".yaml")
    calibration = value(context, "camera_info") or (str(beside) if beside.is_file() else "")
    return [
        Node(
            package="hmr_ros",
            executable="hmr_player",
            namespace=value(context, "namespace"),
            arguments=[source, "--loop", "--wait", "1", "--camera-info", calibration],
            additional_env=transport(context),
            output="screen",
        )
    ]


def start_frame(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """A level frame of the camera, as robots have one: RViz shows z as up."""
    if not installed("tf2_ros"):
        return []
    turns = ["--roll", str(-math.pi / 2), "--yaw", str(-math.pi / 2)]  # REP-103, optical frames
    frames = ["--frame-id", "camera_link", "--child-frame-id", "camera_optical_frame"]
    return [Node(package="tf2_ros", executable="static_transform_publisher", arguments=[*turns, *frames])]


def generate_launch_description() -> LaunchDescription:
    """The player beside hmr.launch.py."""
    arguments = TOPICS | {name: LaunchConfiguration(name) for name in ("rviz", "namespace")}
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(FRACTION / "launch" / "hmr.launch.py")), launch_arguments=arguments.items()
    )
    return LaunchDescription(
        [*ARGUMENTS, OpaqueFunction(function=start_player), OpaqueFunction(function=start_frame), node]
    )
