# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
import threading

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from people_msgs.msg import People
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from hmr_ros.core.body.capsules import PADDING_M
from hmr_ros.core.config import PlanningConfig, RobotConfig
from hmr_ros.core.geometry.rotation import rotvec_to_quat, rotvec_to_rotmat
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.ros.input.fixed_frames import FixedFrames, frames_of
from hmr_ros.ros.output.planning import PlanningOutputs
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.wire import interfaces
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import person_name
from test.ros.graph import qos, spin_until
from test.ros.planning_clients import ObstacleLayer, PlanningSceneSubscriber
from test.ros.stubs import BODY_MODEL, HAND, StubDetector, some_bodies, with_forecasts, with_hands

if not interfaces.COLLISION_OBJECTS.is_available:
    pytest.skip("needs moveit_msgs: make test", allow_module_level=True)

CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
TURN, MOVE = np.array([-np.pi / 2, 0, 0]), np.array([0.5, 0, 1.2])


class Stage:
    """The planners' outputs, fed by hand, and a planner of each kind."""

    def __init__(self, executor, presence=None, scene=True, tf_timeout_s=0.05, target="", world="", **planning):
        self.executor = executor
        planning = {"collision_objects": True, "refresh_s": 0.0} | planning
        frames = {"target_frame": target, "world_frame": world}
        self.config = RobotConfig(tf_timeout_s=tf_timeout_s, planning=PlanningConfig(**planning), **frames)
        self.node, self.peer = Node("planning_outputs"), Node("planner")
        executor.add_node(self.node)
        executor.add_node(self.peer)
        self.presence = presence or Presence()
        self.outputs = self.new_outputs()
        self.scene = PlanningSceneSubscriber(self.peer) if scene else None
        self.layer = ObstacleLayer(self.peer)
        self.stamp_s = 100.0
        self.problem = ""

    def new_outputs(self):
        publishers = PublisherFactory(self.node)
        self.frames = FixedFrames(publishers.listener(frames_of(self.config)))
        return PlanningOutputs(publishers, BODY_MODEL, self.config, self.presence, self.frames, hand_model=HAND)

    def show(self, bodies, lost=(), camera=CAMERA, after_s=0.1):
        """One image, some time after the one before it."""
        self.stamp_s += after_s
        stamp = Stamp(int(self.stamp_s), int(self.stamp_s % 1 * 1e9))
        self.problem = self.outputs.publish(stamp, "camera", camera, bodies, lost, self.config)

    def show_until(self, bodies, condition, **options):
        def shown():
            self.show(bodies, **options)
            return condition()

        spin_until(self.executor, shown)

    def settle(self, people=0, ids=None):
        """Show people until planners have subscribed, and for longer than they count as new subscribers."""
        bodies = some_bodies(people, ids)
        self.show_until(bodies, lambda: self.layer.observations and (not people or len(self.scene.objects) == people))
        for _ in range(12):
            self.show(bodies)
        self.drain()
        self.scene.log.clear()

    def drain(self, spins=25):
        """Let planners take all that was sent."""
        for _ in range(spins):
            self.executor.spin_once(timeout_sec=0.01)

    def object(self, track_id):
        return self.scene.objects.get(f"human_{person_name(track_id)}")

    def close(self):
        assert self.scene is None or self.scene.errors == []
        self.outputs.close()


@pytest.fixture
def stage(executor, closing):
    return functools.partial(closing, Stage, executor)


def operations(stage):
    return [operation for operation, _ in stage.scene.log]


def bent(bodies, meters=0.0, turn=0.0):
    """The same people elsewhere, with an arm rotated."""
    pose = bodies.body_pose.copy()
    pose[:, [15, 16]] += [0.0, 0.0, turn]
    place = bodies.cam_t + [meters, 0, 0]
    posed = BODY_MODEL.posed(bodies.global_orient, pose, bodies.betas, place)
    return dataclasses.replace(bodies, body_pose=pose, cam_t=place, vertices=posed.vertices, joints=posed.joints)


def seen_only(track_id):
    """A person without a position."""
    bodies = Bodies.without_geometry(StubDetector(1).detect(None), BODY_MODEL.vertex_count)
    return dataclasses.replace(bodies, ids=np.array([track_id]))


# MoveIt


