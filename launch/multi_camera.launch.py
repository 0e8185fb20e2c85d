# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one process that shares the networks: ``ros2 launch hmr_ros multi_camera.launch.py cameras:=a,b``.

Each camera has its namespace, with its node ``hmr`` and its topics. Topics in arguments are relative to it:
``image_topic:=color/image_raw`` is ``/front/color/image_raw`` for the camera ``front``. ``{camera}`` in them is
replaced by its name: ``image_topic:=/{camera}_camera/image_raw``.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from hmr_ros.ros.node.launching import BOOLS, absolute, argument, body_node, node_arguments, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    DeclareLaunchArgument("cameras", description="namespaces of the cameras, such as front,back"),
    argument(
        "image_topic",
        "image",
        "sensor_msgs/Image; with image_transport:=compressed, <image_topic>/compressed",
    ),
    argument("camera_info_topic", "", "sensor_msgs/CameraInfo; default: camera_info beside the image topic"),
    argument("fuse", "false", "one set of people of all cameras, in world_frame", BOOLS),
    argument("world_frame", "", "frame of TF that stands still, such as map; default: from params_file"),
    argument("depth_topic", "", "sensor_msgs/Image of depth, registered to the image; default: from params_file"),
)


def start_nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The process of all cameras, with topics remapped by the arguments."""
    cameras = [camera.strip() for camera in value(context, "cameras").strip("[]").split(",")]
    topics = {name: value(context, f"{name}_topic") for name in ("image", "camera_info", "depth")}
    remappings = [
        (str(absolute(context, camera, name)), str(absolute(context, camera, topic.replace("{camera}", camera))))
        for camera in cameras
        for name, topic in topics.items()
        if topic
    ]
    nodes = [absolute(context, name) for name in ("hmr_multi", "hmr_fuse")]
    nodes += [absolute(context, camera, "hmr") for camera in cameras]
    parameters = {"cameras": cameras, "fuse": value(context, "fuse") == "true"}
    parameters |= {"use_depth": True} if topics["depth"] else {}
    parameters |= {"world_frame": value(context, "world_frame")} if value(context, "world_frame") else {}
    return [body_node(context, "hmr_multi", loggers=nodes, remappings=remappings, parameters=parameters)]


def generate_launch_description() -> LaunchDescription:
    """Arguments and the process."""
    return LaunchDescription([*ARGUMENTS, *node_arguments(), OpaqueFunction(function=start_nodes)])
