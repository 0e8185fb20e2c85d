# SPDX-License-Identifier: Apache-2.0
"""People's frames in TF, as the subscribers of `bodies` and `/tf` see them."""

import dataclasses
import functools
import re

import numpy as np
import pytest
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message

from hmr_ros.core.config import HumansConfig, RobotConfig
from hmr_ros.core.people import Camera, State
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output import outputs as outputs_module
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.person_frames import REST_S, PersonFrames, frame_pool
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.wire import interfaces, messages
from hmr_ros.ros.wire.cdr import Stamp
from test.ros.stubs import BODY_MODEL, some_bodies

if not interfaces.TF.is_available:
    pytest.skip("needs tf2_msgs: make test", allow_module_level=True)

CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
PIXELS = np.zeros((480, 640, 3), np.uint8)
TYPES = {"/tf": interfaces.TF.message("TFMessage"), "/bodies": SmplBodyArray}


class Stage:
    """The outputs of one camera, fed by hand; what all cameras send to `/tf` and `bodies` comes into `sent`."""

    def __init__(self, sent, node, shared=None, humans=False, publish_tf="root"):
        self.sent = sent
        config = RobotConfig(publish_tf=publish_tf, humans=HumansConfig(enabled=humans))
        origin = messages.Origin("stub", "open_body")
        self.outputs = Outputs(PublisherFactory(node), BODY_MODEL, origin, config, Presence(), shared)

    def show(self, bodies, stamp_s, lost=()):
        """One image; returns the frame of each body in `bodies`, after comparing them with `/tf`."""
        for sent in self.sent.values():
            sent.clear()
        stamp = Stamp(int(stamp_s), round(stamp_s % 1 * 1e9))
        self.outputs.publish(Frame(stamp, "camera", PIXELS), CAMERA, bodies, lost)
        ((array,), trees) = self.sent["/bodies"], self.sent["/tf"]
        frames = [body.frame for body in array.bodies]
        roots = [t.child_frame_id for tree in trees for t in tree.transforms if t.header.frame_id == "camera"]
        assert sorted(roots) == sorted(filter(None, frames))
        return frames


@pytest.fixture
def stage(monkeypatch):
    node, sent = Node("framing"), {topic: [] for topic in TYPES}

    def publish(publisher, message):
        if publisher.topic_name in TYPES:
            sent[publisher.topic_name].append(deserialize_message(message, TYPES[publisher.topic_name]))

    monkeypatch.setattr(outputs_module, "has_subscribers", lambda publisher: publisher.topic_name in TYPES)
    monkeypatch.setattr(Publisher, "publish", publish)
    yield functools.partial(Stage, sent, node)
    node.destroy_node()


@pytest.fixture
def shared():
    node = Node("sharing")
    yield SharedOutputs.of(PublisherFactory(node))
    node.destroy_node()


@pytest.mark.parametrize("publish_tf", ["root", "skeleton"])
def test_people_one_after_another_need_few_frames(stage, publish_tf):
    """Subscribers of TF keep every frame that they ever heard of."""
    s, named = stage(publish_tf=publish_tf), []
    for person in range(10):
        (frame, *_) = s.show(some_bodies(1, [person]), 0.35 * REST_S * person, lost=(person - 1,))
        named.append(frame)
    assert named == [named[person % 4] for person in range(10)]
    assert len(set(named)) == 4


def test_a_thousand_people_one_after_another_need_few_frames():
    """A new one each second, who is lost with the next."""
    frames, named = PersonFrames(frame_pool()), set()
    for person in range(1000):
        frames.forget([person - 1], float(person))
        named.update(frames.suffixes(np.array([person]), float(person)).values())
    assert len(named) == REST_S + 2


def test_people_at_the_same_time_have_frames_of_their_own(stage):
    s = stage()
    for second in range(8):
        frames = s.show(some_bodies(3, [second, second + 1, second + 2]), float(second), lost=(second - 1,))
        assert len(set(frames[:3])) == 3
        assert frames[3] == ""  # LOST


def test_with_ros4hri_frames_are_named_by_ids(stage):
    """REP-155: its clients look up `body_<id>`."""
    if not interfaces.HUMANS.is_available:
        pytest.skip("needs hri_msgs: make test")
    s = stage(humans=True)
    for second in range(3):
        frames = s.show(some_bodies(2, [second, 9]), float(second))
        assert frames == [f"body_{messages.person_name(track_id)}" for track_id in (second, 9)]


def test_without_tf_nobody_has_a_frame(stage):
    assert stage(publish_tf="none").show(some_bodies(2), 1.0) == ["", ""]


def test_who_is_in_no_transform_has_no_frame(stage):
    """Tentative people, and those without a position."""
    bodies = some_bodies(3)
    states, valid = np.array([State.TENTATIVE, State.TRACKED, State.TRACKED]), np.array([True, False, True])
    frames = stage().show(dataclasses.replace(bodies, states=states, valid=valid), 1.0)
    assert [bool(frame) for frame in frames] == [False, False, True]


def test_cameras_of_one_process_share_no_frame(stage, shared):
    """Their trees meet in one TF."""
    front, back = stage(shared), stage(shared)
    assert not {*front.show(some_bodies(2, [1, 2]), 1.0)} & {*back.show(some_bodies(2, [3, 4]), 1.0)}


@pytest.mark.parametrize("end", ["end_tracks", "close"])
def test_names_rest_also_when_the_node_is_deactivated_meanwhile(stage, shared, end):
    first = stage(shared)
    before = first.show(some_bodies(1, [1]), 100.0)
    if end == "end_tracks":
        first.outputs.end(Stamp(100, 0), "camera", some_bodies(1, [1]))
    first.outputs.close()
    again = stage(shared)
    assert again.show(some_bodies(1, [2]), 101.0) != before
    assert again.show(some_bodies(1, [3]), 100.1 + REST_S) == before


def test_processes_share_no_frame_and_ids_look_different():
    frames = [PersonFrames(frame_pool()).suffixes(np.arange(20), 0.0).values() for _ in range(2)]
    assert not {*frames[0]} & {*frames[1]}
    assert all(re.fullmatch(r"[a-z]{4}_\d+", name) for names in frames for name in names)
