# SPDX-License-Identifier: Apache-2.0
"""Transforms from serialised TF: what is read, how long it is waited for, and what is forgotten; without DDS."""

from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import serialize_message
from tf2_msgs.msg import TFMessage

from hmr_ros.core.geometry.frames import NoTransformError, NotYetError, Transform
from hmr_ros.ros.input import transform_listener
from hmr_ros.ros.input.fixed_frames import FixedFrames, moved
from hmr_ros.ros.input.transform_listener import TransformListener, listener_for
from hmr_ros.ros.output.person_frames import PersonFrames, frame_pool, root_frame
from hmr_ros.ros.wire.cdr import Stamp
from test.ros.stubs import some_bodies


class Host:
    """In place of the node: what is subscribed by topic, what is logged."""

    def __init__(self):
        self.topics, self.gone, self.log = {}, [], []

    def create_subscription(self, kind, topic, callback, qos, raw, event_callbacks):
        assert (kind, raw) == (TFMessage, True)
        self.topics[topic] = SimpleNamespace(send=callback, qos=qos)
        return topic

    def destroy_subscription(self, topic):
        self.gone.append(topic)

    def get_logger(self):
        return SimpleNamespace(warning=lambda text, throttle_duration_sec: self.log.append(text))


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setattr(transform_listener, "overridden", lambda node, topic, qos, entity: qos)
    return Host()


def message(*edges):
    """A serialised message of (parent, child, s, x m), without rotation."""
    transforms = []
    for parent, child, at_s, x in edges:
        transform = TransformStamped(child_frame_id=child)
        transform.header.frame_id = parent
        transform.header.stamp.sec = at_s
        transform.transform.translation.x = x
        transforms.append(transform)
    return serialize_message(TFMessage(transforms=transforms))


def x_of(transform):
    return float(transform(np.zeros((1, 3)))[0, 0])


def test_both_topics_are_subscribed_as_tf2_does(host):
    listener = TransformListener(host)
    profiles = {topic: (made.qos.depth, made.qos.durability) for topic, made in host.topics.items()}
    assert profiles == {"/tf": (100, DurabilityPolicy.VOLATILE), "/tf_static": (100, DurabilityPolicy.TRANSIENT_LOCAL)}
    listener.close()
    assert host.gone == ["/tf", "/tf_static"]


def test_moving_frames_are_interpolated_and_forgotten_and_static_ones_stay(host):
    listener = TransformListener(host)
    host.topics["/tf_static"].send(message(("/base", "/camera", 0, 10.0)))
    host.topics["/tf"].send(message(("map", "base", 10, 1.0), ("map", "other", 10, 7.0)))
    host.topics["/tf"].send(message(("map", "base", 12, 3.0)))
    assert x_of(listener.lookup("map", "camera", Stamp(11, 0), 0.0)) == pytest.approx(12.0)
    assert x_of(listener.lookup("camera", "map", Stamp(12, 0), 0.0)) == pytest.approx(-13.0)
    listener.forget_moving()
    assert x_of(listener.lookup("base", "camera", Stamp(99, 0), 0.0)) == pytest.approx(10.0)
    with pytest.raises(NoTransformError):
        listener.lookup("map", "camera", Stamp(11, 0), 0.0)


def test_frames_of_people_are_left_out(host):
    listener = TransformListener(host)
    host.topics["/tf"].send(message(("camera", "body_abcde", 10, 1.0), ("map", "base", 10, 2.0)))
    host.topics["/tf"].send(message(("map", "bodywork", 10, 5.0)))
    with pytest.raises(NoTransformError):
        listener.lookup("camera", "body_abcde", Stamp(10, 0), 0.0)
    assert x_of(listener.lookup("map", "bodywork", Stamp(10, 0), 0.0)) == 5.0


def test_frames_of_a_robot_whose_names_begin_as_a_person_s_are_kept(host):
    """``body_frame`` has five letters, as the ids of people have; the camera is below it."""
    listener = TransformListener(host)
    host.topics["/tf"].send(message(("odom", "body_link", 10, 1.0), ("body_link", "arm", 10, 2.0)))
    assert x_of(listener.lookup("odom", "arm", Stamp(10, 0), 0.0)) == 3.0
    host.topics["/tf_static"].send(message(("body_frame", "body_front", 0, 0.5), ("body_front", "camera", 0, 0.5)))
    host.topics["/tf"].send(message(("odom", "body_frame", 10, 4.0)))
    assert x_of(listener.lookup("odom", "camera", Stamp(10, 0), 0.0)) == 5.0


@pytest.mark.parametrize("pool", [None, frame_pool()])
def test_frames_of_people_are_left_out_however_they_are_named(host, pool):
    listener = TransformListener(host)
    for suffix in PersonFrames(pool).suffixes(np.arange(30), 0.0).values():
        host.topics["/tf"].send(message(("camera", root_frame(suffix), 10, 1.0), (root_frame(suffix), "head", 10, 1.0)))
    assert not listener._tree._links


