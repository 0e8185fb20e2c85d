# SPDX-License-Identifier: Apache-2.0
"""People of a camera topic as bodies: ``ros2 launch hmr_ros hmr.launch.py image_topic:=/camera/image_raw``.

``ros2 launch hmr_ros hmr.launch.py -s`` lists the arguments. The calibration is read from ``camera_info`` beside the
image unless ``camera_info_topic`` says otherwise.
"""

from launch.actions import OpaqueFunction

from hmr_ros.ros.node.launching import BOOLS, FRACTION, absolute, argument, body_node, node_arguments, rviz, value
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

ARGUMENTS = (
    argument("image_topic", "image", "sensor_msgs/Image to look at; with compressed transport its /compressed sibling"),
    argument("camera_info_topic", "", "sensor_msgs/CameraInfo; left out: camera_info beside the image"),
    argument("depth_topic", "", "sensor_msgs/Image of depth, registered to the image; left out: as params_file says"),
    argument("name", "hmr", "name of the node"),
    argument("rviz", "false", "start RViz as well", BOOLS),
    argument("rviz_config", str(FRACTION / "config" / "hmr.rviz"), "RViz configuration; hmr_hri.rviz shows ROS4HRI's"),
    argument(
        "rviz_frame",
        "",
        "fixed frame of RViz, such as the image's frame_id; left out: target_frame, or as rviz_config says",
    ),
)


def start_node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, its topics remapped as the arguments ask."""
    topics = {name: value(context, f"{name}_topic") for name in ("image", "camera_info", "depth")}
    return [
        body_node(
            context,
            "hmr_node",
            name=value(context, "name"),
            loggers=[absolute(context, value(context, "name"))],
            remappings=[(name, topic) for name, topic in topics.items() if topic],
            parameters={"use_depth": True} if topics["depth"] else {},
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Arguments, node and RViz."""
    return LaunchDescription(
        [*ARGUMENTS, *node_arguments(), OpaqueFunction(function=start_node), OpaqueFunction(function=rviz)]
    )
