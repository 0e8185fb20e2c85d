# SPDX-License-Identifier: Apache-2.0
import functools
import itertools
import re
import subprocess
import sys

import pytest
from hmr_ros.msg import SmplBodyArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hmr_ros.perception.tracker import Tracker, TrackerOptions
from hmr_ros.ros.node import cameras as module
from hmr_ros.ros.node.cameras import CameraGroup
from hmr_ros.ros.node.names import camera_names
from hmr_ros.ros.wire import interfaces
from hmr_ros.ros.wire.qos import ParameterError
from test.ros.graph import FakeCamera, qos, spin_until, started_context
from test.ros.hri_client import HriSubscriber
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline

PARAMETERS = """
/**:
  ros__parameters:
    max_frame_age_s: 0.0
    max_people: 4
{above}/hmr_multi:
  ros__parameters:
    cameras: [front, back]
{above}/back/hmr:
  ros__parameters:
    max_people: 2
"""


class Group:
    """Two cameras without networks that see two people each, and their subscribers."""

    def __init__(self, directory, above="", *given):
        parameters = directory / "parameters.yaml"
        parameters.write_text(PARAMETERS.format(above=above))
        rules = ["-r", f"__ns:={above}"] if above else []
        rules += [part for text in given for part in ("-p", text)]
        self.context = started_context(["--ros-args", "--params-file", str(parameters), *rules])
        self.executor = SingleThreadedExecutor(context=self.context)
        ids = itertools.count(1)
        self.group = CameraGroup(lambda config: self._assembled(ids), context=self.context)
        self.peer = Node("peer", context=self.context, use_global_arguments=False)
        for node in (*self.group.nodes, self.peer):
            self.executor.add_node(node)
        names = [f"{above}/{name}" for name in ("front", "back")]
        self.cameras = [FakeCamera(self.peer, f"{name}/image", f"{name}/camera_info") for name in names]
        self.bodies = [[], []]
        for name, received in zip(names, self.bodies, strict=True):
            self.peer.create_subscription(SmplBodyArray, f"{name}/bodies", received.append, qos())

    @staticmethod
    def _assembled(ids):
        assembled = stub_pipeline(StubDetector(people=2), StubEstimator())
        assembled.tracker = Tracker(TrackerOptions(hits_to_confirm=1), ids)
        return assembled

    def show_until(self, condition, which=(0, 1)):
        def shown():
            for index in which:
                self.cameras[index].publish_info()
                self.cameras[index].publish_image()
            return condition()

        spin_until(self.executor, shown)

    def seen(self, which):
        return {body.id for body in self.bodies[which][-1].bodies} if self.bodies[which] else set()

    def close(self):
        self.group.destroy_node()
        self.peer.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()


@pytest.fixture
def group(closing, tmp_path):
    return functools.partial(closing, Group, tmp_path)


@pytest.mark.parametrize("above", ["", "/robot"])
def test_each_camera_is_a_node_in_its_namespace_with_its_parameters(group, above):
    g = group(above=above)
    names = [node.get_fully_qualified_name() for node in g.group.nodes]
    assert names == [f"{above}/front/hmr", f"{above}/back/hmr", f"{above}/hmr_multi"]
    assert [camera.config.max_people for camera in g.group.cameras] == [4, 2]


def test_ids_are_unique_over_all_cameras(group):
    g = group()
    assert g.group.autostart()
    g.show_until(lambda: len(g.seen(0)) == len(g.seen(1)) == 2)
    assert not g.seen(0) & g.seen(1)


@pytest.mark.skipif(not interfaces.HUMANS.is_available, reason="needs hri_msgs: make test")
def test_one_list_has_the_people_of_all_cameras(group):
    g = group()
    client = HriSubscriber(g.peer)
    assert g.group.autostart()
    g.show_until(lambda: len(client.bodies) == 4)
    all_ids = g.seen(0) | g.seen(1)
    assert set(client.bodies) == all_ids
    assert g.peer.count_publishers("/humans/bodies/tracked") == 1
    for _ in range(5):  # one camera's images do not delete the other's people
        count = len(g.bodies[0])
        g.show_until(lambda: len(g.bodies[0]) > count, which=[0])  # noqa: B023  # used at once
        assert set(client.bodies) == all_ids

    g.group.cameras[1].trigger_deactivate()
    spin_until(g.executor, lambda: set(client.bodies) == g.seen(0))
    g.group.cameras[0].trigger_deactivate()
    spin_until(g.executor, lambda: g.peer.count_publishers("/humans/bodies/tracked") == 0)