def test_a_broken_message_is_logged_and_the_next_is_read(host):
    listener = TransformListener(host)
    host.topics["/tf"].send(message(("map", "base", 10, 1.0))[:-20])
    assert len(host.log) == 1
    assert host.log[0].startswith("unreadable TF message: ")
    host.topics["/tf"].send(message(("map", "base", 10, 1.0)))
    assert x_of(listener.lookup("map", "base", Stamp(10, 0), 0.0)) == 1.0


def test_what_may_still_come_is_waited_for_until_the_time_is_up(host, monkeypatch):
    listener, now_s, waits_s = TransformListener(host), [50.0], []
    host.topics["/tf"].send(message(("map", "base", 10, 1.0)))
    monkeypatch.setattr(transform_listener, "time", SimpleNamespace(monotonic=lambda: now_s[0]))

    def wait(seconds):
        waits_s.append(seconds)
        now_s[0] += 0.2
        if len(waits_s) == answer_after:
            host.topics["/tf"].send(message(("map", "base", 12, 3.0)))

    monkeypatch.setattr(listener._changed, "wait", wait)
    answer_after = 99
    with pytest.raises(NotYetError):
        listener.lookup("map", "base", Stamp(10, 500_000_000), 0.5)
    assert waits_s == pytest.approx([0.5, 0.3, 0.1])
    waits_s.clear()
    with pytest.raises(NotYetError):
        listener.lookup("map", "base", Stamp(10, 500_000_000), 0.0)
    assert waits_s == []
    answer_after = 2
    assert x_of(listener.lookup("map", "base", Stamp(10, 500_000_000), 0.5)) == 1.5
    assert len(waits_s) == 2


class Listener:
    """Keeps what is looked up; an answer is the number of the question, or an error."""

    def __init__(self, node=None):
        self.asked, self.log, self.wrong = [], [], None

    def lookup(self, *args):
        self.asked.append(args)
        if self.wrong is not None:
            raise self.wrong
        return f"answer {len(self.asked)}"

    def forget_moving(self):
        self.log.append("forget")

    def close(self):
        self.log.append("close")


@pytest.fixture
def frames(monkeypatch):
    monkeypatch.setattr(transform_listener, "TransformListener", Listener)
    return FixedFrames(listener_for(None, ("", "map")))


def test_each_transform_is_looked_up_once_per_image(frames):
    now, later = Stamp(10, 5), Stamp(10, 6)
    assert frames.lookup("map", "camera", now, 0.1) == "answer 1"
    assert frames.lookup("map", "camera", now, 0.1) == "answer 1"
    assert frames.lookup("odom", "camera", now, 0.2) == "answer 2"
    assert frames.lookup("map", "left", now, 0.1) == "answer 3"
    assert frames.lookup("map", "camera", later, 0.1) == "answer 4"
    assert frames._listener.asked[0] == ("map", "camera", now, 0.1)
    assert frames._listener.asked[1] == ("odom", "camera", now, 0.2)
    assert frames._listener.log == []
    assert frames.lookup("map", "camera", now, 0.1) == "answer 5"
    assert frames._listener.log == ["forget"], "time jumped back"
    frames.close()
    assert frames._listener.log == ["forget", "close"]


def test_a_missing_transform_is_waited_for_once_per_image(frames):
    frames._listener.wrong = NoTransformError("no map")
    for _ in range(2):
        with pytest.raises(NoTransformError, match="no map"):
            frames.lookup("map", "camera", Stamp(10, 5), 0.1)
    assert len(frames._listener.asked) == 1
    frames._listener.wrong = None
    assert frames.lookup("map", "camera", Stamp(10, 6), 0.1) == "answer 2"


@pytest.mark.parametrize("target", ["", "camera"])
def test_the_frame_of_the_camera_needs_no_transform(frames, target):
    assert frames.lookup(target, "camera", Stamp(10, 5), 0.1) is Transform.identity()
    assert frames._listener.asked == []


@pytest.mark.parametrize(("wanted", "available"), [(("", ""), True), (("map", ""), False)])
def test_tf_is_subscribed_only_where_it_is_needed_and_there(monkeypatch, wanted, available):
    monkeypatch.setattr(transform_listener, "TransformListener", Listener)
    monkeypatch.setattr(transform_listener, "TF", SimpleNamespace(is_available=available))
    frames = FixedFrames(listener_for(None, wanted))
    assert frames._listener is None
    with pytest.raises(NoTransformError, match="tf2_msgs is not installed"):
        frames.lookup("map", "camera", Stamp(10, 5), 0.1)
    with pytest.raises(NoTransformError, match="tf2_msgs"):
        frames.lookup("map", "camera", Stamp(9, 5), 0.1)
    frames.close()


def test_joints_and_vertices_are_moved_and_nothing_else(host):
    listener, bodies = TransformListener(host), some_bodies(2)
    host.topics["/tf_static"].send(message(("map", "camera", 0, 10.0)))
    there = moved(bodies, listener.lookup("map", "camera", Stamp(0, 0), 0.0))
    for name in ("joints", "vertices"):
        np.testing.assert_allclose(getattr(there, name), getattr(bodies, name) + [10, 0, 0], rtol=1e-5)
    assert there.cam_t is bodies.cam_t
    assert moved(bodies, Transform.identity()) is bodies
