"""People of a camera topic as bodies: ``ros2 launch hmr_ros hmr.launch.py image_topic:=/camera/image_raw``.

``ros2 launch hmr_ros hmr.launch.py -s`` lists the arguments. The calibration is read from ``camera_info`` beside the
image unless ``camera_info_topic`` says otherwise.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

SHARE = Path(get_package_share_directory("hmr_ros"))

ARGUMENTS = (
    ("namespace", "", "namespace of the node and its topics"),
    ("name", "hmr", "name of the node"),
    ("image_topic", "image", "sensor_msgs/Image to look at; with compressed transport its /compressed sibling"),
    ("camera_info_topic", "", "sensor_msgs/CameraInfo; empty: camera_info beside the image"),
    ("image_transport", "raw", "raw or compressed"),
    ("params_file", str(SHARE / "config" / "hmr.yaml"), "YAML file of parameters"),
    ("model", "", "how bodies are recovered: pose2mesh, global_to_pixel or both; empty: as params_file says"),
    ("backend", "auto", "what runs the networks: auto, tensorrt, tensorrt_rtx, onnxruntime, ... (README)"),
    ("use_sim_time", "false", "take the time from /clock, as for a bag played with --clock"),
    ("autostart", "true", "configure and activate at start; false for a lifecycle manager"),
    ("respawn", "false", "start the node again when it dies"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
    ("rviz", "false", "start RViz as well"),
    ("rviz_config", str(SHARE / "config" / "hmr.rviz"), "RViz configuration"),
)
"""Name, default, description."""


def start_node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, its topics remapped as the arguments ask."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    remappings = [("image", value("image_topic"))]
    if value("camera_info_topic"):
        remappings.append(("camera_info", value("camera_info_topic")))
    flags = {name: ParameterValue(LaunchConfiguration(name), value_type=bool) for name in ("use_sim_time", "autostart")}
    texts = {name: ParameterValue(LaunchConfiguration(name), value_type=str) for name in ("backend", "image_transport")}
    if value("model"):
        texts["model"] = ParameterValue(LaunchConfiguration("model"), value_type=str)
    return [
        Node(
            package="hmr_ros",
            executable="hmr_node",
            name=value("name"),
            namespace=value("namespace"),
            parameters=[value("params_file"), flags | texts],
            remappings=remappings,
            arguments=["--ros-args", "--log-level", f"{value('name')}:={value('log_level')}"],
            respawn=value("respawn") == "true",
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Arguments, transport, node and RViz."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text) for name, default, text in ARGUMENTS
    ]
    # Fast DDS drops large images with its default transports; the camera driver needs the same setting.
    transport = SetEnvironmentVariable("FASTDDS_BUILTIN_TRANSPORTS", "LARGE_DATA")
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", LaunchConfiguration("rviz_config")],
        parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*declared, transport, OpaqueFunction(function=start_node), rviz])
