# SPDX-License-Identifier: Apache-2.0
"""The node on a video, a directory of images or a webcam, with RViz: ``ros2 launch hmr_ros demo.launch.py``."""

import math
from pathlib import Path

from launch.actions import IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hmr_ros.ros.node.launching import BOOLS, SHARE, argument, installed, transport, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    argument(
        "source",
        str(SHARE / "samples" / "crossing.mp4"),
        "video, image, directory, number or device of a webcam, or URL",
    ),
    argument(
        "camera_info",
        "",
        "calibration file; default: the .yaml beside the source, else an assumed field of view",
    ),
    argument("rviz", "true", "start RViz", BOOLS),
    argument("namespace", "", "namespace of nodes and topics"),
)

TOPICS = {"image_topic": "image", "camera_info_topic": "", "depth_topic": "", "image_transport": "raw"}
"""Arguments of hmr.launch.py that the player fixes."""


def start_player(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The player: publishes the source as a camera does."""
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
    """A static transform camera_link -> camera_optical_frame, as on a robot: RViz shows z up."""
    if not installed("tf2_ros"):
        return []
    rotation = ["--roll", str(-math.pi / 2), "--yaw", str(-math.pi / 2)]  # REP-103, optical frames
    frames = ["--frame-id", "camera_link", "--child-frame-id", "camera_optical_frame"]
    return [Node(package="tf2_ros", executable="static_transform_publisher", arguments=[*rotation, *frames])]


def generate_launch_description() -> LaunchDescription:
    """Arguments, player, static transform, and hmr.launch.py."""
    arguments = TOPICS | {name: LaunchConfiguration(name) for name in ("rviz", "namespace")}
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "hmr.launch.py")), launch_arguments=arguments.items()
    )
    return LaunchDescription(
        [*ARGUMENTS, OpaqueFunction(function=start_player), OpaqueFunction(function=start_frame), node]
    )
