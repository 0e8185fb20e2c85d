# SPDX-License-Identifier: Apache-2.0
"""However the node ends, clients that stay keep nobody."""

import signal
import subprocess
import sys

import pytest
from hmr_ros.msg import SmplBody, SmplBodyArray
from hri_msgs.msg import IdsList
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.ros.wire.markers import SKELETON
from test.ros.graph import PATIENCE_S, FakeCamera, qos, spin_until
from test.ros.world import World


class Client:
    """Keeps who is there as clients do: until it is told that they are gone."""

    def __init__(self, node):
        self.people, self.markers, self.meshes, self.listed = set(), set(), set(), set()
        node.create_subscription(SmplBodyArray, "bodies", self.on_bodies, qos(depth=50))
        node.create_subscription(MarkerArray, "markers", self.on_markers, qos(depth=50))
        node.create_subscription(Marker, "mesh", lambda m: self.on_marker(self.meshes, m), qos(depth=50))
        node.create_subscription(IdsList, "/humans/bodies/tracked", self.on_list, qos(depth=50))

    def on_bodies(self, message):
        lost = {body.id for body in message.bodies if body.state == SmplBody.LOST}
        self.people = (self.people | {body.id for body in message.bodies}) - lost

    def on_markers(self, message):
        for marker in message.markers:
            self.on_marker(self.markers, marker)

    def on_marker(self, shown, marker):
        (shown.add if marker.action == Marker.ADD else shown.discard)((marker.ns, marker.id))

    def on_list(self, message):
        self.listed = set(message.ids)

    def sees(self, count):
        kept = (self.people, self.listed, self.meshes, self.markers)
        return [len(each) for each in kept] == [count, count, count, len(SKELETON) * count]


def test_deactivating_ends_everybody(executor, closing):
    w = closing(World, executor, people=2)
    client = Client(w.peer)
    assert w.node.start()
    for _ in range(2):
        w.show_until(lambda: client.sees(2))
        assert w.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        spin_until(executor, lambda: client.sees(0))
        assert w.node.trigger_activate() == TransitionCallbackReturn.SUCCESS


def test_deactivating_a_disabled_node_ends_nobody_twice(executor, closing):
    w = closing(World, executor, people=1)
    w.subscribe(SmplBodyArray, "bodies")
    client = Client(w.peer)
    assert w.node.start()
    w.show_until(lambda: client.sees(1))
    w.node.set_enabled(False)
    spin_until(executor, lambda: client.sees(0))
    w.node.trigger_deactivate()
    spin_until(executor, lambda: w.peer.count_publishers("bodies") == 0)
    assert [b.state for m in w.received["bodies"] for b in m.bodies].count(SmplBody.LOST) == 1


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_end_ends_everybody(executor, signal_number):
    peer = Node("peer", namespace="/ending")
    executor.add_node(peer)
    client, camera = Client(peer), FakeCamera(peer)
    command = [sys.executable, "-m", "hmr_ros.bench.stub_node", "--ros-args", "-r", "__ns:=/ending"]
    command += ["-p", "max_frame_age_s:=0.0", "-p", "mesh_faces:=500"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            spin_until(executor, lambda: camera.publish_info() or (camera.publish_image() and client.sees(1)))
            process.send_signal(signal_number)
            spin_until(executor, lambda: client.sees(0))
            _, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors
