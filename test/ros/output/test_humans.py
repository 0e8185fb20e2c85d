# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
import re

import numpy as np
import pytest
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState

from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.config import HumansConfig, RobotConfig
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.core.ros4hri.body_frame import body_frame
from hmr_ros.core.ros4hri.gestures import ENDS_S
from hmr_ros.core.ros4hri.motion import HumanFollower
from hmr_ros.core.ros4hri.urdf import LINK_ON_SMPL_JOINT
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output import human_messages
from hmr_ros.ros.output.outputs import Outputs
from hmr_ros.ros.output.publishers import PublisherFactory
from hmr_ros.ros.wire import interfaces, messages
from hmr_ros.ros.wire.cdr import Stamp
from test.core.ros4hri.urdf_reader import link_poses, read_joints
from test.ros.graph import qos, spin_until
from test.ros.hri_client import HriSubscriber
from test.ros.stubs import BODY_MODEL, HAND, JOINTS, StubDetector, some_bodies, with_hands

if not interfaces.HUMANS.is_available:
    pytest.skip("needs hri_msgs: make test", allow_module_level=True)

WIDTH, HEIGHT = 640, 480
CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), WIDTH, HEIGHT)
TF_MESSAGE = interfaces.TF.message("TFMessage")
Gesture = interfaces.HUMANS.message("Gesture")


def outputs_of(node, config):
    origin = messages.Origin("stub", "open_body")
    return Outputs(PublisherFactory(node), BODY_MODEL, origin, config, Presence(), hand_model=HAND)


class Stage:
    """The node's outputs, fed by hand, and a client of ROS4HRI."""

    def __init__(self, executor, namespace="/humans", with_images=False, publish_tf="root", **humans):
        self.executor = executor
        self.config = RobotConfig(publish_tf=publish_tf, humans=HumansConfig(namespace=namespace, **humans))
        self.node, self.peer = Node("outputs"), Node("hri_peer")
        executor.add_node(self.node)
        executor.add_node(self.peer)
        self.outputs = outputs_of(self.node, self.config)
        self.client = HriSubscriber(self.peer, namespace, with_images)
        self.stamp_s = 0.0

    def show(self, bodies, lost=(), camera=CAMERA):
        """One image, a tenth of a second after the one before it."""
        self.stamp_s += 0.1
        stamp = Stamp(int(self.stamp_s), int(self.stamp_s % 1 * 1e9))
        pixels = np.arange(WIDTH * HEIGHT * 3, dtype=np.int64).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)
        self.outputs.publish(Frame(stamp, "camera", pixels), camera, bodies, lost)

    def show_until(self, bodies, condition, **options):
        def shown():
            self.show(bodies, **options)
            return condition()

        spin_until(self.executor, shown)

    def body(self, track_id):
        return self.client.bodies[messages.person_name(track_id)]

    def has(self, track_id, *topics):
        body = self.client.bodies.get(messages.person_name(track_id))
        return body is not None and set(topics) <= body.latest.keys()

    def close(self):
        self.outputs.close()


@pytest.fixture
def stage(executor, closing):
    return functools.partial(closing, Stage, executor)


def test_a_client_of_ros4hri_follows_all_people(stage):
    s = stage()
    topics = ("roi", "skeleton2d", "joint_states", "urdf", "position", "velocity")
    s.show_until(some_bodies(2, [4, 9]), lambda: s.has(4, *topics) and s.has(9, *topics))
    assert all(re.fullmatch("[a-z]{5}", name) for name in s.client.bodies)
    body = s.body(9)
    frames = {topic: body.latest[topic].header.frame_id for topic in topics if topic != "urdf"}
    assert frames.pop("velocity") == f"body_{messages.person_name(9)}"
    assert set(frames.values()) == {"camera"}
    assert "cropped" not in body.latest

    s.show_until(some_bodies(1, [4]), lambda: len(s.client.bodies) == 1, lost=(9,))
    assert s.client.lost == [messages.person_name(9)]
    s.show_until(some_bodies(0), lambda: not s.client.bodies, lost=(4,))


def in_state(bodies, *states):
    return dataclasses.replace(bodies, states=np.array(states))


