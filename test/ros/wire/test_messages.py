# SPDX-License-Identifier: Apache-2.0
import dataclasses
import re

import numpy as np
import pytest
from hmr_ros.msg import SmplBody, SmplBodyArray
from rclpy.serialization import deserialize_message, serialize_message
from visualization_msgs.msg import Marker

from hmr_ros.core.people import Bodies, State
from hmr_ros.core.skeleton import SMPL
from hmr_ros.ros.wire import messages
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.reading import bodies_from_message
from hmr_ros.ros.wire.writers import MeshWriter
from test.core.test_forecasts import CALIBRATION as FORECASTS
from test.core.test_uncertainty import CALIBRATION
from test.ros.stubs import BODY_MODEL, StubDetector, some_bodies, with_forecasts

STAMP = Stamp(12, 34)
HEADER = messages.header(STAMP, "camera_optical_frame")
ORIGIN = messages.Origin("pose2mesh", "open_body")
CALIBRATED = messages.Origin("pose2mesh", "open_body", dataclasses.replace(CALIBRATION, forecast=FORECASTS))


def test_names_are_five_letters_and_unique():
    names = [messages.person_name(i) for i in range(20_000)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]{5}", name) for name in names)
    assert messages.person_name(26**5) == messages.person_name(0)


def test_bodies_survive_the_message():
    bodies = some_bodies(2, ids=[7, 3])
    message = messages.smpl_body_array(HEADER, bodies, (), ORIGIN)
    message = deserialize_message(serialize_message(message), SmplBodyArray)

    again, names = bodies_from_message(message, BODY_MODEL)

    assert names == (messages.person_name(7), messages.person_name(3))
    assert again.joint_set == "coco17"
    for column in (
        "scores",
        "kp2d",
        "kp2d_score",
        "global_orient",
        "body_pose",
        "betas",
        "cam_t",
        "joints",
        "vertices",
    ):
        assert np.allclose(getattr(again, column), getattr(bodies, column), atol=1e-5), column
    assert again.valid.all()
    assert (message.method, message.body_model) == ("pose2mesh", "open_body")
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (12, 34)


def test_states_and_ages_survive_the_message():
    states = np.array([State.TENTATIVE, State.TRACKED, State.COASTING])
    bodies = dataclasses.replace(some_bodies(3), states=states, unseen_s=np.array([0, 0, 0.25]))
    message = messages.smpl_body_array(HEADER, bodies, (9,), ORIGIN)
    assert [body.state for body in message.bodies] == [
        SmplBody.TENTATIVE,
        SmplBody.TRACKED,
        SmplBody.COASTING,
        SmplBody.LOST,
    ]
    again, _ = bodies_from_message(deserialize_message(serialize_message(message), SmplBodyArray), BODY_MODEL)
    assert again.states.tolist() == states.tolist()
    assert again.unseen_s.tolist() == [0, 0, 0.25]


def test_bodies_without_position_carry_their_keypoints_alone():
    flat = Bodies.without_geometry(StubDetector(1).detect(None), BODY_MODEL.vertex_count)
    (body,) = messages.smpl_body_array(HEADER, flat, (), ORIGIN).bodies
    assert not body.valid
    assert [len(getattr(body, name)) for name in messages.METRIC_FIELDS] == [0] * 8
    assert (body.cam_t.x, body.cam_t.y, body.cam_t.z) == (0, 0, 0)
    assert len(body.keypoints) == 34
    assert body.keypoint_scores[0] == pytest.approx(0.8)
    again, _ = bodies_from_message(messages.smpl_body_array(HEADER, flat, (), ORIGIN), BODY_MODEL)
    for name in ("cam_t", *messages.METRIC_FIELDS):
        assert np.isnan(getattr(again, name)).all(), name


def test_what_two_methods_disagree_on_survives_the_message():
    bodies = some_bodies(2)
    bodies.disagreement[1] = np.linspace(0, 0.23, 24)
    message = messages.smpl_body_array(HEADER, bodies, (4,), ORIGIN)
    assert [len(body.disagreement) for body in message.bodies] == [0, 24, 0]
    again, _ = bodies_from_message(deserialize_message(serialize_message(message), SmplBodyArray), BODY_MODEL)
    np.testing.assert_allclose(again.disagreement, bodies.disagreement, rtol=1e-6)


def test_covariances_survive_the_message():
    rng = np.random.default_rng(0)
    joint, root = rng.normal(size=(2, 24, 3, 3)), rng.normal(size=(2, 3, 3))
    bodies = dataclasses.replace(some_bodies(2), joint_covariance=joint, root_covariance=root)
    message = messages.smpl_body_array(HEADER, bodies, (4,), dataclasses.replace(ORIGIN, calibration=CALIBRATION))
    assert message.bodies[1].root_covariance[3 * 2 + 1] == np.float32(root[1, 2, 1]), "rows after each other"
    assert [len(body.root_covariance) for body in message.bodies] == [9, 9, 0]
    assert [len(body.joint_covariance) for body in message.bodies] == [216, 216, 0]
    np.testing.assert_allclose(message.coverage_levels, [0.5, 0.9, 0.95], rtol=1e-6)
    np.testing.assert_allclose(message.joint_radii, CALIBRATION.joint_radii, rtol=1e-6)
    np.testing.assert_allclose(message.root_radii, CALIBRATION.root_radii, rtol=1e-6)
    again, _ = bodies_from_message(deserialize_message(serialize_message(message), SmplBodyArray), BODY_MODEL)
    np.testing.assert_allclose(again.joint_covariance, joint, rtol=1e-6)
    np.testing.assert_allclose(again.root_covariance, root, rtol=1e-6)
    uncalibrated = messages.smpl_body_array(HEADER, bodies, (), ORIGIN)
    assert [len(uncalibrated.coverage_levels), len(uncalibrated.joint_radii), len(uncalibrated.root_radii)] == [0] * 3


