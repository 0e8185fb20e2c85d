# SPDX-License-Identifier: Apache-2.0
"""When detections are complete, and which are kept; without DDS."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
from hri_msgs.msg import IdsList, Skeleton2D
from rclpy.serialization import serialize_message

from hmr_ros.core.config import DetectionsConfig, RobotConfig
from hmr_ros.ros.input import detection_sources as module
from hmr_ros.ros.input.detection_messages import BadDetectionsError
from hmr_ros.ros.input.detection_sources import open_source
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header


class Subscription:
    """In place of AdaptiveSubscription: ``open`` has all that are, by topic."""

    open: ClassVar[dict] = {}

    def __init__(self, node, kind, topic, receive, qos):
        self.topic, self.receive, self.depth, self.adapted = topic, receive, qos.depth, 0
        self.open[topic] = self

    def wrong_types(self):
        return ""

    def adapt(self):
        self.adapted += 1

    def close(self):
        del self.open[self.topic]


@pytest.fixture
def opened(monkeypatch):
    """A source by its name, with the stamps that arrived and what it logged."""
    monkeypatch.setattr(module, "AdaptiveSubscription", Subscription)
    monkeypatch.setattr(Subscription, "open", {})
    asked = []
    monkeypatch.setattr(module, "overridden", lambda node, topic, qos, entity: asked.append(topic) or qos)

    def make(name):
        arrived, log = [], []
        node = SimpleNamespace(
            resolve_topic_name=lambda topic: topic if topic.startswith("/") else f"/{topic}",
            get_logger=lambda: SimpleNamespace(warning=lambda text, throttle_duration_sec: log.append(text)),
        )
        config = RobotConfig(detections=DetectionsConfig(source=name, humans_namespace="/others"))
        source = open_source(node, config, arrived.append)
        return SimpleNamespace(source=source, arrived=arrived, log=log, asked=asked)

    return make


def tracked(*ids):
    Subscription.open["/others/bodies/tracked"].receive(serialize_message(IdsList(ids=list(ids))))


def skeleton(person, second):
    message = Skeleton2D(header=header(Stamp(second, 0), "eye"))
    Subscription.open[f"/others/bodies/{person}/skeleton2d"].receive(serialize_message(message))


def nearest(source, second, complete=True):
    found = source.nearest(second * 10**9, 10**6, complete=complete)
    return None if found is None else found // 10**9


def test_people_are_complete_when_everybody_has_a_skeleton_of_the_stamp(opened):
    source = opened("humans").source
    assert nearest(source, 5) is None, "no list has come"
    tracked("anna", "ben")
    skeleton("anna", 5)
    assert (nearest(source, 5), nearest(source, 5, complete=False)) == (None, 5), (
        "what is there is taken after the wait"
    )
    skeleton("ben", 5)
    assert nearest(source, 5) == 5
    assert len(source.read(5 * 10**9, 640, 480).detections) == 2
    tracked("anna")
    assert len(source.read(5 * 10**9, 640, 480).detections) == 1, "ben is gone"


def test_an_empty_list_holds_for_any_image(opened):
    source = opened("humans").source
    tracked()
    assert nearest(source, 7) == 7
    assert len(source.read(7 * 10**9, 640, 480).detections) == 0


def test_topics_follow_the_list_and_their_qos_is_asked_for_once(opened):
    o = opened("humans")
    tracked("anna", "ben", "0bad", "a/b", "")
    assert sorted(Subscription.open) == [
        f"/others/bodies/{name}" for name in ("anna/skeleton2d", "ben/skeleton2d", "tracked")
    ]
    tracked("ben", *(f"p{k:03}" for k in range(100)))
    assert len(Subscription.open) == 1 + module._MAX_PEOPLE
    assert "/others/bodies/anna/skeleton2d" not in Subscription.open
    assert o.asked == ["/others/bodies/id/skeleton2d", "/others/bodies/tracked"]
    o.source.adapt()
    assert {s.adapted for s in Subscription.open.values()} == {1}
    o.source.close()
    assert not Subscription.open


def test_a_broken_list_changes_nothing(opened):
    o = opened("humans")
    tracked("anna")
    Subscription.open["/others/bodies/tracked"].receive(b"\0\1\0\0\1")
    assert len(o.log) == 1
    assert "/others/bodies/tracked cannot be read" in o.log[0]
    assert "/others/bodies/anna/skeleton2d" in Subscription.open


@pytest.mark.parametrize("name", ["boxes", "keypoints"])
def test_the_message_nearest_in_time_is_taken_and_the_oldest_are_forgotten(opened, name):
    o = opened(name)
    (subscription,) = Subscription.open.values()
    assert (o.source.topic, o.source.complaint()) == (subscription.topic, subscription.topic)
    assert subscription.depth == 10
    for second in range(1, 41):
        subscription.receive(b"\0\1\0\0" + second.to_bytes(4, "little") + bytes(4))
    assert o.arrived == [second * 10**9 for second in range(1, 41)]
    assert [nearest(o.source, second) for second in (8, 9, 40, 41)] == [None, 9, 40, None]
    found = [o.source.nearest(20 * 10**9 + offset, 10**6, complete=True) for offset in (-(10**6), 10**6, 10**6 + 1)]
    assert found == [20 * 10**9, 20 * 10**9, None]
    for gone in (8, 40):
        with pytest.raises(BadDetectionsError, match="cannot be read"):
            o.source.read(gone * 10**9, 640, 480)


def test_a_message_without_a_stamp_belongs_to_no_image(opened):
    o = opened("keypoints")
    Subscription.open["/keypoints"].receive(b"\0\1")
    assert o.arrived == [0]
