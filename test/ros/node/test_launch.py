# SPDX-License-Identifier: Apache-2.0
"""The launch files, as ROS's launch runs them, and the files that they name.

The wheels on PyPI lack launch. What the launch files start is therefore started by its command line, too.
"""

import importlib.util
import os
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe, updated
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.wire.messages import Origin
from test.ros.graph import PATIENCE_S, spin_until
from test.ros.stubs import BODY_MODEL

ROOT = Path(__file__).parents[3]
LAUNCH_FILES = sorted(path.name for path in (ROOT / "launch").glob("*.launch.py"))
TOPICS = {"image": "/cam/image_raw", "camera_info": "/cam/calibration", "depth": "/cam/depth"}

# Not "launch": that would also find the directory of this repository.
needs_launch = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None, reason="launch_ros is not installed; no wheel has it"
)

COMMON_PROPERTIES = {"Class", "Name", "Enabled", "Value"}
TF_PROPERTIES = {"Frame Timeout", "Marker Scale", "Show Arrows", "Show Axes", "Show Names", "Update Interval"}
IMAGE_PROPERTIES = {"Normalize Range", "Topic"}
PROPERTIES = {
    "rviz_default_plugins/Grid": {
        "Alpha",
        "Cell Size",
        "Color",
        "Offset",
        "Plane",
        "Plane Cell Count",
        "Reference Frame",
    },
    "rviz_default_plugins/Marker": {"Namespaces", "Topic"},
    "rviz_default_plugins/MarkerArray": {"Namespaces", "Topic"},
    "rviz_default_plugins/TF": TF_PROPERTIES | {"Filter (whitelist)"},
    "rviz_default_plugins/Image": IMAGE_PROPERTIES,
    "hri_rviz/Skeletons3D": {"Alpha", "Collision Enabled", "TF Prefix", "Update Interval", "Visual Enabled"},
    "hri_rviz/TF_HRI": TF_PROPERTIES | {"Show Bodies", "Show Faces", "Show Gazes"},
    "hri_rviz/Humans": IMAGE_PROPERTIES
    | {"Show 2D Skeletons", "Show body RoIs", "Show face RoIs", "Show facial landmarks"},
}
"""Displays and their properties, from the sources of rviz and hri_rviz (Jazzy, Kilted)."""

RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = [tuple(argument.split(":=", 1)) for argument in sys.argv[2:]]
file = IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([file]))
sys.exit(service.run())
"""


def launch_command(file, *arguments):
    return [sys.executable, "-c", RUN, str(ROOT / "launch" / file), *arguments]


@contextmanager
def running(command):
    """The process, stopped as by Ctrl-C; ``log`` holds the output of it and its children."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", start_new_session=True
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        process.log, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a launch that failed leaves children behind
        process.communicate()


@pytest.fixture
def peer(executor):
    peer = Node("peer")
    executor.add_node(peer)
    return peer


def values(executor, peer, node, *names):
    """Parameters of a running node."""
    client = AsyncParameterClient(peer, node)
    spin_until(executor, client.services_are_ready)
    future = client.get_parameters(list(names))
    spin_until(executor, future.done)
    kinds = {1: "bool_value", 2: "integer_value", 3: "double_value", 4: "string_value"}
    return [getattr(value, kinds[value.type]) for value in future.result().values]


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("/**: {ros__parameters: {backend: onnxruntime, max_people: 3, model: global_to_pixel}}")
    return path


def by_launch(parameters):
    arguments = {
        "namespace": "robot",
        "name": "eyes",
        "params_file": parameters,
        "model": "pose2mesh",
        "log_level": "error",
    } | {f"{name}_topic": topic for name, topic in TOPICS.items()}
    return launch_command("hmr.launch.py", *(f"{name}:={value}" for name, value in arguments.items()))


def by_command_line(parameters):
    rules = {"__ns": "/robot", "__node": "eyes"} | TOPICS
    options = [part for name, value in rules.items() for part in ("-r", f"{name}:={value}")]
    options += ["--params-file", str(parameters), "-p", "model:=pose2mesh", "-p", "use_depth:=true"]
    return [sys.executable, "-m", "hmr_ros.ros.node.node", "--ros-args", "--log-level", "robot.eyes:=error", *options]


@pytest.mark.parametrize("command", [pytest.param(by_launch, marks=needs_launch), by_command_line])
def test_the_node_runs_as_the_arguments_ask(executor, peer, parameters, command):
    with running(command(parameters)) as process:
        spin_until(executor, lambda: all(peer.count_subscribers(topic) for topic in TOPICS.values()))
        asked = values(executor, peer, "/robot/eyes", "model", "backend", "max_people", "use_depth")
    assert asked == ["pose2mesh", "onnxruntime", 3, True]
    assert "[robot.eyes]" not in process.log
    assert process.returncode == 0


@needs_launch
@pytest.mark.slow
def test_the_demo_finds_people(executor, peer):
    seen = []
    peer.create_subscription(SmplBodyArray, "/shown/bodies", seen.append, 1)
    with running(launch_command("demo.launch.py", "rviz:=false", "namespace:=shown", "image_topic:=/elsewhere")):
        spin_until(executor, lambda: any(body.valid for message in seen for body in message.bodies))


