# SPDX-License-Identifier: Apache-2.0
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import TransformStamped
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.ros.player.stopwatch import OUTPUTS, Stopwatch
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header
from test.ros.graph import spin_until


@pytest.fixture
def watched(executor):
    """A stopwatch, and a node to be timed."""
    nodes = Stopwatch(), Node("hmr")
    for node in nodes:
        executor.add_node(node)
    return nodes


def stamped(node, seconds_ago):
    ns = node.get_clock().now().nanoseconds - int(seconds_ago * 1e9)
    return header(Stamp(*divmod(ns, 1_000_000_000)), "camera")


def test_latency_is_that_of_the_last_message_about_an_image(executor, watched):
    watch, node = watched
    watch.subscribe(("markers",))
    bodies, markers = (
        node.create_publisher(SmplBodyArray, "bodies", 5),
        node.create_publisher(MarkerArray, "markers", 5),
    )
    spin_until(executor, lambda: bodies.get_subscription_count() and markers.get_subscription_count())
    bodies.publish(SmplBodyArray(header=stamped(node, 1.0)))
    late = stamped(node, 2.0)
    bodies.publish(SmplBodyArray(header=late))
    spin_until(executor, lambda: watch.message_count == 2)
    first_s = watch.latencies_s()
    assert first_s == pytest.approx([1.0, 2.0], abs=0.9)
    markers.publish(MarkerArray())  # no markers: about no image
    markers.publish(MarkerArray(markers=[Marker(header=late)]))
    spin_until(executor, lambda: watch.message_count == 4)
    latencies_s = watch.latencies_s()
    assert latencies_s[0] == first_s[0]
    assert latencies_s[1] > first_s[1]
    assert len(watch.bodies_at_s()) == 2
    watch.start_over()
    assert len(watch.latencies_s()) == len(watch.bodies_at_s()) == watch.message_count == 0


def test_it_subscribes_only_the_given_outputs(executor, watched):
    watch, node = watched
    publishers = {
        topic: node.create_publisher(kind, topic, 5)
        for kind, topic in ((SmplBodyArray, "bodies"), (Marker, "mesh"), (JointState, "bodies/abcde/joint_states"))
    }

    def subscribed():
        watch.follow_people()
        return [topic for topic, publisher in publishers.items() if publisher.get_subscription_count()]

    watch.subscribe(("mesh",))
    spin_until(executor, lambda: subscribed() == ["bodies", "mesh"])
    watch.subscribe(("joint_states",))
    spin_until(executor, lambda: subscribed() == ["bodies", "bodies/abcde/joint_states"])
    watch.subscribe(())
    spin_until(executor, lambda: subscribed() == ["bodies"])


def test_it_reads_the_diagnostics_of_its_node(executor, watched):
    watch, node = watched
    publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
    spin_until(executor, publisher.get_subscription_count)
    status = DiagnosticStatus(hardware_id="hmr", values=[KeyValue(key="people", value="3")])
    publisher.publish(DiagnosticArray(status=[status]))
    spin_until(executor, lambda: watch.diagnostics == {"people": "3"})


STAMP = Stamp(1000, 250_000_000)


@pytest.fixture
def watch(monkeypatch):
    """A stopwatch whose subscriptions are called by hand: ``callbacks`` by topic."""
    watch = Stopwatch()
    watch.callbacks, watch.kinds = {}, {}

    def subscribed(kind, topic, callback, qos, raw):
        assert raw
        watch.callbacks[topic], watch.kinds[topic] = callback, kind
        return topic

    monkeypatch.setattr(watch, "create_subscription", subscribed)
    monkeypatch.setattr(watch, "destroy_subscription", lambda topic: watch.callbacks.pop(topic))
    yield watch
    monkeypatch.undo()
    watch.destroy_node()


def about(kind, stamp=STAMP):
    """A serialised message about the image with this stamp."""
    of_image = header(stamp, "camera")
    return serialize_message(
        {
            MarkerArray: lambda: MarkerArray(markers=[Marker(header=of_image)]),
            TFMessage: lambda: TFMessage(transforms=[TransformStamped(header=of_image)]),
        }.get(kind, lambda: kind(header=of_image))()
    )


def published(after_s):
    sent_ns = STAMP.nanoseconds + round(after_s * 1e9)
    return {"source_timestamp": sent_ns, "received_timestamp": sent_ns + 1000}


def test_every_output_counts_with_its_stamp_and_the_time_of_publishing(watch):
    watch.subscribe(OUTPUTS)
    assert set(watch.callbacks) == {"bodies", "markers", "mesh", "overlay", "mesh_points", "/tf"}
    after_s = 0.05
    for topic, callback in watch.callbacks.items():
        after_s += 0.01
        callback(about(watch.kinds[topic]), published(after_s))
        assert watch.latencies_s() == pytest.approx([after_s]), topic
    callback(about(watch.kinds[topic]), published(0.01))  # an earlier one counts, but is not the last
    assert watch.latencies_s() == pytest.approx([after_s])
    assert watch.message_count == 7


def test_bodies_are_timed_since_the_epoch(watch):
    watch.subscribe(())
    watch.callbacks["bodies"](about(SmplBodyArray), published(0.5))
    watch.callbacks["bodies"](about(SmplBodyArray, Stamp(1000, 0)), published(0.75))
    assert watch.bodies_at_s() == pytest.approx([1000.75, 1001.0])
    assert watch.latencies_s() == pytest.approx([0.5, 1.0])
    assert set(watch.callbacks) == {"bodies"}


def test_joint_states_are_followed_once_and_only_when_asked_for(watch, monkeypatch):
    types = [
        ("/bodies/abcde/joint_states", ["sensor_msgs/msg/JointState"]),
        ("/bodies/abcde/roi", ["hri_msgs/msg/NormalizedRegionOfInterest2D"]),
    ]
    monkeypatch.setattr(watch, "get_topic_names_and_types", lambda: types)
    watch.subscribe(("mesh",))
    watch.follow_people()
    assert set(watch.callbacks) == {"bodies", "mesh"}
    watch.subscribe(("joint_states",))
    watch.follow_people()
    callback = watch.callbacks["/bodies/abcde/joint_states"]
    watch.follow_people()
    assert watch.callbacks["/bodies/abcde/joint_states"] is callback
    assert set(watch.callbacks) == {"bodies", "/bodies/abcde/joint_states"}
    callback(about(JointState), published(0.125))
    assert watch.latencies_s() == pytest.approx([0.125])
    assert len(watch.bodies_at_s()) == 0


def test_diagnostics_of_other_nodes_are_left_out(watch, monkeypatch):
    monkeypatch.setattr(watch, "get_namespace", lambda: "/timed")

    def report(*statuses):
        made = [
            DiagnosticStatus(hardware_id=hardware_id, values=[KeyValue(key=key, value=key.upper())])
            for hardware_id, key in statuses
        ]
        watch._on_diagnostics(DiagnosticArray(status=made))
        return watch.diagnostics

    assert report(("elsewhere/hmr", "a")) == {}
    assert report(("timed/hmr", "b"), ("elsewhere/hmr", "c"), ("timed/hmr", "d")) == {"b": "B", "d": "D"}
    assert report(("elsewhere/hmr", "e")) == {"b": "B", "d": "D"}
