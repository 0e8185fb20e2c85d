# SPDX-License-Identifier: Apache-2.0
"""A middleware that cannot send must cost a message, not the node or its tracks."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBodyArray
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import String

from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.publishing import Qos
from test.ros.world import World


@pytest.fixture
def jammed(monkeypatch):
    """Topics whose messages cannot be sent."""
    topics, publish = set(), Publisher.publish

    def failing(self, message):
        if self.topic_name in topics:
            raise RuntimeError("Failed to publish: cannot publish data")
        publish(self, message)

    monkeypatch.setattr(Publisher, "publish", failing)
    return topics


def test_a_full_transport_loses_messages_and_neither_node_nor_tracks(executor, jammed):
    world = World(executor)
    world.subscribe(SmplBodyArray, "bodies")
    world.subscribe(DiagnosticArray, "/diagnostics")
    assert world.node.start()
    try:
        before = world.show().bodies[0].id
        jammed |= {"/bodies", "/diagnostics"}
        count = len(world.detector.images)
        world.show_until(lambda: len(world.detector.images) > count + 3)
        world.node._supervise()
        jammed.clear()
        world.received["bodies"].clear()
        assert [body.id for body in world.show().bodies] == [before]
        assert world.node.monitor.drops().get(Drop.INTERNAL_ERROR) is None
    finally:
        world.close()


def test_a_destroyed_publisher_is_a_bug_and_raises(executor):
    node = Node("destroyed")
    executor.add_node(node)
    publisher = PublisherFactory(node).create(String, "text", Qos(1))
    PublisherFactory(node).destroy(publisher)
    with pytest.raises(InvalidHandle):
        publisher.publish(String())
