# SPDX-License-Identifier: Apache-2.0
"""One writer, two transports: of the same messages the node publishes what the result of a recording holds."""

import re

import numpy as np
import pytest

pytest.importorskip("mcap")

from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message

from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.types import message_class
from test.ros.bag.recordings import BEGAN_NS, PERIOD_NS, image, info, transform, write_mcap
from test.ros.bag.runs import build, recorded, run
from test.ros.graph import spin_until
from test.ros.wire.reference import assert_same
from test.ros.world import World

PARAMETERS = {"target_frame": "odom", "planning.collision_objects": True, "publish_tf": "skeleton", "mesh_faces": 1000}
IMAGES = 6

OF_THE_NODE_ALONE = re.compile(r"/rosout|/parameter_events|/diagnostics|.*/(latency|transition_event|overlay|cropped)")
"""What depends on the machine, or repeats the images."""


def as_bytes(message):
    """What the node hands to rclpy, as bytes: an object by our encoder, which is rclpy's but for padding."""
    if isinstance(message, bytes):
        return message
    data = serialise(message)
    assert_same(data, message)
    return data


@pytest.fixture
def sent(monkeypatch):
    """(topic, bytes) of everything that publishers of this process publish; all topics have a subscriber."""
    found = []

    def recording(self, message):
        if not OF_THE_NODE_ALONE.fullmatch(self.topic_name):
            found.append((self.topic_name, as_bytes(message)))

    monkeypatch.setattr(Publisher, "publish", recording)
    monkeypatch.setattr(Publisher, "get_subscription_count", lambda self: 1)
    return found


def of_node(executor, sent, said):
    """What the node publishes of ``said``, each image after all that comes before it; handed to it without DDS."""
    world = World(executor, 2, **PARAMETERS)
    assert world.node.start()
    operation = world.node._operation
    for each in said:
        if each.topic == "/tf_static":
            operation._outputs.frames._listener._receive(each.data, is_static=True)
        elif each.topic == "/camera_info":
            operation._input._infos._receive(each.data)
        else:
            known = len(bodies(sent))
            operation._input._on_image(each.data)
            spin_until(executor, lambda known=known: len(bodies(sent)) > known and is_idle(world))
    world.close()
    return list(sent)


def bodies(sent):
    return [data for topic, data in sent if topic == "/bodies"]


def is_idle(world):
    """Whether the worker is done with the image: its bodies are among the first messages about it."""
    return not world.node._operation._worker._processing.locked()


def warmed_up(config, parts):
    """A pipeline that has seen an image, as the node's when it is configured: ids count from there."""
    pipeline = build(2)(config, parts)
    pipeline(np.zeros((360, 640, 3), np.uint8), None, 0.0)
    pipeline.reset()
    return pipeline


def by_topic(messages):
    found = {}
    for topic, data in messages:
        found.setdefault(topic, []).append(data)
    return found


def test_messages_are_equal_to_the_byte(executor, sent, tmp_path):
    stamps = [BEGAN_NS + k * PERIOD_NS for k in range(IMAGES)]
    said = [transform(BEGAN_NS - 2), info(BEGAN_NS - 1, "/camera_info"), *(image(ns, "/image") for ns in stamps)]
    expected = by_topic(of_node(executor, sent, said))
    parameters = [f"{name}:={value}" for name, value in PARAMETERS.items()]
    _, problems = run(
        write_mcap(tmp_path / "bag.mcap", said), tmp_path / "out", opened=warmed_up, parameters=parameters
    )
    assert problems == []
    result = recorded(tmp_path / "out")
    found = by_topic((topic, data) for topic, _, _, data in result if topic != "/diagnostics")
    assert set(found) == set(expected)
    for topic in sorted(expected):
        assert len(found[topic]) == len(expected[topic]), topic
        assert all(a == b for a, b in zip(found[topic], expected[topic], strict=True)), topic
    assert len(found["/bodies"]) == IMAGES + 1
    assert len(found["/collision_object"]) >= 2


def test_definitions_of_the_result_are_those_that_are_installed(tmp_path):
    run(write_mcap(tmp_path / "bag.mcap", [info(BEGAN_NS), image(BEGAN_NS)]), tmp_path / "out")
    for topic, _, kind, data in recorded(tmp_path / "out"):
        package, _, name = kind.split("/")
        message = deserialize_message(data, message_class(package, name))
        assert serialise(message) == data, topic
        assert np.frombuffer(data[:4], np.uint8).tolist() == [0, 1, 0, 0]