def test_a_hidden_person_stays_tracked_but_is_not_published_in_2d(stage):
    s = stage(with_images=True)
    trees = []
    s.peer.create_subscription(TF_MESSAGE, "/tf", trees.append, qos())
    of_image, of_space = ("roi", "cropped", "skeleton2d"), ("joint_states", "position", "velocity")
    everything = (*of_image, *of_space)
    s.show_until(some_bodies(2, [4, 9]), lambda: s.has(4, *everything) and s.has(9, *everything) and trees)
    hidden_s = s.stamp_s

    def since_hidden(track_id, topics):
        stamps = [s.body(track_id).latest[topic].header.stamp for topic in topics]
        return all(stamp.sec + 1e-9 * stamp.nanosec > hidden_s + 0.05 for stamp in stamps)

    hidden = in_state(some_bodies(2, [4, 9]), State.TRACKED, State.COASTING)
    s.show_until(hidden, lambda: since_hidden(4, everything) and since_hidden(9, of_space))
    assert not any(since_hidden(9, [topic]) for topic in of_image)
    assert s.client.lost == []
    assert f"body_{messages.person_name(9)}" in {t.child_frame_id for t in trees[-1].transforms}


def test_a_tentative_person_is_in_bodies_only(stage):
    s = stage()
    arrays, trees = [], []
    s.peer.create_subscription(SmplBodyArray, "bodies", arrays.append, qos())
    s.peer.create_subscription(TF_MESSAGE, "/tf", trees.append, qos())
    bodies = in_state(some_bodies(2, [4, 9]), State.TRACKED, State.TENTATIVE)
    s.show_until(bodies, lambda: arrays and trees and s.has(4, "position"))
    assert [body.state for body in arrays[-1].bodies] == [State.TRACKED, State.TENTATIVE]
    assert set(s.client.bodies) == {messages.person_name(4)}
    assert not any(t.child_frame_id.endswith(messages.person_name(9)) for t in trees[-1].transforms)
    topics = {name for name, _ in s.node.get_topic_names_and_types()}
    assert not any(messages.person_name(9) in topic for topic in topics)


def test_tf_has_one_frame_for_each_person_by_default(stage):
    """tf2 keeps 10 s of every frame that it ever heard of, and never frees them."""
    s = stage()
    trees = []
    s.peer.create_subscription(TF_MESSAGE, "/tf", trees.append, qos())
    s.show_until(some_bodies(2, [4, 9]), lambda: trees)
    assert sorted(t.child_frame_id for t in trees[-1].transforms) == sorted(
        f"body_{messages.person_name(track_id)}" for track_id in (4, 9)
    )


def test_a_late_subscriber_gets_the_urdf_too(stage):
    """The URDF is published once per person, and kept for those who subscribe later."""
    s = stage()
    for _ in range(3):
        s.show(some_bodies(1, [1]))
    late = HriSubscriber(s.peer)
    name = messages.person_name(1)
    spin_until(s.executor, lambda: s.show(some_bodies(1, [1])) or name in late.bodies)
    spin_until(s.executor, lambda: "urdf" in late.bodies[name].latest)
    for _ in range(20):
        s.show(some_bodies(1, [1]))
        s.executor.spin_once(timeout_sec=0.01)
    assert late.bodies[name].counts["urdf"] == 1


def test_urdf_joint_states_and_tf_agree_with_the_body(stage):
    """The stub's body stands in T-pose, where the URDF holds everything."""
    s = stage(publish_tf="skeleton")
    trees = []
    s.peer.create_subscription(TF_MESSAGE, "/tf", trees.append, qos())
    bodies = some_bodies(1, [3])
    s.show_until(bodies, lambda: s.has(3, "urdf", "joint_states", "position") and trees)
    name, latest = messages.person_name(3), s.body(3).latest
    joints = read_joints(latest["urdf"].data)
    state = latest["joint_states"]
    assert set(state.name) == {joint.name for joint in joints if joint.kind == "revolute"}
    poses = link_poses(joints, dict(zip(state.name, state.position, strict=True)))

    transforms = {t.child_frame_id: t for t in trees[-1].transforms}
    assert transforms.keys() == poses.keys()
    root = transforms[f"body_{name}"].transform
    root_position = np.array([root.translation.x, root.translation.y, root.translation.z])
    point = latest["position"].point
    assert np.allclose([point.x, point.y, point.z], root_position)
    q = root.rotation
    orientation = quat_to_rotmat(np.array([q.x, q.y, q.z, q.w]))
    for link, joint in LINK_ON_SMPL_JOINT.items():
        expected = bodies.joints[0, SMPL.index(joint)]
        assert np.allclose(root_position + orientation @ poses[f"{link}_{name}"][1], expected, atol=1e-4), link
    for joint in joints:
        t = transforms[joint.child].transform.translation
        assert np.allclose([t.x, t.y, t.z], joint.xyz, atol=1e-4), joint.name
        assert transforms[joint.child].header.frame_id == joint.parent