def test_forecasts_survive_the_message_and_nothing_is_nan():
    bodies = with_forecasts(some_bodies(3, ids=[7, 3, 5]), (0.25, 1.0))
    for column in (bodies.forecasts.cam_t, bodies.forecasts.joints, bodies.forecasts.joint_covariance):
        column[1] = np.nan
    bodies.forecasts.root_covariance[2] = np.nan
    message = messages.smpl_body_array(HEADER, bodies, (9,), CALIBRATED)
    message = deserialize_message(serialize_message(message), SmplBodyArray)
    assert [len(body.forecasts) for body in message.bodies] == [2, 0, 2, 0]
    assert [ahead.ahead_s for ahead in message.bodies[0].forecasts] == [0.25, 1.0]
    assert len(message.bodies[2].forecasts[0].root_covariance) == 0
    assert np.isfinite(message.bodies[0].forecasts[1].joint_covariance).all()
    np.testing.assert_allclose(np.reshape(message.forecast_joint_radii, (2, 3)), [[1, 2, 3]] * 2)
    np.testing.assert_allclose(np.reshape(message.forecast_root_radii, (2, 3)), np.float32([[0.8, 1.8, 2.8]] * 2))

    again = bodies_from_message(message, BODY_MODEL)[0].forecasts
    assert again.ahead_s == (0.25, 1.0)
    for name in ("cam_t", "joints", "joint_covariance", "root_covariance"):
        np.testing.assert_allclose(getattr(again, name)[0], getattr(bodies.forecasts, name)[0], atol=1e-5)
    assert np.isnan(again.joints[1]).all()
    assert np.isnan(again.root_covariance[2]).all()


def test_without_forecasts_there_are_no_radii_of_them():
    message = messages.smpl_body_array(HEADER, some_bodies(1), (), CALIBRATED)
    assert len(message.joint_radii) == 3
    assert len(message.forecast_joint_radii) == len(message.forecast_root_radii) == 0
    assert bodies_from_message(message, BODY_MODEL)[0].forecasts is None


def test_lost_people_get_a_last_entry():
    message = messages.smpl_body_array(HEADER, some_bodies(1, ids=[1]), (5,), ORIGIN)
    assert [(b.id, b.state) for b in message.bodies] == [
        (messages.person_name(1), SmplBody.TRACKED),
        (messages.person_name(5), SmplBody.LOST),
    ]
    present, names = bodies_from_message(message, BODY_MODEL)
    assert len(present) == 1
    assert names == (messages.person_name(1),)


def test_no_people_are_an_empty_array():
    no_bodies = some_bodies(0)
    assert messages.smpl_body_array(HEADER, no_bodies, (), ORIGIN).bodies == []


def test_joint_states_name_every_component_once():
    bodies = some_bodies(1, ids=[4])
    state = messages.joint_state(HEADER, bodies, 0)
    assert len(set(state.name)) == len(state.name) == len(state.position) == 69
    assert state.name[0] == f"left_hip_rotvec_x_{messages.person_name(4)}"
    assert state.header == HEADER


def test_mesh_is_the_body_triangle_by_triangle():
    bodies = some_bodies(2, ids=[1, 2])
    writer = MeshWriter(BODY_MODEL.faces)
    for row in (1, 0):
        marker = deserialize_message(writer(STAMP, "camera", bodies, row, 2.25), Marker)
        assert marker.type == Marker.TRIANGLE_LIST
        assert (marker.ns, marker.id) == ("mesh", messages.person_number(int(bodies.ids[row])))
        assert (marker.lifetime.sec, marker.lifetime.nanosec) == (2, 250_000_000)
        points = np.array([(p.x, p.y, p.z) for p in marker.points])
        assert np.array_equal(points, bodies.vertices[row][BODY_MODEL.faces].reshape(-1, 3).astype(np.float64))


def test_neighbouring_names_look_different():
    for number in range(1, 200):
        here, there = messages.person_name(number), messages.person_name(number + 1)
        assert sum(a != b for a, b in zip(here, there, strict=True)) >= 3


def test_joint_states_are_in_the_order_of_their_names():
    bodies = some_bodies(1)
    bodies.body_pose[0] = np.arange(69).reshape(23, 3)
    state = messages.joint_state(HEADER, bodies, 0)
    name = messages.person_name(0)
    for k, joint in enumerate(SMPL.joints[1:]):
        for axis, letter in enumerate("xyz"):
            assert state.name[3 * k + axis] == f"{joint}_rotvec_{letter}_{name}"
            assert state.position[3 * k + axis] == 3 * k + axis


def test_the_number_of_a_marker_is_the_name_of_a_person():
    for track_id in (0, 1, 9, 11_000_000):
        letters = [ord(letter) - ord("a") for letter in messages.person_name(track_id)]
        assert messages.person_number(track_id) == sum(letter * 26**k for k, letter in enumerate(letters)) < 2**31
