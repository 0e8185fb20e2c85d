# SPDX-License-Identifier: Apache-2.0
"""What the launch files share, with stand-ins for ``launch``, which no wheel has; with the real one: test_launch.py."""

import importlib
import sys
from pathlib import PurePosixPath
from types import ModuleType, SimpleNamespace

import pytest
from ament_index_python.packages import PackageNotFoundError

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe


class Context:
    """The launch arguments and the environment."""

    def __init__(self, environment=(), pushed="", **arguments):
        self.environment, self.arguments = dict(environment), arguments
        self.launch_configurations = {"ros_namespace": pushed} if pushed else {}


class Configuration:
    def __init__(self, name):
        self.name = name

    def perform(self, context):
        return context.arguments.get(self.name, "")


def record(*positional):
    """A class that keeps its arguments by name."""
    return lambda *args, **named: SimpleNamespace(**dict(zip(positional, args, strict=False)), **named)


@pytest.fixture
def launching(monkeypatch):
    """The module, imported with stand-ins, and forgotten afterwards."""
    contents = {
        "launch.actions": {"DeclareLaunchArgument": record("name"), "LogInfo": record()},
        "launch.launch_context": {"LaunchContext": Context},
        "launch.launch_description_entity": {"LaunchDescriptionEntity": object},
        "launch.substitutions": {"LaunchConfiguration": Configuration},
        "launch_ros.actions": {"Node": record()},
        "launch_ros.parameter_descriptions": {
            "ParameterValue": lambda value, value_type: (value.name, value_type),
        },
    }
    for name, content in ({"launch": {}, "launch_ros": {}} | contents).items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "hmr_ros.ros.node.launching", raising=False)
    yield importlib.import_module("hmr_ros.ros.node.launching")
    sys.modules.pop("hmr_ros.ros.node.launching")


def test_arguments_have_choices_and_leave_parameters_to_the_file(launching):
    made = {argument.name: argument for argument in launching.node_arguments()}
    settings = {setting.name: setting for setting in describe(RobotConfig)}
    parameters = ["model", "backend", "image_transport", "target_frame", "autostart"]
    assert set(made) == {*parameters, "namespace", "params_file", "use_sim_time", "respawn", "log_level"}
    for name in parameters:
        assert made[name].default_value == ""
        assert made[name].description == f"{settings[name].doc}; default: from params_file"
    assert made["image_transport"].choices == ["", "raw", "compressed"]
    assert made["autostart"].choices == ["", "true", "false"]
    assert made["target_frame"].choices is None
    assert (made["use_sim_time"].default_value, made["use_sim_time"].choices) == ("", ("", "true", "false"))
    assert (made["respawn"].default_value, made["respawn"].choices) == ("false", ("true", "false"))
    assert made["log_level"].default_value == "info"
    assert made["log_level"].choices == ("debug", "info", "warn", "error", "fatal")
    assert (made["namespace"].default_value, made["namespace"].choices) == ("", None)
    assert PurePosixPath(made["params_file"].default_value).parts[-2:] == ("config", "hmr.yaml")
    assert all(argument.description for argument in made.values())


def test_installed_packages_are_known(launching, monkeypatch):
    def prefix(package):
        if package != "here":
            raise PackageNotFoundError(package)

    monkeypatch.setattr(launching, "get_package_prefix", prefix)
    assert launching.installed("here")
    assert not launching.installed("elsewhere")


@pytest.mark.parametrize(
    ("pushed", "namespace", "expected"),
    [
        ("", "", "/a/b"),
        ("", "robot", "/robot/a/b"),
        ("fleet", "robot", "/fleet/robot/a/b"),
        ("fleet", "", "/fleet/a/b"),
    ],
)
def test_names_are_absolute_in_all_namespaces(launching, pushed, namespace, expected):
    assert str(launching.absolute(Context(pushed=pushed, namespace=namespace), "a", "b")) == expected


