# SPDX-License-Identifier: Apache-2.0
"""Which QoS a subscription requests, and when it is made again. Over DDS: test_inputs.py."""

import itertools
from types import SimpleNamespace

import pytest
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from hmr_ros.ros.input import subscriptions as module
from hmr_ros.ros.input.subscriptions import NO_EVENTS, AdaptiveSubscription, best_offered, type_name
from hmr_ros.ros.wire.qos import AS_OFFERED

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
OFFERS = list(itertools.product([RELIABLE, BEST_EFFORT], [VOLATILE, LATCHED]))
INFO = "sensor_msgs/msg/CameraInfo"


def publisher(reliability=RELIABLE, durability=VOLATILE, kind=INFO):
    return SimpleNamespace(
        topic_type=kind, qos_profile=QoSProfile(depth=9, reliability=reliability, durability=durability)
    )


@pytest.mark.parametrize("first", OFFERS)
@pytest.mark.parametrize("second", [None, *OFFERS])
def test_the_best_that_all_offer_is_requested(first, second):
    offers = [first] if second is None else [first, second]
    best = best_offered([publisher(*offer) for offer in offers])
    assert (best.reliability is RELIABLE) == all(offer[0] is RELIABLE for offer in offers)
    assert (best.durability is LATCHED) == all(offer[1] is LATCHED for offer in offers)
    assert (best.history, best.depth) == (HistoryPolicy.KEEP_LAST, 1)
    assert AS_OFFERED.reliability is ReliabilityPolicy.BEST_AVAILABLE, "it is a copy"


def test_without_publishers_the_minimum_is_requested():
    best = best_offered([])
    assert (best.reliability, best.durability) == (BEST_EFFORT, VOLATILE)


@pytest.mark.parametrize("chosen", OFFERS)
def test_what_the_user_has_settled_stays(chosen):
    requested = QoSProfile(depth=3, reliability=chosen[0], durability=chosen[1])
    for offers in ([], [publisher(BEST_EFFORT, VOLATILE)], [publisher(RELIABLE, LATCHED)]):
        assert best_offered(offers, requested) == requested


def test_types_have_the_names_of_the_graph():
    assert [type_name(kind) for kind in (CameraInfo, Image)] == [INFO, "sensor_msgs/msg/Image"]


class Host:
    """In place of the node: publishers that are there, and what was subscribed and unsubscribed."""

    def __init__(self):
        self.there, self.log, self.subscribed = [], [], []

    def get_publishers_info_by_topic(self, topic):
        assert topic == "/cam/info"
        return self.there

    def create_subscription(self, kind, topic, callback, qos, raw, event_callbacks):
        assert (kind, topic, callback, raw, event_callbacks) == (CameraInfo, "/cam/info", print, True, NO_EVENTS)
        self.subscribed.append(qos)
        return SimpleNamespace(qos_profile=qos)

    def destroy_subscription(self, subscription):
        self.log.append("unsubscribed")

    def get_logger(self):
        return SimpleNamespace(info=self.log.append)


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setattr(module, "overridden", lambda node, topic, qos, entity: (qos, entity)[0])
    return Host()


def test_it_subscribes_again_only_when_what_is_offered_changed(host):
    subscription = AdaptiveSubscription(host, CameraInfo, "/cam/info", print)
    again = ["/cam/info: subscribing again, {}", "unsubscribed"]
    steps = [
        ([], 1, None),
        ([publisher(BEST_EFFORT)], 1, None),
        ([publisher(RELIABLE)], 2, "RELIABLE"),
        ([publisher(RELIABLE)], 2, None),
        ([], 2, None),  # the next probably offers the same
        ([publisher(RELIABLE, LATCHED)], 3, "RELIABLE"),
        ([publisher(RELIABLE, LATCHED), publisher(BEST_EFFORT, kind="other/msg/Type")], 3, None),
        ([publisher(RELIABLE, LATCHED), publisher(BEST_EFFORT)], 4, "BEST_EFFORT"),
    ]
    for there, count, name in steps:
        host.there, host.log = there, []
        subscription.adapt()
        assert len(host.subscribed) == count
        assert host.log == ([] if name is None else [again[0].format(name), again[1]])


def test_it_is_latched_where_publishers_are(host):
    subscription = AdaptiveSubscription(host, CameraInfo, "/cam/info", print)
    assert not subscription.is_latched
    host.there = [publisher(RELIABLE, LATCHED)]
    subscription.adapt()
    assert subscription.is_latched
    subscription.close()
    assert not subscription.is_latched
    subscription.close()
    assert host.log[1:] == ["unsubscribed"] * 2


def test_other_types_are_named_where_none_is_right(host):
    subscription = AdaptiveSubscription(host, CameraInfo, "/cam/info", print)
    assert (subscription.wrong_types(), subscription.publishers()) == ("", [])
    host.there = [publisher(kind="b/msg/B"), publisher(kind="a/msg/A"), publisher(kind="a/msg/A")]
    assert subscription.wrong_types() == f"/cam/info: it carries a/msg/A, b/msg/B, expected {INFO}"
    assert subscription.publishers() == []
    host.there.append(right := publisher())
    assert subscription.wrong_types() == ""
    assert subscription.publishers() == [right]
