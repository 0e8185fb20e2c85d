# SPDX-License-Identifier: Apache-2.0
"""Creating, waiting for and undoing publishers, with a stand-in for the node."""

from types import SimpleNamespace

import pytest
from rclpy.node import Node
from std_msgs.msg import String

from hmr_ros.ros.output import publishers as module
from hmr_ros.ros.output.publishers import PublisherFactory, undone_on_error
from hmr_ros.ros.output.publishing import Qos, has_subscribers


class Publisher:
    """Takes 0.4 s until its messages are acknowledged, or as long as it may."""

    def __init__(self, clock, subscribers=0):
        self.clock, self.waits_s, self.subscribers = clock, [], subscribers

    def wait_for_all_acked(self, timeout):
        self.waits_s.append(timeout.nanoseconds * 1e-9)
        self.clock[0] += min(0.4, self.waits_s[-1])

    def get_subscription_count(self):
        return self.subscribers


@pytest.fixture
def clock(monkeypatch):
    now_s = [50.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    return now_s


def host(publishers, ok=True):
    return SimpleNamespace(context=SimpleNamespace(ok=lambda: ok), publishers=publishers)


def test_all_together_are_waited_for_no_longer_than_the_limit(clock):
    publishers = [Publisher(clock) for _ in range(4)]
    PublisherFactory(host(publishers)).delivered(publishers, 1.0)
    assert [p.waits_s for p in publishers] == [[pytest.approx(s, abs=1e-6)] for s in (1.0, 0.6, 0.2, 0.0)]
    assert clock[0] == pytest.approx(51.0)


@pytest.mark.parametrize(("is_there", "ok"), [(True, True), (False, True), (True, False)])
def test_what_is_gone_is_not_waited_for(clock, is_there, ok):
    publisher = Publisher(clock)
    factory = PublisherFactory(host([publisher] if is_there else [], ok))
    assert factory.speaks(publisher) == (is_there and ok)
    factory.delivered([publisher])
    assert len(publisher.waits_s) == (is_there and ok)


@pytest.mark.parametrize(("count", "expected"), [(0, False), (1, True), (2, True)])
def test_subscribers_are_counted(clock, count, expected):
    assert has_subscribers(Publisher(clock, count)) is expected


def test_a_block_that_raises_leaves_nothing_and_keeps_what_was_there(executor):
    node = Node("host")
    executor.add_node(node)
    factory = PublisherFactory(node)
    factory.create(String, "before", Qos(1))
    node.create_subscription(String, "before", print, 1)

    def entities():
        return {p.topic_name for p in node.publishers}, {s.topic_name for s in node.subscriptions}

    def made(wrong):
        with undone_on_error(node):
            factory.create(String, "during", Qos(1))
            node.create_subscription(String, "during", print, 1)
            if wrong:
                raise KeyError

    before = entities()
    with pytest.raises(KeyError):
        made(wrong=True)
    assert entities() == before
    made(wrong=False)
    assert [after - then for after, then in zip(entities(), before, strict=True)] == [{"/during"}] * 2


def test_publishers_have_the_depth_asked_for_and_no_events(executor):
    node = Node("host")
    executor.add_node(node)
    factory = PublisherFactory(node)
    of = factory.family(String, "bodies/{}/urdf", Qos(3))
    publishers = [factory.create(String, "topic", Qos(7)), of("abcde")]
    assert [(p.topic_name, p.qos_profile.depth) for p in publishers] == [("/topic", 7), ("/bodies/abcde/urdf", 3)]
    assert all(not p.event_handlers for p in publishers)
    factory.destroy(publishers[0])
    assert [factory.speaks(p) for p in publishers] == [False, True]