def test_speeds_come_with_the_second_image(stage):
    s = stage()
    s.show_until(some_bodies(1, [1]), lambda: s.has(1, "joint_states", "velocity"))
    state, twist = s.body(1).latest["joint_states"], s.body(1).latest["velocity"].twist
    assert len(state.velocity) == len(state.position) == 20
    assert np.allclose(state.velocity, 0)
    assert [twist.linear.x, twist.angular.z] == [0.0, 0.0]


def test_velocity_is_in_the_body_s_own_frame():
    """As hri_body_detect has it: who walks where they look has a velocity along x, from wherever the camera looks."""
    follow, header = HumanFollower(), messages.header(Stamp(1, 0), "camera")
    (forward,) = body_frame(world_rotations(rotvec_to_rotmat(np.zeros((1, 24, 3))))[:, 0], some_bodies(1).joints)[1]
    for rotation in (np.eye(3), rotvec_to_rotmat(np.array([0.3, -0.8, 0.2]))):
        bodies = some_bodies(1, [4])
        turned = dataclasses.replace(
            bodies, joints=bodies.joints @ rotation.T, global_orient=rotmat_to_rotvec(rotation)[None]
        )
        step = 0.15 * rotation @ forward[:, 0]
        follow.forget([4])
        follow(turned, 1.0)
        humans = follow(dataclasses.replace(turned, joints=turned.joints + step), 1.1)
        message = human_messages.velocity(header, humans, 0)
        assert (message.header.frame_id, message.header.stamp) == (f"body_{messages.person_name(4)}", header.stamp)
        v, w = message.twist.linear, message.twist.angular
        assert np.allclose([v.x, v.y, v.z], [1.5, 0, 0], atol=1e-3)
        assert np.allclose([w.x, w.y, w.z], 0, atol=1e-6)


def test_skeletons_are_filled_by_the_names_of_the_constants(stage):
    from hri_msgs.msg import Skeleton2D

    s = stage()
    s.show_until(some_bodies(1, [1]), lambda: s.has(1, "skeleton2d"))
    skeleton = s.body(1).latest["skeleton2d"].skeleton
    kp2d = StubDetector(1).detect(None).kp2d[0] / [WIDTH, HEIGHT]  # COCO: nose, left eye, right eye, left ear, ...
    for constant, index in (("NOSE", 0), ("LEFT_EYE", 1), ("RIGHT_EYE", 2), ("RIGHT_EAR", 4), ("LEFT_ANKLE", 15)):
        point = skeleton[getattr(Skeleton2D, constant)]
        assert np.allclose([point.x, point.y], kp2d[index], atol=1e-6), constant
        assert point.c == pytest.approx(0.8)
    neck, shoulders = skeleton[Skeleton2D.NECK], kp2d[[5, 6]]
    assert np.allclose([neck.x, neck.y], shoulders.mean(0), atol=1e-6)


def test_keypoints_outside_of_the_image_are_not_there(stage):
    s = stage()
    bodies = some_bodies(1, [1])
    away = bodies.kp2d + np.where(np.arange(JOINTS)[:, None] == 0, -9999.0, 0.0)
    s.show_until(dataclasses.replace(bodies, kp2d=away), lambda: s.has(1, "skeleton2d"))
    nose = s.body(1).latest["skeleton2d"].skeleton[0]
    assert (nose.x, nose.y, nose.c) == (0.0, 0.0, 0.0)