def test_fused_people_are_one_set_beside_those_of_each_camera(tmp_path, closing):
    """Two cameras at one place see the same two people, each by ids of its own."""
    g = closing(Group, tmp_path, "", "fuse:=true", "world_frame:=camera_optical_frame")
    client, fused = HriSubscriber(g.peer), []
    g.peer.create_subscription(SmplBodyArray, "bodies", fused.append, qos())
    assert g.group.autostart()
    g.show_until(lambda: fused and len(fused[-1].bodies) == 2 and len(client.bodies) == 2 and g.seen(0) and g.seen(1))
    assert fused[-1].method == "fused"
    assert {body.id for body in fused[-1].bodies} == set(client.bodies)
    assert len(g.seen(0) | g.seen(1)) == 4
    assert all(body.frame == "" for received in g.bodies for body in received[-1].bodies), "TF is of the fused alone"
    assert all(body.frame for body in fused[-1].bodies)


def test_fusing_needs_a_world():
    command = [sys.executable, "-m", "hmr_ros.ros.node.cameras", "--ros-args", "-p", "cameras:=[a]", "-p", "fuse:=true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "'world_frame'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("cameras", ["[front, front]", "['a b']", "3", "[]"])
def test_an_invalid_list_of_cameras_ends_the_process_with_an_error(cameras):
    command = [sys.executable, "-m", "hmr_ros.ros.node.cameras", "--ros-args", "-p", f"cameras:={cameras}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "'cameras'" in done.stderr
    assert "Traceback" not in done.stderr


class Declared:
    """In place of the node: its parameter ``cameras``."""

    def __init__(self, value):
        self.value = value

    def declare_parameter(self, name, default, descriptor):
        assert name == "cameras"
        assert default == [""], "typed as strings, and refused"
        assert descriptor.read_only
        return self


@pytest.mark.parametrize("names", [["front"], ["front", "back"], ["a/b", "a/c1"], ["Left_1"]])
def test_names_are_namespaces(names):
    assert camera_names(Declared(names)) == names


@pytest.mark.parametrize(
    "names", [None, [], [""], ["1st"], ["a/"], ["/a"], ["a//b"], ["a", "b", "a"], ["a b"], ["a-b"]]
)
def test_what_is_no_namespace_is_refused_with_what_was_given(names):
    with pytest.raises(
        ParameterError, match=re.escape(f"expected different names such as [front, back], got {names or []}")
    ):
        camera_names(Declared(names))


def test_all_cameras_must_start_and_all_are_destroyed(monkeypatch):
    log = []

    class Camera:
        def __init__(self, build, overrides, namespace, shared, context):
            assert overrides is None, "nothing is fused"
            self.name, self.starts = namespace, namespace != "/robot/b"
            log.append((build, shared))

        def autostart(self):
            return self.starts

        def destroy_node(self):
            log.append(self.name)

    monkeypatch.setattr(module, "HmrNode", Camera)
    for names, starts in ((["a", "c"], True), (["a", "b"], False)):
        context = started_context(["--ros-args", "-r", "__ns:=/robot", "-p", f"cameras:=[{', '.join(names)}]"])
        group = CameraGroup("build", context)
        assert group.autostart() == starts
        assert [node.name for node in group.nodes[:-1]] == [f"/robot/{name}" for name in names]
        assert group.nodes[-1] is group
        group.destroy_node()
        context.try_shutdown()
    assert log[0][0] == "build"
    assert log[0][1] is log[1][1], "one list for all"
    assert [entry for entry in log if isinstance(entry, str)] == ["/robot/a", "/robot/c", "/robot/a", "/robot/b"]
