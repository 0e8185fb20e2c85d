# SPDX-License-Identifier: Apache-2.0
"""A node that processes no images must not look like one that sees no people."""

import threading

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hmr_ros.msg import SmplBodyArray

from hmr_ros.ros.node import operation
from hmr_ros.ros.wire import interfaces
from test.ros.graph import spin_until
from test.ros.planning_clients import ObstacleLayer, PlanningSceneSubscriber
from test.ros.world import World

if not interfaces.COLLISION_OBJECTS.is_available:
    pytest.skip("needs moveit_msgs: make test", allow_module_level=True)


class PlannerWorld(World):
    """The node, and planners that know of one person."""

    def __init__(self, executor):
        super().__init__(executor, **{"planning.collision_objects": True, "planning.refresh_s": 0.0})
        self.scene, self.layer = PlanningSceneSubscriber(self.peer), ObstacleLayer(self.peer)
        self.subscribe(DiagnosticArray, "/diagnostics")
        self.subscribe(SmplBodyArray, "bodies")
        assert self.node.start()
        self.show_until(lambda: self.scene.objects and len(self.layer.points()))

    def errors(self):
        statuses = [s for report in self.received["/diagnostics"] for s in report.status]
        return [s for s in statuses if s.level == DiagnosticStatus.ERROR]


@pytest.fixture
def world(executor, closing, monkeypatch):
    monkeypatch.setattr(operation, "_LONGEST_IMAGE_S", 1.0)
    return closing(PlannerWorld, executor)


def assert_planners_still_know(world, points):
    assert [operation for operation, _ in world.scene.log if operation == "REMOVE"] == []
    assert len(world.scene.objects) == 1
    assert np.array_equal(world.layer.points(), points)
    assert world.scene.errors == []


def test_a_hanging_worker_is_an_error_and_removes_no_person(world):
    go_on = threading.Event()
    estimate = world.estimator.estimate
    world.estimator.estimate = lambda *args: (go_on.wait(120), estimate(*args))[1]
    try:
        world.show_until(lambda: any("no image was processed for" in e.message for e in world.errors()))
        points, newest = world.layer.points(), world.layer.observations[-1][0]
        world.show_until(lambda: len(world.errors()) >= 2)
        assert world.layer.observations[-1][0] == newest
        assert_planners_still_know(world, points)
    finally:
        go_on.set()
    world.show_until(lambda: world.layer.observations[-1][0] > newest)


def test_a_crashing_pipeline_is_an_error_and_removes_no_person(world):
    points = world.layer.points()

    def crash(*args):
        raise RuntimeError("a bug")

    world.estimator.estimate = crash
    world.show_until(lambda: any("no image was processed for" in e.message for e in world.errors()))
    assert world.node.monitor.drops()["internal_error"] > 0
    assert_planners_still_know(world, points)


def test_a_silent_camera_is_an_error_and_removes_no_person(world):
    points = world.layer.points()
    spin_until(world.executor, lambda: any("no image for" in e.message for e in world.errors()))
    assert_planners_still_know(world, points)


def test_deactivating_removes_no_person_and_activating_again_goes_on(world):
    points = world.layer.points()
    world.node.trigger_deactivate()
    assert_planners_still_know(world, points)
    world.node.trigger_activate()
    world.show_until(lambda: len(world.scene.objects) == 2)  # the same person under a new id, and the old one for now
    (old, new) = world.scene.objects
    world.show_until(lambda: list(world.scene.objects) == [new])
    assert ("REMOVE", old) in world.scene.log
