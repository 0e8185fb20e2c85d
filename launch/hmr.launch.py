# SPDX-License-Identifier: Apache-2.0
"""The node for one camera: ``ros2 launch hmr_ros hmr.launch.py image_topic:=/camera/image_raw``.

``ros2 launch hmr_ros hmr.launch.py -s`` lists the arguments. The calibration is subscribed from ``camera_info``
in the namespace of the image unless ``camera_info_topic`` is given.
"""

from launch.actions import OpaqueFunction

from hmr_ros.ros.node.launching import BOOLS, absolute, argument, body_node, node_arguments, rviz, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    argument("image_topic", "image", "sensor_msgs/Image; with image_transport:=compressed, <image_topic>/compressed"),
    argument("camera_info_topic", "", "sensor_msgs/CameraInfo; default: camera_info beside the image topic"),
    argument("depth_topic", "", "sensor_msgs/Image of depth, registered to the image; default: from params_file"),
    argument("world_frame", "", "frame of TF that stands still, such as odom; default: from params_file"),
    argument("name", "hmr", "name of the node"),
    argument("rviz", "false", "start RViz", BOOLS),
    argument(
        "rviz_config",
        "",
        "RViz configuration; hmr_hri.rviz: ROS4HRI; default: hmr_world.rviz where world_frame is set, else hmr.rviz",
    ),
    argument(
        "rviz_frame",
        "",
        "fixed frame of RViz, such as the frame_id of the image; default: world_frame, else target_frame, else from "
        "rviz_config",
    ),
)


def start_node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, with topics remapped by the arguments."""
    topics = {name: value(context, f"{name}_topic") for name in ("image", "camera_info", "depth")}
    world = value(context, "world_frame")
    return [
        body_node(
            context,
            "hmr_node",
            name=value(context, "name"),
            loggers=[absolute(context, value(context, "name"))],
            remappings=[(name, topic) for name, topic in topics.items() if topic],
            parameters=({"use_depth": True} if topics["depth"] else {}) | ({"world_frame": world} if world else {}),
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Arguments, node and RViz."""
    return LaunchDescription(
        [*ARGUMENTS, *node_arguments(), OpaqueFunction(function=start_node), OpaqueFunction(function=rviz)]
    )
