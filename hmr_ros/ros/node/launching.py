# SPDX-License-Identifier: Apache-2.0
"""What the launch files share. Only they import it: ``launch`` is in every ROS 2, but not among the wheels on PyPI.

An argument that stands for a parameter is empty by default: ``params_file`` decides, or the launch file that includes
ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe

FRACTION = Path(get_package_share_directory("hmr_ros"))

BOOLS = ("true", "false")

_PROFILES = "FASTDDS_DEFAULT_PROFILES_FILE"
_PROFILES_OF_JAZZY = "FASTRTPS_DEFAULT_PROFILES_FILE"
_PARAMETERS = ("model", "backend", "image_transport", "target_frame", "autostart")
_SETTINGS = {setting.name: setting for setting in describe(RobotConfig) if setting.name in _PARAMETERS}
_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
_RESPAWN_DELAY_S = 2.0  # who cannot be configured dies at once, and shall not fill the log


def argument(name: str, default: str, text: str, choices: Sequence[str] | None = None) -> DeclareLaunchArgument:
    """An argument that may be left out."""
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def node_arguments() -> list[DeclareLaunchArgument]:
    """The arguments of a process that estimates bodies: those that ``body_node`` reads."""
    parameters = [
        argument(s.name, "", f"{s.doc}; left out: as params_file says", _choices(s.type == "bool", s.choices))
        for s in _SETTINGS.values()
    ]
    return [
        argument("namespace", "", "namespace of nodes and topics"),
        argument("params_file", str(FRACTION / "config" / "hmr.yaml"), "YAML file of parameters"),
        *parameters,
        argument("use_sim_time", "", "take the time from /clock, as for a bag played with --clock", ("", *BOOLS)),
        argument("respawn", "false", "start the node again when it dies", BOOLS),
        argument("log_level", "info", "least severity that is logged", _LOG_LEVELS),
    ]


def _choices(is_switch: bool, choices: Sequence[object] | None) -> list[str] | None:
    words = BOOLS if is_switch else choices
    return None if words is None else ["", *map(str, words)]


def installed(package: str) -> bool:
    """Whether the ROS package is there to be started."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def value(context: LaunchContext, name: str) -> str:
    """What the argument ``name`` was given."""
    return str(LaunchConfiguration(name).perform(context))


def absolute(context: LaunchContext, *names: str) -> PurePosixPath:
    """The ROS name of ``names`` one below the other, in the namespace that the arguments ask for."""
    pushed = context.launch_configurations.get("ros_namespace", "")  # by who includes the launch file
    return PurePosixPath("/", pushed, value(context, "namespace"), *names)


def body_node(
    context: LaunchContext,
    executable: str,
    loggers: Sequence[PurePosixPath],
    remappings: Sequence[tuple[str, str]],
    parameters: dict[str, ParameterValue],
    name: str | None = None,
) -> Node:
    """The process ``executable``, whose nodes are ``loggers``; ``parameters`` win over those of arguments and file."""
    file = value(context, "params_file")
    if not Path(file).is_file():  # launch would only warn, and the node run with its defaults
        raise FileNotFoundError(f"params_file:={file}: no such file")
    levels = [f"{'.'.join(node.parts[1:])}:={value(context, 'log_level')}" for node in loggers]
    return Node(
        package="hmr_ros",
        executable=executable,
        name=name,
        namespace=value(context, "namespace"),
        parameters=[file, _given(context) | parameters],
        remappings=remappings,
        ros_arguments=[part for level in levels for part in ("--log-level", level)],
        respawn=value(context, "respawn") == "true",
        respawn_delay=_RESPAWN_DELAY_S,
        additional_env=transport(context),
        output="screen",
    )


def transport(context: LaunchContext) -> dict[str, str]:
    """The environment of a publisher of large messages (config/fastdds.xml), unless the user has set another."""
    environment = context.environment
    if any(name in environment for name in ("FASTDDS_BUILTIN_TRANSPORTS", _PROFILES, _PROFILES_OF_JAZZY)):
        return {}
    name = _PROFILES_OF_JAZZY if environment.get("ROS_DISTRO") == "jazzy" else _PROFILES
    return {name: str(FRACTION / "config" / "fastdds.xml")}


def _given(context: LaunchContext) -> dict[str, ParameterValue]:
    """The parameters that arguments set."""
    types = {name: bool if s.type == "bool" else str for name, s in _SETTINGS.items()} | {"use_sim_time": bool}
    return {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in types.items()
        if value(context, name)
    }


def rviz(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz, if it is asked for and installed."""
    if value(context, "rviz") != "true":
        return []
    if not installed("rviz2"):
        return [LogInfo(msg="RViz is not started, as it is not installed: sudo apt install ros-$ROS_DISTRO-rviz2")]
    frame = value(context, "rviz_frame") or value(context, "target_frame")
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=value(context, "namespace"),
            remappings=[("image", value(context, "image_topic"))],
            arguments=["-d", value(context, "rviz_config"), *(["-f", frame] if frame else [])],
            parameters=[{name: given for name, given in _given(context).items() if name == "use_sim_time"}],
        )
    ]
