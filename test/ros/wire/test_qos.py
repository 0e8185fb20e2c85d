# SPDX-License-Identifier: Apache-2.0
"""QoS that users override: names and values as rclpy has them, for every topic, refused where they are nonsense."""

from types import SimpleNamespace

import pytest
from hmr_ros.msg import SmplBodyArray
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.node.params import ParameterError
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.output.publishing import Qos
from hmr_ros.ros.wire.qos import AS_OFFERED, PUBLISHER, SUBSCRIPTION, mismatches, overridden
from test.ros.graph import FakeCamera, qos, spin_until
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def node_with(executor, name="host", **overrides):
    parameters = [Parameter(f"qos_overrides.{key}", value=value) for key, value in overrides.items()]
    node = Node(name, parameter_overrides=parameters)
    executor.add_node(node)
    return node


def hmr_with(executor, **overrides):
    parameters = [Parameter(f"qos_overrides.{key}", value=value) for key, value in overrides.items()]
    node = HmrNode(lambda config: stub_pipeline(StubDetector(1), StubEstimator()), parameters)
    executor.add_node(node)
    return node


def offered(peer, topic):
    (info,) = peer.get_publishers_info_by_topic(topic)
    return info.qos_profile


def test_without_overrides_everything_is_as_we_choose(executor):
    node = node_with(executor)
    wanted = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    assert overridden(node, "topic", wanted, PUBLISHER) == wanted
    assert node.get_parameter("qos_overrides./topic.publisher.depth").value == 5
    assert node.describe_parameter("qos_overrides./topic.publisher.reliability").read_only
    assert overridden(node, "topic", wanted, PUBLISHER) == wanted  # declared already, as after a second activation


def test_overrides_are_taken(executor):
    node = node_with(
        executor,
        **{
            "/topic.publisher.reliability": "best_effort",
            "/topic.publisher.depth": 7,
            "/topic.publisher.durability": "transient_local",
            "/topic.publisher.history": "keep_all",
        },
    )
    profile = overridden(node, "topic", QoSProfile(depth=1), PUBLISHER)
    assert (profile.reliability, profile.depth) == (BEST_EFFORT, 7)
    assert (profile.durability.name, profile.history.name) == ("TRANSIENT_LOCAL", "KEEP_ALL")


@pytest.mark.parametrize(
    ("policy", "value", "expected"),
    [
        ("reliability", "very", "reliable, best_effort"),
        ("reliability", 1, "reliable, best_effort"),
        ("reliability", "best_available", "reliable, best_effort"),
        ("durability", "transient", "volatile, transient_local"),
        ("history", "keep", "keep_last, keep_all"),
        ("depth", 0, "an integer, 1 to 1000"),
        ("depth", 1001, "an integer, 1 to 1000"),
        ("depth", "deep", "an integer, 1 to 1000"),
    ],
)
def test_nonsense_is_refused_by_name(executor, policy, value, expected):
    node = node_with(executor, **{f"/topic.publisher.{policy}": value})
    with pytest.raises(ParameterError, match=rf"qos_overrides./topic.publisher.{policy}.*expected {expected}"):
        overridden(node, "topic", QoSProfile(depth=1), PUBLISHER)


def test_a_camera_is_taken_as_it_offers_unless_the_user_has_settled_it(executor):
    peer = node_with(executor, "peer")
    FakeCamera(peer, profile=qos(RELIABLE))
    for overrides, expected in (({}, RELIABLE), ({"/image.subscription.reliability": "best_effort"}, BEST_EFFORT)):
        node = node_with(executor, **overrides)
        spin_until(executor, lambda node=node: node.count_publishers("image"))
        subscription = AdaptiveSubscription(node, Image, "image", print)
        assert subscription._subscription.qos_profile.reliability is expected
        subscription.adapt()
        assert subscription._subscription.qos_profile.reliability is expected
        subscription.close()
    assert overridden(node_with(executor), "a", AS_OFFERED, SUBSCRIPTION) == AS_OFFERED


def test_one_setting_serves_the_topics_of_all_people(executor):
    node = node_with(executor, **{"/bodies/id/joint_states.publisher.reliability": "best_effort"})
    family = PublisherFactory(node).family(SmplBodyArray, "bodies/{}/joint_states", Qos(1))
    declared = len(node.get_parameters_by_prefix("qos_overrides"))
    for name in ("aaaaa", "bbbbb"):
        assert family(name).topic_name == f"/bodies/{name}/joint_states"
        assert offered(node, f"/bodies/{name}/joint_states").reliability is BEST_EFFORT
    assert len(node.get_parameters_by_prefix("qos_overrides")) == declared


