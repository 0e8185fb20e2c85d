# SPDX-License-Identifier: Apache-2.0
"""The node's services, asked by a client in an executor and thread of its own, also while images stream in."""

import functools
import threading

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBody, SmplBodyArray
from hri_msgs.msg import IdsList
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.switching import Recipe, SwitchingEngine
from hmr_ros.ros.node.node import HmrNode
from test.engines.test_switching import FakeEngine
from test.ros.graph import FakeCamera, qos, spin_until
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline
from test.ros.world import marker_id


class Robot:
    """The node spins in a thread; its user has another executor, from which images and requests come."""

    def __init__(self, executor, engines=()):
        self.executor, self.detector = executor, StubDetector(2)
        built = stub_pipeline(self.detector, StubEstimator(), engines)
        overrides = [Parameter("max_frame_age_s", value=0.0), Parameter("track_timeout_s", value=5.0)]
        self.node = HmrNode(lambda config: built, overrides)
        self.user = Node("user")
        executor.add_node(self.user)
        self.camera = FakeCamera(self.user)
        self.received = {}
        for kind, topic in (
            (SmplBodyArray, "bodies"),
            (MarkerArray, "markers"),
            (Marker, "mesh"),
            (IdsList, "/humans/bodies/tracked"),
            (DiagnosticArray, "/diagnostics"),
        ):
            self.received[topic] = []
            self.user.create_subscription(kind, topic, self.received[topic].append, qos(depth=50))
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self.node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self):
        while not self._ended.is_set():
            self._spinner.spin_once(timeout_sec=0.05)

    def close(self):
        self._ended.set()
        self._thread.join()
        self._spinner.shutdown()  # not before: rclpy raises in the thread that still handles a callback
        self.node.destroy_node()

    def ask(self, kind, name, **request):
        client = self.user.create_client(kind, f"/hmr/{name}")
        spin_until(self.executor, client.service_is_ready)
        answer = client.call_async(kind.Request(**request))
        spin_until(self.executor, lambda: self.stream() or answer.done())
        self.user.destroy_client(client)
        return answer.result()

    def stream(self):
        """Another image; falsy."""
        self.camera.publish_info()
        self.camera.publish_image()

    def see(self, condition):
        """Images until ``condition()``."""
        spin_until(self.executor, lambda: self.stream() or condition())

    def people(self):
        """Names of the people in the last message who are not lost."""
        last = self.received["bodies"][-1:]
        return {b.id for m in last for b in m.bodies if b.state != SmplBody.LOST and b.valid}

    def reported_message(self, words):
        """Whether the last diagnostics have this message."""
        statuses = [s for array in self.received["/diagnostics"][-1:] for s in array.status]
        return any(words in text for s in statuses for text in (s.message, *(pair.value for pair in s.values)))

    def lost(self):
        return {b.id for m in self.received["bodies"] for b in m.bodies if b.state == SmplBody.LOST}


@pytest.fixture
def robot(executor, closing):
    return functools.partial(closing, Robot, executor)


def deleted(messages):
    return {m.id for m in messages if m.action == Marker.DELETE}


def test_disabling_clears_rviz_and_ends_all_tracks_and_enabling_begins_anew(robot):
    r = robot()
    assert r.node.start()
    r.see(lambda: len(r.people()) == 2 and r.received["mesh"])
    before = r.people()

    answer = r.ask(SetBool, "set_enabled", data=False)
    assert answer.success
    assert answer.message == "disabled; 2 tracks ended"
    spin_until(r.executor, lambda: r.lost() == before and r.received["/humans/bodies/tracked"][-1].ids == [])
    numbers = {marker_id(name) for name in before}
    spin_until(r.executor, lambda: deleted(r.received["mesh"]) == numbers)
    spin_until(r.executor, lambda: deleted([m for a in r.received["markers"] for m in a.markers]) == numbers)
    assert r.user.count_subscribers("image") == 0
    r.see(lambda: r.reported_message("disabled"))
    assert r.people() == set()

    assert r.ask(SetBool, "set_enabled", data=True).success
    r.see(lambda: len(r.people()) == 2)
    assert not r.people() & before


def test_a_disabled_node_stays_so_over_its_lifecycle(robot):
    r = robot()
    assert r.ask(SetBool, "set_enabled", data=False).message == "disabled; the node is not active"
    assert r.node.start()
    assert r.user.count_subscribers("image") == 0
    assert r.ask(SetBool, "set_enabled", data=True).message == "enabled"
    r.see(lambda: len(r.people()) == 2)
    assert r.ask(SetBool, "set_enabled", data=True).message == "enabled"


def test_reset_gives_all_people_new_ids_while_images_stream(robot):
    r = robot()
    assert not r.ask(Trigger, "reset_tracks").success
    assert r.node.start()
    for _ in range(3):
        r.see(lambda: len(r.people()) == 2)
        before = r.people()
        answer = r.ask(Trigger, "reset_tracks")
        assert (answer.success, answer.message) == (True, "2 tracks ended")
        r.see(lambda before=before: len(r.people()) == 2 and not r.people() & before)
        assert before <= r.lost()


def test_resetting_a_worker_that_hangs_is_refused(robot, monkeypatch):
    monkeypatch.setattr("hmr_ros.ros.node.worker._PATIENCE_S", 0.1)
    r = robot()
    go_on, hangs = threading.Event(), threading.Event()
    assert r.node.start()
    r.see(lambda: r.people())
    detect = r.detector.detect
    r.detector.detect = lambda *args: hangs.set() or (go_on.wait(120) and detect(*args))
    r.see(hangs.is_set)
    answer = r.ask(Trigger, "reset_tracks")
    go_on.set()
    assert not answer.success
    assert "the current image has taken 0.1 s" in answer.message


def test_engines_are_rebuilt_while_another_serves(robot):
    go_on = threading.Event()

    def upgrade(progress):
        progress("choosing kernels", 0.4)
        assert go_on.wait(120)
        return FakeEngine(2)

    engine = SwitchingEngine(FakeEngine(3), None, Recipe(lambda: FakeEngine(1), lambda: True, upgrade))
    r = robot(engines=(engine,))
    assert not r.ask(Trigger, "rebuild_engine").success  # nothing is loaded
    assert r.node.start()
    answer = r.ask(Trigger, "rebuild_engine")
    assert answer.success
    assert "building doubler3" in answer.message

    r.see(lambda: r.reported_message("40 %"))
    again = r.ask(Trigger, "rebuild_engine")
    assert not again.success
    assert "being built already" in again.message
    go_on.set()


def test_without_tensorrt_there_is_nothing_to_rebuild(robot):
    r = robot(engines=(FakeEngine(1),))
    assert r.node.start()
    answer = r.ask(Trigger, "rebuild_engine")
    assert not answer.success
    assert answer.message == "only TensorRT engines are built, and none runs here: engine 1"


def test_a_build_that_fails_is_reported(robot):
    def upgrade(progress):
        raise EngineError("the disk is full")

    engine = SwitchingEngine(FakeEngine(3), None, Recipe(lambda: FakeEngine(1), lambda: True, upgrade))
    r = robot(engines=(engine,))
    assert r.node.start()
    assert r.ask(Trigger, "rebuild_engine").success
    r.see(lambda: r.reported_message("the disk is full"))