def test_crops_are_made_on_demand_and_show_the_region(stage):
    s = stage(with_images=True)
    s.show_until(some_bodies(1, [1]), lambda: s.has(1, "cropped", "roi"))
    roi, crop = s.body(1).latest["roi"], s.body(1).latest["cropped"]
    assert 0 <= roi.xmin < roi.xmax <= 1
    assert 0 <= roi.ymin < roi.ymax <= 1
    assert crop.width == pytest.approx((roi.xmax - roi.xmin) * WIDTH, abs=2)
    assert crop.height == pytest.approx((roi.ymax - roi.ymin) * HEIGHT, abs=2)
    assert (crop.encoding, len(crop.data)) == ("rgb8", crop.width * crop.height * 3)


def test_a_person_outside_of_the_image_has_a_region_but_no_crop(stage):
    s = stage(with_images=True)
    bodies = some_bodies(1, [1])
    away = dataclasses.replace(bodies, vertices=bodies.vertices + [100.0, 0, 0])
    s.show_until(away, lambda: s.has(1, "roi"))
    assert s.body(1).latest["roi"].xmin == s.body(1).latest["roi"].xmax == 1.0
    assert not s.has(1, "cropped")


def test_without_calibration_the_image_is_described_and_nothing_else(stage):
    s = stage()
    flat = Bodies.without_geometry(StubDetector(1).detect(None), BODY_MODEL.vertex_count)
    flat = dataclasses.replace(flat, ids=np.array([7]))
    s.show_until(flat, lambda: s.has(7, "roi", "skeleton2d"), camera=None)
    assert s.body(7).latest.keys() == {"roi", "skeleton2d"}


def test_the_list_is_published_without_people(stage):
    s = stage()
    s.show_until(some_bodies(0), lambda: s.client.lists >= 2)
    assert not s.client.bodies


def test_fifty_people_leave_no_publisher_behind(stage):
    s = stage()
    s.show(some_bodies(0))
    before = len(list(s.node.publishers))
    for track_id in range(50):
        s.show(some_bodies(1, [track_id]), lost=(track_id - 1,))
        s.executor.spin_once(timeout_sec=0)
        assert len(list(s.node.publishers)) <= before + 11  # seven, a gesture, two hands, and our own joint states
    s.show(some_bodies(0), lost=(49,))
    assert len(list(s.node.publishers)) == before
    spin_until(s.executor, lambda: not s.client.bodies)
    of_bodies = re.compile(r"/humans/bodies/[a-z]{5}/.*")
    spin_until(s.executor, lambda: not any(map(of_bodies.fullmatch, dict(s.peer.get_topic_names_and_types()))))