def test_the_node_gets_file_arguments_and_overrides_in_this_order(launching, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("")
    given = {"model": "both", "autostart": "false", "use_sim_time": "true", "backend": ""}
    context = Context(
        params_file=str(file), log_level="warn", respawn="true", namespace="robot", target_frame="odom", **given
    )
    loggers = [PurePosixPath("/robot/front/hmr"), PurePosixPath("/hmr_multi")]
    remappings, overrides = [("image", "/cam")], {"use_depth": "yes", "model": "mine"}
    node = launching.body_node(context, "hmr_multi", loggers, remappings, overrides, "eyes")
    assert (node.package, node.executable, node.name, node.namespace) == ("hmr_ros", "hmr_multi", "eyes", "robot")
    path, parameters = node.parameters
    assert path == str(file)
    assert parameters == {
        "model": "mine",
        "autostart": ("autostart", bool),
        "use_sim_time": ("use_sim_time", bool),
        "target_frame": ("target_frame", str),
        "use_depth": "yes",
    }
    assert node.remappings is remappings
    assert node.ros_arguments == ["--log-level", "robot.front.hmr:=warn", "--log-level", "hmr_multi:=warn"]
    assert (node.respawn, node.output) == (True, "screen")
    assert node.respawn_delay > 0
    assert node.additional_env == launching.transport(context)
    context.arguments["respawn"] = "false"
    assert launching.body_node(context, "hmr_node", loggers, [], {}).respawn is False
    assert launching.body_node(context, "hmr_node", loggers, [], {}).name is None


def test_a_file_that_is_missing_is_named(launching, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"params_file:=.*/none\.yaml: no such file"):
        launching.body_node(Context(params_file=str(tmp_path / "none.yaml")), "hmr_node", [], [], {})


FAST, OLD = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, [FAST]),
        ({"ROS_DISTRO": "kilted"}, [FAST]),
        ({"ROS_DISTRO": "jazzy"}, [OLD]),
        *(({name: "mine"}, []) for name in ("FASTDDS_BUILTIN_TRANSPORTS", FAST, OLD)),
    ],
)
def test_large_messages_get_room_unless_the_user_has_set_it(launching, environment, expected):
    variables = launching.transport(Context(environment))
    assert list(variables) == expected
    assert all(PurePosixPath(path).parts[-2:] == ("config", "fastdds.xml") for path in variables.values())


@pytest.mark.parametrize(
    ("frames", "frame"), [({"rviz_frame": "map", "target_frame": "odom"}, "map"), ({"target_frame": "odom"}, "odom")]
)
def test_rviz_is_started_in_the_frame_asked_for(launching, monkeypatch, frames, frame):
    monkeypatch.setattr(launching, "installed", lambda package: package == "rviz2")
    arguments = {"rviz": "true", "namespace": "robot", "image_topic": "/cam", "rviz_config": "hmr.rviz"}
    (node,) = launching.rviz(Context(**arguments, use_sim_time="true", model="both", **frames))
    assert (node.package, node.executable, node.namespace) == ("rviz2", "rviz2", "robot")
    assert node.remappings == [("image", "/cam")]
    assert node.arguments == ["-d", "hmr.rviz", "-f", frame]
    assert node.parameters == [{"use_sim_time": ("use_sim_time", bool)}]


def test_rviz_is_left_out_where_it_is_not_wanted_or_not_there(launching, monkeypatch):
    monkeypatch.setattr(launching, "installed", lambda package: False)
    assert launching.rviz(Context(rviz="false")) == []
    (info,) = launching.rviz(Context(rviz="true"))
    assert "sudo apt install ros-$ROS_DISTRO-rviz2" in info.msg
    monkeypatch.setattr(launching, "installed", lambda package: True)
    (node,) = launching.rviz(Context(rviz="true", rviz_config="mine.rviz"))
    assert node.arguments == ["-d", "mine.rviz"]
    assert node.parameters == [{}]


@pytest.mark.parametrize(
    ("given", "config", "frame"),
    [
        ({}, "hmr.rviz", []),
        ({"target_frame": "base"}, "hmr.rviz", ["-f", "base"]),
        ({"world_frame": "map"}, "hmr_world.rviz", ["-f", "map"]),
        ({"world_frame": "map", "target_frame": "base"}, "hmr_world.rviz", ["-f", "map"]),
        ({"world_frame": "map", "rviz_frame": "odom"}, "hmr_world.rviz", ["-f", "odom"]),
        (
            {"world_frame": "map", "rviz_config": "hmr_hri.rviz", "target_frame": "base"},
            "hmr_hri.rviz",
            ["-f", "base"],
        ),
        ({"params_file": "/**:\n  ros__parameters: {world_frame: odom}"}, "hmr_world.rviz", ["-f", "odom"]),
        ({"params_file": "hmr:\n  ros__parameters: {world_frame: ''}"}, "hmr.rviz", []),
        ({"params_file": ""}, "hmr.rviz", []),
    ],
)
def test_rviz_shows_people_in_the_world_where_one_is_set(launching, monkeypatch, tmp_path, given, config, frame):
    monkeypatch.setattr(launching, "installed", lambda package: True)
    if "params_file" in given:
        (tmp_path / "mine.yaml").write_text(given["params_file"])
        given = given | {"params_file": str(tmp_path / "mine.yaml")}
    (node,) = launching.rviz(Context(rviz="true", **given))
    flag, path, *rest = node.arguments
    assert (flag, PurePosixPath(path).name, rest) == ("-d", config, frame)