def test_people_are_added_once_then_moved_and_removed_when_they_leave(stage):
    s = stage()
    s.settle()
    people = some_bodies(2, [4, 9])
    for _ in range(5):
        s.show(people)
    s.drain()
    assert operations(s) == ["ADD"] * 2 + ["MOVE"] * 8
    s.show(some_bodies(1, [4]), lost=(9,))
    s.drain()
    assert s.scene.log[-2:] == [("REMOVE", f"human_{person_name(9)}"), ("MOVE", f"human_{person_name(4)}")]
    assert len(s.scene.objects) == 1


def test_a_person_who_was_removed_is_added_again(stage):
    """With shapes: a planner forgets what is removed. Ids that another detector gives come back."""
    s = stage()
    s.settle()
    s.show(some_bodies(1, [4]))
    s.show(some_bodies(0), lost=(4,))
    for _ in range(3):
        s.show(some_bodies(1, [4]), after_s=2.0)
    s.drain()
    after = operations(s)[operations(s).index("REMOVE") :]
    assert after == ["REMOVE", "ADD", "MOVE", "MOVE"]


@pytest.mark.parametrize("turn", [0.0, 1.2])
def test_the_object_contains_the_body_also_after_it_moved(stage, turn):
    s = stage()
    s.settle(1, [3])
    moved = bent(some_bodies(1, [3]), 0.7, turn)
    s.show(moved)
    s.drain()
    assert operations(s) == ["MOVE"]
    inside = s.object(3).contains(moved.vertices[0].astype(float))
    assert inside.mean() > 0.995
    assert not s.object(3).contains(some_bodies(1, [3]).vertices[0].astype(float)).all()


def test_fingers_have_capsules_of_their_own_where_they_are_asked_for(stage):
    """They contain fingers however these are bent, where the body's capsules and their padding are left out."""
    s = stage(hands=True, padding_m=0.0)
    people = with_hands(some_bodies(1, [3]), (0, 0), (0, 1))
    s.show_until(people, lambda: s.scene.objects)
    assert len(s.object(3).primitives) == 3 * (18 + 30)
    tips = people.hands.joints[0, :, 4::4].reshape(-1, 3).astype(float)
    assert s.object(3).contains(tips).all()


def test_with_a_forecast_level_the_object_contains_where_the_person_will_be(stage):
    s = stage(forecast_level=0.9)
    s.settle(1, [3])
    walker = with_forecasts(some_bodies(1, [3]), (0.5, 1.0))
    for _ in range(2):
        s.show(walker)
    s.drain()
    assert operations(s) == ["ADD", "MOVE"], "the shapes of who has forecasts are others"
    for seconds in (0.0, 0.5, 1.0):
        assert s.object(3).contains(walker.vertices[0] + [seconds, 0, 0]).mean() > 0.995
    s.config = dataclasses.replace(s.config, planning=dataclasses.replace(s.config.planning, forecast_level=0.0))
    s.show(walker)
    s.drain()
    assert operations(s)[-1] == "ADD"
    assert s.object(3).contains(walker.vertices[0] + [1.0, 0, 0]).mean() < 0.5


def test_padding_may_change_while_running(stage):
    s = stage()
    s.settle(1, [3])
    s.config = dataclasses.replace(s.config, planning=dataclasses.replace(s.config.planning, padding_m=PADDING_M + 0.1))
    s.show(some_bodies(1, [3]))
    s.drain()
    assert operations(s) == ["ADD"]
    point = some_bodies(1, [3]).joints[0, [15]] + [0, 0, -0.2]
    assert s.object(3).contains(point.astype(float)).all()


def test_a_late_subscriber_gets_all_people(stage):
    s = stage()
    s.settle(1, [3])
    late = PlanningSceneSubscriber(s.peer)
    s.show_until(some_bodies(1, [3]), lambda: late.objects)
    assert late.log[0][0] == "ADD"


def test_a_planner_that_lost_its_objects_gets_them_back(stage):
    s = stage(refresh_s=2.0)
    s.settle(1, [3])
    s.scene.objects.clear()
    for _ in range(25):
        s.show(some_bodies(1, [3]))
    s.drain()
    assert s.object(3) is not None
    s.scene.errors.clear()  # MOVEs in between


