# SPDX-License-Identifier: Apache-2.0
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from sensor_msgs.msg import JointState
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.ros.player.stopwatch import Stopwatch
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