def test_closed_outputs_leave_no_publisher_behind(executor):
    node = Node("closed_outputs")
    executor.add_node(node)
    before = {publisher.topic_name for publisher in node.publishers}
    outputs = outputs_of(node, RobotConfig())
    frame = Frame(Stamp(1, 0), "camera", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    outputs.publish(frame, CAMERA, some_bodies(2), ())
    assert len({publisher.topic_name for publisher in node.publishers} - before) > 10
    outputs.close()
    assert {publisher.topic_name for publisher in node.publishers} == before


def test_the_namespace_is_a_parameter(stage):
    s = stage(namespace="robot1/humans")
    s.show_until(some_bodies(1, [1]), lambda: s.has(1, "urdf"))
    topics = dict(s.peer.get_topic_names_and_types())
    assert "/robot1/humans/bodies/tracked" in topics
    assert not any(topic.startswith("/humans") for topic in topics)


@pytest.mark.parametrize("namespace", ["", "/", "humans/", "1st", "a b"])
def test_a_namespace_that_is_none_is_refused(namespace):
    with pytest.raises(ValueError, match=r"humans.namespace: expected a name such as /humans"):
        HumansConfig(namespace=namespace)


@pytest.mark.parametrize("missing", ["hri_msgs", "tf2_msgs"])
def test_outputs_run_without_the_messages_of_others(executor, monkeypatch, missing):
    found = interfaces.importlib.util.find_spec
    monkeypatch.setattr(interfaces.importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    node = Node("bare_outputs")
    executor.add_node(node)
    bodies = []
    node.create_subscription(SmplBodyArray, "bodies", bodies.append, qos())
    outputs = outputs_of(node, RobotConfig())
    frame = Frame(Stamp(1, 0), "camera", np.zeros((HEIGHT, WIDTH, 3), np.uint8))

    def came():
        outputs.publish(frame, CAMERA, some_bodies(1), ())
        return bodies

    spin_until(executor, came)
    outputs.close()


def test_disabled_humans_have_no_topics(executor):
    node = Node("private_outputs")
    executor.add_node(node)
    config = RobotConfig(humans=HumansConfig(enabled=False, namespace="/private"))
    outputs = outputs_of(node, config)
    frame = Frame(Stamp(1, 0), "camera", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    outputs.publish(frame, CAMERA, some_bodies(1), ())
    assert not any("private" in publisher.topic_name for publisher in node.publishers)
    outputs.close()


def test_nothing_is_published_without_subscribers(executor, monkeypatch):
    """No images of people in particular: only latched messages are published for late subscribers."""
    node = Node("unheard_outputs")
    executor.add_node(node)
    outputs = outputs_of(node, RobotConfig())
    sent = []
    monkeypatch.setattr(Publisher, "publish", lambda self, message: sent.append(self.topic_name.rpartition("/")[2]))
    frame = Frame(Stamp(1, 0), "camera", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    outputs.publish(frame, CAMERA, some_bodies(3), ())
    outputs.publish_views(frame, CAMERA, some_bodies(3), ())
    assert sorted(sent) == ["tracked"] + ["urdf"] * 3
    outputs.close()


def kept(s, kind, topic):
    """The messages on a topic of person 4."""
    found = []
    s.peer.create_subscription(kind, f"/humans/bodies/{messages.person_name(4)}/{topic}", found.append, qos())
    return found


def test_hands_that_are_known_have_joint_states(stage):
    s = stage()
    left, right = (kept(s, JointState, f"{side}_hand/joint_states") for side in ("left", "right"))
    bodies = with_hands(some_bodies(2, [4, 9]), (0, 0))
    s.show_until(bodies, lambda: left)
    assert not right
    name = messages.person_name(4)
    angles = dict(zip(left[-1].name, left[-1].position, strict=True))
    assert len(angles) == 24
    assert angles[f"l_index_mcp_flexion_{name}"] == pytest.approx(bodies.hands.angles[0, 0, 0, 0])
    assert angles[f"l_thumb_ip_{name}"] == pytest.approx(bodies.hands.angles[0, 0, 14, 0])
    assert angles[f"l_pinky_mcp_abduction_{name}"] == pytest.approx(bodies.hands.angles[0, 0, 6, 1])


@pytest.mark.parametrize("hand_links", [False, True])
def test_the_urdf_has_hands_where_they_are_asked_for(stage, hand_links):
    s = stage(hand_links=hand_links)
    s.show_until(with_hands(some_bodies(1, [4])), lambda: s.has(4, "urdf"))
    assert (f"r_index_tip_{messages.person_name(4)}" in s.body(4).latest["urdf"].data) == hand_links


def raised(bodies):
    """``bodies`` with the left arm up."""
    pose = bodies.body_pose.copy()
    pose[:, SMPL.index("left_shoulder") - 1] = [0, 0, 1.3]
    joints = BODY_MODEL.posed_joints(bodies.global_orient, pose, bodies.betas) + bodies.cam_t[:, None]
    return dataclasses.replace(bodies, body_pose=pose, joints=joints)


def test_a_gesture_is_published_while_it_is_made(stage):
    s = stage()
    made = kept(s, Gesture, "gesture")
    s.show_until(raised(some_bodies(2, [4, 9])), lambda: made)
    assert made[-1].gesture == Gesture.LEFT_HAND_RAISED
    lowered_s = s.stamp_s
    s.show_until(some_bodies(2, [4, 9]), lambda: s.stamp_s > lowered_s + 3)
    stamps = [message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec for message in made]
    assert max(stamps) < lowered_s + ENDS_S + 0.15


def test_gestures_can_be_left_out(stage):
    s = stage(gestures=False)
    s.show_until(some_bodies(1, [4]), lambda: s.has(4, "position"))
    assert not any(topic.endswith("gesture") for topic, _ in s.node.get_topic_names_and_types())