def test_updates_keep_to_their_rate(stage):
    s = stage(rate_hz=5.0)
    s.settle(1, [3])
    for _ in range(30):
        s.show(some_bodies(1, [3]), after_s=1 / 30)
    s.drain()
    assert len(s.scene.log) == 5
    s.show(some_bodies(0), lost=(3,), after_s=1 / 30)
    s.drain()
    assert operations(s)[-1] == "REMOVE"  # at once


def test_a_larger_person_gets_larger_shapes(stage):
    s = stage()
    s.settle(1, [3])
    bodies = some_bodies(1, [3])
    betas = bodies.betas + np.eye(10)[0] * 2
    vertices = BODY_MODEL.posed(bodies.global_orient, bodies.body_pose, betas, bodies.cam_t).vertices
    s.show(dataclasses.replace(bodies, betas=betas, vertices=vertices))
    s.drain()
    assert operations(s) == ["ADD"]
    assert s.object(3).contains(vertices[0].astype(float)).mean() > 0.99


def test_nothing_is_sent_without_subscribers(stage, monkeypatch):
    s = stage(scene=False)
    sent = []
    monkeypatch.setattr(type(s.outputs._objects), "update", lambda *args: sent.append(args))
    for _ in range(5):
        s.show(some_bodies(1, [3]))
    assert not sent


# nav2


def test_points_lie_on_all_people(stage):
    s = stage(mesh_points=300)
    people = some_bodies(2, [4, 9])
    s.show_until(people, lambda: len(s.layer.points()) == 600)
    skin = {tuple(vertex) for vertex in people.vertices.reshape(-1, 3).astype(np.float32).tolist()}
    assert skin.issuperset(map(tuple, s.layer.points().tolist()))
    s.show_until(some_bodies(1, [4]), lambda: len(s.layer.points()) == 300, lost=(9,))


def test_an_empty_cloud_is_published_for_each_image_without_people(stage):
    s = stage()
    s.show_until(some_bodies(0), lambda: s.layer.observations)
    assert len(s.layer.points()) == 0
    first = s.layer.observations[-1][0]
    s.show(some_bodies(0))
    s.drain()
    assert s.layer.observations[-1][0] > first
    assert s.layer.is_current(s.stamp_s)


def test_people_have_velocities_in_the_fixed_frame(stage):
    s = stage()
    people = []
    s.peer.create_subscription(People, "people", people.append, qos())
    start = some_bodies(1, [3])
    s.show_until(start, lambda: people)
    for k in range(1, 31):
        s.show(bent(start, 0.08 * k))
    s.drain()
    person = people[-1].people[0]
    assert (people[-1].header.frame_id, person.name, person.reliability) == ("camera", person_name(3), 0.9)
    assert [person.velocity.x, person.velocity.y] == pytest.approx([0.8, 0], abs=0.05)
    hips = bent(start, 0.08 * 30).joints[0, [1, 2]].mean(0)
    assert np.allclose([person.position.x, person.position.y, person.position.z], hips, atol=1e-5)
    s.show(some_bodies(0), lost=(3,))
    s.drain()
    assert people[-1].people == []


# Frames


class Robot:
    """Publishes odom <- base, moving, and base <- camera, static."""

    def __init__(self, node):
        kind = interfaces.TF.message("TFMessage")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.moving, self.static = (
            node.create_publisher(kind, "/tf", 10),
            node.create_publisher(kind, "/tf_static", latched),
        )
        self.kind = kind
        self.static.publish(kind(transforms=[self._transform("base", "camera", 0.0, MOVE, TURN)]))

    def drive(self, stamp_s, x):
        self.moving.publish(
            self.kind(transforms=[self._transform("odom", "base", stamp_s, np.array([x, 0, 0]), 0 * TURN)])
        )

    def _transform(self, parent, child, stamp_s, xyz, rotvec):
        t = TransformStamped(child_frame_id=child)
        t.header.frame_id = parent
        t.header.stamp.sec, t.header.stamp.nanosec = int(stamp_s), int(stamp_s % 1 * 1e9)
        t.transform.translation.x, t.transform.translation.y, t.transform.translation.z = xyz.tolist()
        q = t.transform.rotation
        q.x, q.y, q.z, q.w = rotvec_to_quat(rotvec).tolist()
        return t


def in_base(points):
    return points.astype(float) @ rotvec_to_rotmat(TURN).T + MOVE