@needs_launch
def test_several_cameras_have_topics_of_their_own(executor, peer, parameters):
    arguments = ("cameras:=front, back", "namespace:=robot", "image_topic:=color/image_raw", "log_level:=error")
    depth = "depth_topic:=/{camera}_depth/image"
    expected = [
        *("/robot/front/color/image_raw", "/robot/front/color/camera_info", "/front_depth/image"),
        *("/robot/back/color/image_raw", "/robot/back/color/camera_info", "/back_depth/image"),
    ]
    command = launch_command("multi_camera.launch.py", *arguments, depth, f"params_file:={parameters}", "model:=both")
    with running(command) as process:
        spin_until(executor, lambda: all(peer.count_subscribers(topic) for topic in expected))
        for node in ("/robot/front/hmr", "/robot/back/hmr"):
            assert values(executor, peer, node, "model", "max_people") == ["both", 3]
    assert "[robot." not in process.log
    assert process.returncode == 0


@needs_launch
def test_rviz_that_is_not_installed_stops_nothing(executor, peer):
    try:
        get_package_prefix("rviz2")
        pytest.skip("RViz is installed")
    except PackageNotFoundError:
        pass
    with running(launch_command("hmr.launch.py", "rviz:=true", "autostart:=false")) as process:
        assert values(executor, peer, "/hmr", "autostart") == [False]
    assert "ros-$ROS_DISTRO-rviz2" in process.log


