# SPDX-License-Identifier: Apache-2.0
"""One set of people from the bodies of cameras on other machines: ``ros2 launch hmr_ros fuse.launch.py cameras:=a,b``.

Reads ``/<camera>/bodies``, or other topics: ``bodies_topic:=/robots/{camera}/bodies``.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from hmr_ros.ros.node.launching import absolute, argument, body_node, node_arguments, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    DeclareLaunchArgument("cameras", description="names of the cameras, such as front,back"),
    DeclareLaunchArgument("world_frame", description="frame of TF that stands still, such as map"),
    argument("bodies_topic", "", "hmr_ros/SmplBodyArray of {camera}; default: <camera>/bodies"),
)


def start_node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node that fuses, with topics remapped by the arguments."""
    cameras = [camera.strip() for camera in value(context, "cameras").strip("[]").split(",")]
    topic = value(context, "bodies_topic")
    remappings = [
        (str(absolute(context, camera, "bodies")), str(absolute(context, topic.replace("{camera}", camera))))
        for camera in cameras
        if topic
    ]
    parameters = {"cameras": cameras, "world_frame": value(context, "world_frame")}
    loggers = [absolute(context, "hmr_fuse")]
    return [body_node(context, "hmr_fuse", loggers=loggers, remappings=remappings, parameters=parameters)]


def generate_launch_description() -> LaunchDescription:
    """Arguments and the node."""
    return LaunchDescription([*ARGUMENTS, *node_arguments(), OpaqueFunction(function=start_node)])