def test_objects_are_in_the_fixed_frame_at_the_stamp_of_the_image(stage):
    s = stage(frame="odom", tf_timeout_s=0.0)
    robot = Robot(s.peer)
    body = some_bodies(1, [3])

    def shown():
        # Around the stamp of the next image, the robot drives from 0 to 2 m: at the stamp itself it is at 1 m.
        robot.drive(s.stamp_s + 0.05, 0.0)
        robot.drive(s.stamp_s + 0.15, 2.0)
        s.drain()
        s.show(body)
        return s.object(3) is not None and not s.problem

    spin_until(s.executor, shown)
    assert s.object(3).frame_id == "odom"
    expected = in_base(body.vertices[0]) + [1.0, 0, 0]
    assert s.object(3).contains(expected).mean() > 0.995


def test_a_transform_that_comes_a_little_late_is_waited_for(stage):
    s = stage(frame="odom", tf_timeout_s=1.0)
    robot, frames = Robot(s.peer), s.frames._listener

    def known():
        robot.drive(s.stamp_s, 0.0)
        return frames._tree._way_up("camera")[-1] == "odom"

    spin_until(s.executor, known)
    later = threading.Timer(0.2, robot.drive, (s.stamp_s + 0.3, 3.0))
    spinning = threading.Thread(target=lambda: [s.executor.spin_once(timeout_sec=0.05) for _ in range(30)])
    later.start()
    spinning.start()
    stamp = Stamp(int(s.stamp_s), 100_000_000)
    place = frames.lookup("odom", "base", stamp, 10.0).translation
    spinning.join()
    later.join()
    assert np.allclose(place, [1.0, 0, 0], atol=1e-6)


def test_without_the_transform_objects_stay_and_the_reason_is_named(stage):
    s = stage(frame="odom", tf_timeout_s=0.0)
    robot = Robot(s.peer)
    body = some_bodies(1, [3])

    def shown():
        robot.drive(s.stamp_s, 0.0)
        robot.drive(s.stamp_s + 0.2, 0.0)
        s.drain()
        s.show(body)
        return s.object(3) is not None

    spin_until(s.executor, shown)
    s.drain()
    s.scene.log.clear()
    before = s.object(3).stamp
    s.show(body, after_s=3.0)
    s.show(body)
    s.drain()
    assert s.scene.log == []
    assert s.object(3).stamp == before
    assert "no people for planners: base -> odom: the image was taken" in s.problem
    s.show(some_bodies(0), lost=(3,))  # who left has left, wherever that was
    s.drain()
    assert operations(s) == ["REMOVE"]


def test_a_target_frame_is_for_points_too(stage):
    s = stage(target="odom", tf_timeout_s=0.0)
    robot = Robot(s.peer)
    body = some_bodies(1, [3])

    def shown():
        robot.drive(s.stamp_s, 2.0)
        robot.drive(s.stamp_s + 0.2, 2.0)
        s.drain()
        s.show(body)
        return s.object(3) is not None and len(s.layer.points())

    spin_until(s.executor, shown)
    stamp = Stamp(int(s.stamp_s), int(s.stamp_s % 1 * 1e9))
    to_odom = s.frames.lookup("odom", "camera", stamp, 0.0)
    middle, expected = s.layer.points().mean(0), to_odom(body.vertices[0]).mean(0)
    assert np.linalg.norm(to_odom(np.zeros(3))) > 0.5
    assert np.abs(middle - expected).max() < 0.1
    s.show(body, after_s=3.0)  # no transform: silence
    count = len(s.layer.observations)
    s.drain()
    assert len(s.layer.observations) == count
    assert "no people for planners" in s.problem


def test_own_frames_of_people_are_not_read(stage):
    s = stage(frame="odom")
    robot = Robot(s.peer)
    kind = robot.kind
    message = kind(transforms=[robot._transform("camera", "body_abcde", 1.0, MOVE, TURN)])
    robot.moving.publish(message)
    spin_until(s.executor, lambda: "base" in s.frames._listener._tree._way_up("camera"))
    s.drain()
    assert s.frames._listener._tree._way_up("body_abcde") == ["body_abcde"]


# Fail-safe


def test_a_silent_pipeline_leaves_all_people_at_their_positions(stage):
    """A hanging or crashed worker publishes nothing: objects stay, the cloud ages, nav2 stops the robot."""
    s = stage()
    s.settle(1, [3])
    points = s.layer.points()
    s.drain()
    assert s.object(3) is not None
    assert s.scene.log == []
    assert np.array_equal(s.layer.points(), points)
    assert s.layer.is_current(s.stamp_s + 1.0)
    assert not s.layer.is_current(s.stamp_s + 3.0)


