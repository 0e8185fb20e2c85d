# SPDX-License-Identifier: Apache-2.0
"""Arguments and actions that the launch files share. Only they import it: ``launch`` is in every ROS 2, not on PyPI.

A launch argument that sets a parameter is empty by default: then ``params_file`` or the including launch file decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe
from hmr_ros.ros.wire.transport import for_large_messages

SHARE = Path(get_package_share_directory("hmr_ros"))

BOOLS = ("true", "false")

_PARAMETERS = ("model", "backend", "image_transport", "target_frame", "autostart")
_SETTINGS = {setting.name: setting for setting in describe(RobotConfig) if setting.name in _PARAMETERS}
_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
_RESPAWN_DELAY_S = 2.0  # a node that cannot be configured exits at once, and would fill the log


def argument(name: str, default: str, text: str, choices: Sequence[str] | None = None) -> DeclareLaunchArgument:
    """An optional launch argument; ``text`` is its description."""
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def node_arguments() -> list[DeclareLaunchArgument]:
    """The launch arguments that ``body_node`` reads."""
    parameters = [
        argument(s.name, "", f"{s.doc}; default: from params_file", _choices(s.type == "bool", s.choices))
        for s in _SETTINGS.values()
    ]
    return [
        argument("namespace", "", "namespace of nodes and topics"),
        argument("params_file", str(SHARE / "config" / "hmr.yaml"), "YAML file of parameters"),
        *parameters,
        argument(
            "use_sim_time",
            "",
            "take the time from /clock, as of a bag; default: from params_file",
            ("", *BOOLS),
        ),
        argument("respawn", "false", "restart the node when it exits", BOOLS),
        argument("log_level", "info", "minimum severity that is logged", _LOG_LEVELS),
    ]


def _choices(is_switch: bool, choices: Sequence[object] | None) -> list[str] | None:
    """The words that an argument may be set to, the empty one among them; None: any."""
    words = BOOLS if is_switch else choices
    return None if words is None else ["", *map(str, words)]


def installed(package: str) -> bool:
    """Whether the ROS package ``package`` is installed."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def value(context: LaunchContext, name: str) -> str:
    """The value of the launch argument ``name``."""
    return str(LaunchConfiguration(name).perform(context))


def absolute(context: LaunchContext, *names: str) -> PurePosixPath:
    """The absolute ROS name of ``names`` joined by slashes, in the namespace that the launch arguments give."""
    pushed = context.launch_configurations.get("ros_namespace", "")  # by the including launch file
    return PurePosixPath("/", pushed, value(context, "namespace"), *names)


def body_node(
    context: LaunchContext,
    executable: str,
    loggers: Sequence[PurePosixPath],
    remappings: Sequence[tuple[str, str]],
    parameters: dict[str, ParameterValue],
    name: str | None = None,
) -> Node:
    """The action that starts ``executable``, whose nodes log as ``loggers``. Raises FileNotFoundError.

    ``parameters`` override those of launch arguments, which override those of ``params_file``.
    """
    file = value(context, "params_file")
    if not Path(file).is_file():  # launch would only warn, and the node run with its defaults
        raise FileNotFoundError(f"params_file:={file}: no such file; give the path of a YAML file")
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
    """Environment variables for publishing large messages, unless the user has set others."""
    return for_large_messages(context.environment)


def _given(context: LaunchContext) -> dict[str, ParameterValue]:
    """The parameters that launch arguments set."""
    types = {name: bool if s.type == "bool" else str for name, s in _SETTINGS.items()} | {"use_sim_time": bool}
    return {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in types.items()
        if value(context, name)
    }


def rviz(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The action that starts RViz, if the argument ``rviz`` is true and RViz is installed."""
    if value(context, "rviz") != "true":
        return []
    if not installed("rviz2"):
        return [LogInfo(msg="RViz is not installed, and not started: sudo apt install ros-$ROS_DISTRO-rviz2")]
    config, frame = _view(context)
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=value(context, "namespace"),
            remappings=[("image", value(context, "image_topic"))],
            arguments=["-d", config, *(["-f", frame] if frame else [])],
            parameters=[{name: given for name, given in _given(context).items() if name == "use_sim_time"}],
        )
    ]


def _view(context: LaunchContext) -> tuple[str, str]:
    """The configuration of RViz and its fixed frame, "": that of the configuration.

    Where a world frame is set and no other view is asked for, people stand in it.
    """
    config, frame = value(context, "rviz_config"), value(context, "rviz_frame")
    world = value(context, "world_frame") or _in_file(value(context, "params_file"), "world_frame")
    if world and not config:
        return str(SHARE / "config" / "hmr_world.rviz"), frame or world
    return config or str(SHARE / "config" / "hmr.rviz"), frame or value(context, "target_frame")


def _in_file(file: str, name: str) -> str:
    """The parameter ``name`` in a YAML ``file`` of parameters; "" where no node has it, or there is no such file."""
    if not Path(file).is_file():
        return ""
    nodes = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
    given = [node.get("ros__parameters", {}).get(name) for node in nodes.values() if isinstance(node, dict)]
    return str(next((found for found in given if found), ""))
