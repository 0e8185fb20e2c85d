# SPDX-License-Identifier: Apache-2.0
"""hmr_fuse: one set of people of those of several cameras, in the world."""

import contextlib
import subprocess
import sys

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from hmr_ros.msg import SmplBody, SmplBodyArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from hmr_ros.core.config.fusing import FusingConfig
from hmr_ros.core.geometry.rotation import rotmat_to_quat
from hmr_ros.ros.node.fusing import FuseNode
from hmr_ros.ros.wire import cdr
from hmr_ros.ros.wire.messages import Origin, header
from hmr_ros.ros.wire.qos import ParameterError
from hmr_ros.ros.wire.writers import BodiesWriter
from test.perception.rooms.rooms import EAST, SOUTH, Eye, Room
from test.ros.graph import qos, spin_until, started_context
from test.ros.hri_client import HriSubscriber

PEOPLE = (lambda t: (0.5, 0.4), lambda t: (-0.6, -0.8))
NAMES = ("front", "back")


class Fused:
    """The node, and cameras that publish bodies and their places in TF."""

    def __init__(self, *parameters):
        # A busy machine is no silent camera.
        given = ["cameras:=[front, back]", "world_frame:=map", "input_timeout_s:=30.0", *parameters]
        self.context = started_context(["--ros-args", *(part for text in given for part in ("-p", text))])
        self.executor = SingleThreadedExecutor(context=self.context)
        self.peer = Node("peer", context=self.context, use_global_arguments=False)
        self.node = FuseNode(context=self.context)
        for node in (self.node, self.peer):
            self.executor.add_node(node)
        self.room = Room(PEOPLE, (Eye(EAST), Eye(SOUTH)))
        self.publishers = [self.peer.create_publisher(SmplBodyArray, f"{name}/bodies", qos()) for name in NAMES]
        self.tf = self.peer.create_publisher(TFMessage, "/tf_static", qos(durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.tf.publish(
            TFMessage(transforms=[placed(name, eye.pose) for name, eye in zip(NAMES, self.room.eyes, strict=True)])
        )
        self.bodies, self.reports = [], []
        self.peer.create_subscription(SmplBodyArray, "bodies", self.bodies.append, qos())
        self.peer.create_subscription(DiagnosticArray, "/diagnostics", self.reports.append, qos())
        self.write, self.steps = BodiesWriter(Origin("stub", "open_body")), 0

    def publish(self, which=(0, 1), write=None):
        self.steps += 1
        stamp = cdr.Stamp(1000 + self.steps // 10, self.steps % 10 * 100_000_000)
        for number in which:
            bodies = self.room.bodies(number, 0.1 * self.steps)
            self.publishers[number].publish((write or self.write)(stamp, NAMES[number], bodies, ()))

    def show_until(self, condition, which=(0, 1), write=None):
        def shown():
            self.publish(which, write)
            return condition()

        spin_until(self.executor, shown)

    def status(self, part):
        found = [s for report in self.reports for s in report.status if s.name == f"hmr_fuse: {part}"]
        return found[-1] if found else None

    def close(self):
        self.node.destroy_node()
        self.peer.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()


def placed(name, pose):
    found = TransformStamped(header=header(cdr.Stamp(0, 0), "map"), child_frame_id=name)
    for axis, value in zip("xyz", pose.translation, strict=True):
        setattr(found.transform.translation, axis, float(value))
    for axis, value in zip("xyzw", rotmat_to_quat(pose.rotation), strict=True):
        setattr(found.transform.rotation, axis, float(value))
    return found


@pytest.fixture
def fused():
    with contextlib.closing(Fused()) as opened:
        yield opened


def test_two_cameras_make_one_set_of_people_in_the_world(fused):
    client = HriSubscriber(fused.peer)
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2 and len(client.bodies) == 2)
    message = fused.bodies[-1]
    assert message.header.frame_id == "map"
    assert (message.method, message.body_model) == ("fused", "open_body")
    places = sorted((body.cam_t.x, body.cam_t.y, body.cam_t.z) for body in message.bodies)
    np.testing.assert_allclose(places, sorted(map(tuple, fused.room.roots(0.0))), atol=0.05)
    assert {body.id for body in message.bodies} == set(client.bodies)
    assert all(body.frame == f"body_{body.id}" for body in message.bodies)
    expected = {"camera front": "fused", "camera back": "fused", "people": "running"}
    fused.show_until(lambda: {part: getattr(fused.status(part), "message", "") for part in expected} == expected)


def test_a_camera_that_falls_silent_is_reported_and_its_people_stay(closing):
    fused = closing(Fused, "input_timeout_s:=2.0")
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2)
    fused.room.eyes = (Eye(EAST, sees=lambda person, time_s: person == 0), Eye(SOUTH))
    fused.show_until(lambda: getattr(fused.status("people"), "message", "") == "cameras with problems: back", (0,))
    assert "nothing on /back/bodies" in fused.status("camera back").message
    assert fused.status("people").level == DiagnosticStatus.WARN
    assert len(fused.bodies[-1].bodies) == 2


def test_bodies_that_cannot_be_used_are_explained(fused):
    other = BodiesWriter(Origin("stub", "smpl_neutral"))
    fused.show_until(lambda: "smpl_neutral" in getattr(fused.status("camera front"), "message", ""), write=other)
    assert "smpl_path" in fused.status("camera front").message
    assert fused.status("people").level == DiagnosticStatus.ERROR


def test_reset_ends_all_people(fused):
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2)
    before = {body.id for body in fused.bodies[-1].bodies}
    client = fused.peer.create_client(Trigger, "/hmr_fuse/reset_tracks")
    spin_until(fused.executor, client.service_is_ready)
    future = client.call_async(Trigger.Request())
    spin_until(fused.executor, future.done)
    assert future.result().message == "2 people ended"
    fused.show_until(lambda: len({b.id for b in fused.bodies[-1].bodies} - before) == 2)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"world_frame": ""}, "world_frame"),
        ({"world_frame": "/map"}, "world_frame"),
        ({"world_frame": "map", "smpl_path": "/nowhere.npz"}, "smpl_path"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(parameters, problem):
    command = [sys.executable, "-m", "hmr_ros.ros.node.fusing", "--ros-args", "-p", "cameras:=[a, b]"]
    command += [part for name, text in parameters.items() if text for part in ("-p", f"{name}:={text}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_outputs_are_those_of_a_node():
    config = FusingConfig(world_frame="map", timeout_s=3.0).of_outputs()
    assert (config.world_frame, config.track_timeout_s) == ("map", 3.0)
    with pytest.raises(ValueError, match="world_frame"):
        FusingConfig(world_frame="/map")


def test_cameras_are_named(monkeypatch):
    context = started_context(["--ros-args", "-p", "world_frame:=map"])
    with pytest.raises(ParameterError, match="cameras"):
        FuseNode(context=context)
    context.try_shutdown()


def test_a_bug_ends_people_and_not_the_node(fused, monkeypatch):
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2)
    before = {body.id for body in fused.bodies[-1].bodies}
    add, calls = fused.node._fuser.add, []

    def broken(*args):
        calls.append(args)
        if len(calls) == 1:
            raise np.linalg.LinAlgError("Singular matrix")
        add(*args)

    monkeypatch.setattr(fused.node._fuser, "add", broken)
    fused.show_until(lambda: len({b.id for b in fused.bodies[-1].bodies} - before) == 2)
    ended = {b.id for message in fused.bodies for b in message.bodies if b.state == SmplBody.LOST}
    assert before <= ended


def test_stamps_that_jump_back_begin_again(fused):
    fused.steps = 1000
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2)
    before = {body.id for body in fused.bodies[-1].bodies}
    fused.steps = 0
    fused.show_until(lambda: len({b.id for b in fused.bodies[-1].bodies if b.state == SmplBody.TRACKED} - before) == 2)


@pytest.mark.parametrize(
    "broken", [{"joint_set": "nonsense"}, {"header": Header()}, {"bodies": [SmplBody(joints=[1.0])]}]
)
def test_broken_messages_are_left_out_and_explained(fused, broken):
    good = {"header": header(cdr.Stamp(1000, 0), "front"), "joint_set": "coco17", "body_model": "open_body"}

    def explained():
        fused.publishers[0].publish(SmplBodyArray(**good | broken))
        return "bodies are left out" in getattr(fused.status("camera front"), "message", "")

    spin_until(fused.executor, explained)
    fused.show_until(lambda: fused.bodies and len(fused.bodies[-1].bodies) == 2)
