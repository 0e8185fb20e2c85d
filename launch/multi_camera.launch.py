# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one process that shares the networks: ``ros2 launch hmr_ros multi_camera.launch.py cameras:=a,b``.

Each camera has its namespace, where its node ``hmr`` and its topics are. Topics of arguments are relative to that, as
``image_topic:=color/image_raw`` is ``/front/color/image_raw`` for the camera ``front``; ``{camera}`` in them stands for
its name, as in ``image_topic:=/{camera}_camera/image_raw``.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from hmr_ros.ros.node.launching import absolute, argument, body_node, node_arguments, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    DeclareLaunchArgument("cameras", description="namespaces of the cameras, such as front,back"),
    argument(
        "image_topic", "image", "sensor_msgs/Image of each camera; with compressed transport its /compressed sibling"
    ),
    argument("camera_info_topic", "", "sensor_msgs/CameraInfo of each; left out: camera_info beside the image"),
    argument("depth_topic", "", "sensor_msgs/Image of each camera's depth, registered; left out: as params_file says"),
)


def start_nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The process, every camera's topics remapped as the arguments ask."""
    cameras = [camera.strip() for camera in value(context, "cameras").strip("[]").split(",")]
    topics = {name: value(context, f"{name}_topic") for name in ("image", "camera_info", "depth")}
    remappings = [
        (str(absolute(context, camera, name)), str(absolute(context, camera, topic.replace("{camera}", camera))))
        for camera in cameras
        for name, topic in topics.items()
        if topic
    ]
    nodes = [absolute(context, "hmr_multi"), *(absolute(context, camera, "hmr") for camera in cameras)]
    parameters = {"cameras": cameras} | ({"use_depth": True} if topics["depth"] else {})
    return [body_node(context, "hmr_multi", loggers=nodes, remappings=remappings, parameters=parameters)]


def generate_launch_description() -> LaunchDescription:
    """Arguments and process."""
    return LaunchDescription([*ARGUMENTS, *node_arguments(), OpaqueFunction(function=start_nodes)])
