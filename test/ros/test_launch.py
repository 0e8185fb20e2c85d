"""The launch files and the parameter file. The wheels on PyPI lack ROS's launch, so stand-ins record the calls."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest
import yaml

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe, updated

ROOT = Path(__file__).parents[2]


class Recorded:
    """Stands for any class of launch: remembers what it was made with."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


class LaunchConfiguration(Recorded):
    def perform(self, context):
        return context[self.args[0]]


MODULES = {
    "launch": ["LaunchDescription", "LaunchContext", "LaunchDescriptionEntity"],
    "launch.actions": ["DeclareLaunchArgument", "IncludeLaunchDescription", "OpaqueFunction", "SetEnvironmentVariable"],
    "launch.conditions": ["IfCondition"],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": [],
    "launch_ros": [],
    "launch_ros.actions": ["Node"],
    "launch_ros.parameter_descriptions": ["ParameterValue"],
}


@pytest.fixture
def load(monkeypatch):
    """Import a launch file with the stand-ins in place."""
    for name, classes in MODULES.items():
        module = types.ModuleType(name)
        for cls in classes:
            setattr(module, cls, type(cls, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["launch.substitutions"].LaunchConfiguration = LaunchConfiguration
    packages = types.ModuleType("ament_index_python.packages")
    packages.get_package_share_directory = lambda name: str(ROOT)
    monkeypatch.setitem(sys.modules, "ament_index_python", types.ModuleType("ament_index_python"))
    monkeypatch.setitem(sys.modules, "ament_index_python.packages", packages)

    def load(name):
        spec = importlib.util.spec_from_file_location(name.replace(".", "_"), ROOT / "launch" / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("name", ["hmr.launch.py", "demo.launch.py"])
def test_launch_files_declare_their_arguments_and_the_transport(load, name):
    module = load(name)
    (entities,) = module.generate_launch_description().args
    declared = {e.args[0] for e in entities if type(e).__name__ == "DeclareLaunchArgument"}
    assert declared == {argument for argument, _, _ in module.ARGUMENTS}
    assert all(description for _, _, description in module.ARGUMENTS)
    transports = [e.args for e in entities if type(e).__name__ == "SetEnvironmentVariable"]
    assert transports == [("FASTDDS_BUILTIN_TRANSPORTS", "LARGE_DATA")]


@pytest.mark.parametrize("info_topic", ["", "/cam/calibration"])
def test_the_node_is_remapped_as_the_arguments_ask(load, info_topic):
    module = load("hmr.launch.py")
    values = {name: default for name, default, _ in module.ARGUMENTS}
    values |= {"image_topic": "/cam/image_raw", "camera_info_topic": info_topic}
    (node,) = module.start_node(values)
    expected = [("image", "/cam/image_raw")] + [("camera_info", info_topic)] * bool(info_topic)
    assert node.kwargs["remappings"] == expected
    file, overrides = node.kwargs["parameters"]
    assert Path(file).is_file()
    assert set(overrides) - {"use_sim_time"} <= {setting.name for setting in describe(RobotConfig)}


@pytest.mark.parametrize("model", ["", "both"])
def test_the_model_of_the_parameter_file_holds_unless_another_is_asked_for(load, model):
    module = load("hmr.launch.py")
    values = {name: default for name, default, _ in module.ARGUMENTS} | {"model": model}
    (node,) = module.start_node(values)
    _, overrides = node.kwargs["parameters"]
    assert ("model" in overrides) == bool(model)


@pytest.mark.parametrize("name", ["hmr.launch.py", "demo.launch.py"])
def test_default_files_exist(load, name):
    for argument, default, _ in load(name).ARGUMENTS:
        if default.startswith("/"):
            assert Path(default).is_file(), argument


def test_the_parameter_file_holds_every_parameter_at_its_default():
    content = yaml.safe_load((ROOT / "config" / "hmr.yaml").read_text())
    values = dict(_flat(content["/**"]["ros__parameters"]))
    assert list(values) == [setting.name for setting in describe(RobotConfig)]
    assert updated(RobotConfig(), values) == RobotConfig()


def test_rviz_shows_topics_that_the_node_publishes():
    rviz = yaml.safe_load((ROOT / "config" / "hmr.rviz").read_text())
    topics = {d["Topic"]["Value"] for d in rviz["Visualization Manager"]["Displays"] if "Topic" in d}
    assert topics == {"mesh", "markers", "overlay", "image"}


def _flat(table, prefix=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