@needs_launch
@pytest.mark.parametrize(
    ("file", "arguments", "words"),
    [
        ("hmr.launch.py", ["log_level:=loud"], "'debug', 'info', 'warn', 'error', 'fatal'"),
        ("hmr.launch.py", ["model:=hmr2"], "'pose2mesh', 'global_to_pixel', 'both'"),
        ("hmr.launch.py", ["params_file:=/mine.yaml"], "params_file:=/mine.yaml: no such file"),
        ("multi_camera.launch.py", [], "cameras"),
    ],
)
def test_mistakes_are_named(file, arguments, words):
    done = subprocess.run(
        launch_command(file, *arguments), capture_output=True, text=True, cwd="/", timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 1
    assert words in done.stdout + done.stderr


@needs_launch
@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_every_argument_is_described_and_default_files_exist(file):
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch.utilities import perform_substitutions

    from launch import LaunchContext

    description = PythonLaunchDescriptionSource(str(ROOT / "launch" / file)).get_launch_description(LaunchContext())
    for argument in description.get_launch_arguments():
        assert argument.description
        default = perform_substitutions(LaunchContext(), argument.default_value or [])
        assert Path(default).is_file() or not default.startswith("/"), argument.name


@needs_launch
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ROS_DISTRO": "kilted"}, ["FASTDDS_DEFAULT_PROFILES_FILE"]),
        ({"ROS_DISTRO": "jazzy"}, ["FASTRTPS_DEFAULT_PROFILES_FILE"]),
        ({"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"}, []),
    ],
)
def test_large_messages_get_room_unless_the_user_sees_to_it(monkeypatch, environment, expected):
    from hmr_ros.ros.node.launching import transport
    from launch import LaunchContext

    for name in ("FASTDDS_BUILTIN_TRANSPORTS", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    variables = transport(LaunchContext())
    assert list(variables) == expected
    assert all(Path(path).is_file() for path in variables.values())


def test_images_have_room_in_shared_memory():
    sizes = {
        element.tag.rpartition("}")[2]: int(element.text)
        for element in ElementTree.parse(ROOT / "config" / "fastdds.xml").iter()
        if element.text.strip().isdigit()
    }
    assert 2 * 1920 * 1080 * 3 < sizes["maxMessageSize"] < sizes["segment_size"]


def test_the_parameter_file_holds_every_parameter_at_its_default():
    content = yaml.safe_load((ROOT / "config" / "hmr.yaml").read_text())
    values = dict(_flat(content["/**"]["ros__parameters"]))
    assert list(values) == [setting.name for setting in describe(RobotConfig)]
    assert updated(RobotConfig(), values) == RobotConfig()


@pytest.mark.parametrize(
    ("file", "topics", "plugins"),
    [
        ("hmr.rviz", {"mesh", "markers", "overlay"}, {"rviz_default_plugins"}),
        ("hmr_world.rviz", {"mesh", "markers", "overlay"}, {"rviz_default_plugins"}),
        ("hmr_hri.rviz", {"image"}, {"rviz_default_plugins", "hri_rviz"}),
    ],
)
def test_rviz_shows_what_there_is(file, topics, plugins):
    """Names that no class or topic has would only show as an error on screen."""
    displays = yaml.safe_load((ROOT / "config" / file).read_text())["Visualization Manager"]["Displays"]
    assert {display["Topic"]["Value"] for display in displays if "Topic" in display} == topics
    assert {display["Class"].partition("/")[0] for display in displays} == plugins
    for display in displays:
        assert display.keys() - COMMON_PROPERTIES <= PROPERTIES[display["Class"]], display["Class"]


TYPES = {"Marker": "Marker", "MarkerArray": "MarkerArray", "Image": "Image"}
"""Display of rviz_default_plugins -> the type of message that it subscribes."""


def test_rviz_displays_what_the_node_publishes(executor):
    """Each topic exists, with the type and the QoS that the display asks for."""
    node = Node("displayed_outputs")
    executor.add_node(node)
    outputs = Outputs(PublisherFactory(node), BODY_MODEL, Origin("stub", "open_body"), RobotConfig(), Presence())
    publishers = {publisher.topic_name: publisher for publisher in node.publishers}
    displays = yaml.safe_load((ROOT / "config" / "hmr.rviz").read_text())["Visualization Manager"]["Displays"]
    shown = [display for display in displays if "Topic" in display]
    assert len(shown) == 3
    for display in shown:
        publisher, asked = publishers[f"/{display['Topic']['Value']}"], display["Topic"]
        assert publisher.msg_type.__name__ == TYPES[display["Class"].partition("/")[2]]
        offered = (publisher.qos_profile.reliability.name, publisher.qos_profile.durability.name)
        assert (asked["Reliability Policy"].upper(), asked["Durability Policy"].upper()) == offered
    outputs.close()


@pytest.mark.parametrize("file", ["hmr.rviz", "hmr_hri.rviz"])
def test_rviz_looks_at_the_people_before_the_camera(file):
    """From behind and above; the fixed frame has x forward and z up, and the camera at its origin."""
    content = yaml.safe_load((ROOT / "config" / file).read_text())["Visualization Manager"]
    view = content["Views"]["Current"]
    focus = np.array([view["Focal Point"][axis] for axis in "XYZ"])
    assert view["Class"] == "rviz_default_plugins/Orbit"
    assert 2 <= focus[0] <= 8
    assert abs(focus[1]) < 0.5
    cos, sin = np.cos(view["Pitch"]), np.sin(view["Pitch"])
    eye = focus + view["Distance"] * np.array([cos * np.cos(view["Yaw"]), cos * np.sin(view["Yaw"]), sin])
    assert eye[0] < 0
    assert eye[2] > 0


VIEW_PX = (1500 - 600, 860)
"""The 3D view: the window without the panels on the left, title and tool bar."""


def seen_at(points, view):
    """(3, N): ``points`` (N, 3) m in the frame of RViz's Orbit view, to the right, up and away from the eye."""
    yaw, pitch = view["Yaw"], view["Pitch"]
    back = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.cross([0, 0, 1], back) / np.linalg.norm(np.cross([0, 0, 1], back))
    focus = np.array([view["Focal Point"][axis] for axis in "XYZ"])
    return np.stack([right, np.cross(back, right), -back]) @ (points - focus - view["Distance"] * back).T


@pytest.mark.parametrize("file", ["hmr.rviz", "hmr_hri.rviz"])
def test_people_stand_in_the_middle_of_rviz(file):
    """A camera 1.3 m above the floor sees people from 2 to 12 m, 25 degrees to both sides at most."""
    content = yaml.safe_load((ROOT / "config" / file).read_text())["Visualization Manager"]
    view, half = content["Views"]["Current"], np.tan(np.deg2rad(22.5))
    distances, angles = np.meshgrid([2.0, 4, 6, 9, 12], np.deg2rad([-25, 0, 25]))
    heights = np.array([-1.3, 0.6])[:, None, None] + 0 * distances
    people = np.stack(np.broadcast_arrays(distances, distances * np.tan(angles), heights), -1).reshape(-1, 3)
    x, y, depth = seen_at(people, view)
    across, up = x / depth / half * VIEW_PX[1] / VIEW_PX[0], y / depth / half
    assert (depth > 0).all()
    assert np.abs(across).max() < 0.9
    assert np.abs(up).max() < 0.9
    assert np.abs([across.mean(), up.mean()]).max() < 0.15


@pytest.mark.parametrize(("file", "image"), [("hmr.rviz", "Overlay"), ("hmr_hri.rviz", "Bodies in the image")])
def test_the_image_has_a_large_panel_in_rviz(file, image):
    """RViz gives a new panel 190 px of width; Qt 5.15 wrote these states, and laid the panels out by them again."""
    content = yaml.safe_load((ROOT / "config" / file).read_text())
    assert image in {display["Name"] for display in content["Visualization Manager"]["Displays"]}
    geometry = content["Window Geometry"]
    state = bytes.fromhex(geometry["QMainWindow State"])
    side, width, height = struct.unpack_from(">3I", state, len(b"....") * 2 + 5)  # after two markers and the count
    name = image.encode("utf-16-be")
    at = state.index(b"\xfb" + struct.pack(">I", len(name)) + name) + 5 + len(name)
    flags, _, panel_height = struct.unpack_from(">BII", state, at)
    left, visible = 0, 1
    assert (side, flags) == (left, visible)
    assert (width, panel_height) == (600, 412)
    assert height < geometry["Height"]
    assert width < geometry["Width"] / 2


def _flat(table, prefix=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
