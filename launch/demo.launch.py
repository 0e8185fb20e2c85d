"""A clip, a folder of images or a webcam, through the node, into RViz: ``ros2 launch hmr_ros demo.launch.py``."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

SHARE = Path(get_package_share_directory("hmr_ros"))

ARGUMENTS = (
    ("source", str(SHARE / "samples" / "crossing.mp4"), "video, image, folder of images, or number of a webcam"),
    ("camera_info", str(SHARE / "samples" / "crossing.yaml"), "calibration file of the source; empty: assume one"),
    ("model", "", "how bodies are recovered: pose2mesh, global_to_pixel or both; empty: the node's default"),
    ("rviz", "true", "start RViz as well"),
)
"""Name, default, description."""


def generate_launch_description() -> LaunchDescription:
    """The player beside hmr.launch.py."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text) for name, default, text in ARGUMENTS
    ]
    transport = SetEnvironmentVariable("FASTDDS_BUILTIN_TRANSPORTS", "LARGE_DATA")
    player = Node(
        package="hmr_ros",
        executable="hmr_player",
        arguments=[
            *(LaunchConfiguration("source"), "--loop", "--wait", "1"),
            *("--camera-info", LaunchConfiguration("camera_info")),
        ],
        output="screen",
    )
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "hmr.launch.py")),
        launch_arguments={name: LaunchConfiguration(name) for name in ("model", "rviz")}.items(),
    )
    return LaunchDescription([*declared, transport, player, node])