def test_every_topic_of_the_node_can_be_overridden(executor):
    node = hmr_with(executor, **{"/bodies.publisher.reliability": "best_effort", "/mesh.publisher.depth": 3})
    assert node.start()
    names = set(node.get_parameters_by_prefix("qos_overrides"))
    entities = [(p.topic_name, "publisher") for p in node.publishers] + [
        (s.topic_name, "subscription") for s in node.subscriptions
    ]
    ours = [(topic, kind) for topic, kind in entities if topic not in ("/parameter_events", "/hmr/transition_event")]
    assert len(ours) > 8
    for topic, kind in ours:
        for policy in ("history", "depth", "reliability", "durability"):
            assert f"{topic}.{kind}.{policy}" in names
    assert offered(node, "/bodies").reliability is BEST_EFFORT
    for _ in range(2):
        assert node.trigger_deactivate() == node.trigger_activate() == TransitionCallbackReturn.SUCCESS


def test_a_node_that_cannot_be_activated_leaves_nothing_and_stays_inactive(executor):
    node = hmr_with(executor, **{"/people.publisher.reliability": "perhaps"})
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    before = len(list(node.publishers)), len(list(node.subscriptions))
    for _ in range(2):
        assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
        assert (len(list(node.publishers)), len(list(node.subscriptions))) == before
    assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS


def test_connections_with_incompatible_qos_are_named(executor):
    node = node_with(executor, "publisher", **{"/bodies.publisher.reliability": "best_effort"})
    factory = PublisherFactory(node)
    factory.create(SmplBodyArray, "bodies", Qos(1))
    subscriber = node_with(executor, "subscriber")
    assert mismatches(node) == []
    reliable = subscriber.create_subscription(SmplBodyArray, "bodies", print, qos(RELIABLE))
    spin_until(executor, lambda: mismatches(node))
    expected = "/bodies: subscriber requests reliable, which is not offered; see qos_overrides./bodies.publisher"
    assert mismatches(node) == [expected]
    expected = "/bodies: publisher does not offer reliable, which is requested; see qos_overrides./bodies.subscription"
    assert mismatches(subscriber) == [expected]
    subscriber.destroy_subscription(reliable)
    spin_until(executor, lambda: not mismatches(node))


VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL


@pytest.mark.parametrize(
    ("offered_as", "requested_as", "words"),
    [
        ((RELIABLE, LATCHED), (RELIABLE, LATCHED), ""),
        ((RELIABLE, LATCHED), (BEST_EFFORT, VOLATILE), ""),
        ((BEST_EFFORT, VOLATILE), (BEST_EFFORT, VOLATILE), ""),
        ((BEST_EFFORT, LATCHED), (RELIABLE, LATCHED), "reliable"),
        ((RELIABLE, VOLATILE), (RELIABLE, LATCHED), "transient_local"),
        ((BEST_EFFORT, VOLATILE), (RELIABLE, LATCHED), "reliable and transient_local"),
    ],
)
def test_what_is_requested_and_not_offered_is_named_on_both_sides(offered_as, requested_as, words):
    offers, requests = qos(*offered_as), qos(*requested_as)

    class Host:
        publishers = (SimpleNamespace(topic_name="/a", qos_profile=offers),)
        subscriptions = (SimpleNamespace(topic_name="/b", qos_profile=requests),)

        def get_subscriptions_info_by_topic(self, topic):
            return [SimpleNamespace(node_name="rviz", qos_profile=requests)] * (topic == "/a")

        def get_publishers_info_by_topic(self, topic):
            return [SimpleNamespace(node_name="camera", qos_profile=offers)] * (topic == "/b")

    assert mismatches(Host()) == (
        [
            f"/a: rviz requests {words}, which is not offered; see qos_overrides./a.publisher",
            f"/b: camera does not offer {words}, which is requested; see qos_overrides./b.subscription",
        ]
        if words
        else []
    )


def test_an_override_is_described_with_its_values(executor):
    node = node_with(executor)
    overridden(node, "topic", QoSProfile(depth=5), PUBLISHER)
    overridden(node, "topic", AS_OFFERED, SUBSCRIPTION)
    described = node.describe_parameter("qos_overrides./topic.publisher.durability")
    assert described.description == "durability of the publisher"
    assert described.additional_constraints == "volatile, transient_local"
    described = node.describe_parameter("qos_overrides./topic.subscription.reliability")
    assert described.additional_constraints == "reliable, best_effort, best_available"
    depth = node.describe_parameter("qos_overrides./topic.publisher.depth")
    (bounds,) = depth.integer_range
    assert (depth.description, depth.read_only) == ("depth of the publisher", True)
    assert (bounds.from_value, bounds.to_value) == (1, 1000)


@pytest.mark.parametrize("depth", [1, 1000])
def test_depths_at_the_ends_of_the_range_are_taken(executor, depth):
    node = node_with(executor, **{"/topic.subscription.depth": depth})
    assert overridden(node, "topic", QoSProfile(depth=5), SUBSCRIPTION).depth == depth
    assert overridden(node, "topic", QoSProfile(depth=5), PUBLISHER).depth == 5