def test_closing_removes_no_person(stage):
    s = stage()
    s.settle(1, [3])
    s.outputs.close()
    s.drain()
    assert s.object(3) is not None
    assert s.scene.log == []
    assert len(s.layer.points()) == 500
    s.outputs = s.new_outputs()


def test_a_person_who_left_while_inactive_is_removed_once_active_again(stage):
    s = stage()
    s.settle(1, [3])
    s.outputs.close()
    s.outputs = s.new_outputs()
    s.show_until(some_bodies(1, [8]), lambda: s.object(8) is not None)
    assert s.object(3) is not None  # not unseen for long enough
    s.show_until(some_bodies(1, [8]), lambda: s.object(3) is None)
    s.scene.errors.clear()


def test_a_person_the_tracker_forgot_is_removed(stage):
    """An internal error resets the tracker, which then never reports its tracks as lost."""
    s = stage()
    s.settle(1, [3])
    for _ in range(20):
        s.show(some_bodies(1, [8]), after_s=0.15)
    s.drain()
    assert s.object(3) is None
    assert s.object(8) is not None


def test_a_person_who_is_not_seen_for_a_moment_stays(stage):
    s = stage()
    s.settle(1, [3])
    s.show(some_bodies(0))
    s.drain()
    assert s.object(3) is not None
    assert len(s.layer.points()) == 500


def test_people_without_a_position_are_no_empty_room(stage):
    """A lost calibration does not mean that people left."""
    s = stage()
    s.settle(1, [3])
    newest = s.layer.observations[-1][0]
    flat = seen_only(3)
    for _ in range(30):
        s.show(flat, camera=None)
    s.drain()
    assert s.object(3) is not None
    assert s.layer.observations[-1][0] == newest
    assert not s.layer.is_current(s.stamp_s)
    s.show(flat)  # calibrated, but not to be placed in this image
    s.drain()
    assert len(s.layer.points()) == 500


def test_a_person_without_a_position_does_not_empty_the_cloud(stage):
    s = stage()
    s.settle()
    newest = s.layer.observations[-1][0]
    s.show(seen_only(3))
    s.drain()
    assert s.layer.observations[-1][0] == newest
    s.show(some_bodies(1, [3]))
    s.drain()
    assert len(s.layer.points()) == 500


def test_a_bag_that_starts_over_takes_its_people_along(stage):
    s = stage()
    s.settle(1, [3])
    s.stamp_s = 50.0
    s.show(some_bodies(1, [8]), lost=(3,))
    s.drain()
    assert operations(s) == ["REMOVE", "ADD"]
    assert list(s.scene.objects) == [f"human_{person_name(8)}"]


@pytest.mark.parametrize("missing", ["moveit_msgs", "people_msgs", "tf2_msgs"])
def test_planners_get_what_can_be_sent(executor, monkeypatch, missing):
    found = interfaces.importlib.util.find_spec
    monkeypatch.setattr(interfaces.importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    s = Stage(executor, frame="odom")
    s.show_until(some_bodies(1, [3]), lambda: len(s.layer.points()) == 500)
    s.outputs.close()
    if missing == "tf2_msgs":
        assert "tf2_msgs is not installed" in s.problem


@pytest.mark.parametrize("frame", ["/odom", "a b", "1st"])
def test_a_frame_that_is_none_is_refused(frame):
    with pytest.raises(ValueError, match=r"planning.frame: expected a frame such as odom"):
        PlanningConfig(frame=frame)


@pytest.mark.parametrize("target", ["", "camera"])
def test_the_world_is_the_frame_of_planners_that_name_none(stage, target):
    """Also where another frame is for RViz: velocities in one that moves would be those of the robot, too."""
    s = stage(world="odom", target=target, tf_timeout_s=0.0)
    robot, body = Robot(s.peer), some_bodies(1, [3])

    def shown():
        robot.drive(s.stamp_s, 2.0)
        robot.drive(s.stamp_s + 0.2, 2.0)
        s.drain()
        s.show(body)
        return s.object(3) is not None

    spin_until(s.executor, shown)
    assert s.object(3).frame_id == "odom"
