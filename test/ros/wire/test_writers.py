# SPDX-License-Identifier: Apache-2.0
"""A writer returns the typed message byte for byte, whatever it has written before."""

import dataclasses

import numpy as np
import pytest
from hmr_ros.msg import SmplBody, SmplBodyArray, SmplForecast
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from visualization_msgs.msg import MarkerArray

from hmr_ros.core.hands import BodyHands
from hmr_ros.core.ros4hri.motion import HumanFollower
from hmr_ros.ros.output import human_messages
from hmr_ros.ros.output.human_writers import HumanJointStateWriter
from hmr_ros.ros.wire import markers, messages, writers
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import Origin
from hmr_ros.ros.wire.reading import bodies_from_message, parameters_from_message
from hmr_ros.ros.wire.writers import BodiesWriter, JointStateWriter, SkeletonWriter
from test.core.test_forecasts import CALIBRATION as FORECASTS
from test.core.test_uncertainty import CALIBRATION
from test.ros.stubs import BODY_MODEL, some_bodies, with_forecasts, with_hands
from test.ros.wire.reference import assert_same

ORIGIN = Origin("pose2mesh", "open_body")
CALIBRATED = Origin("pose2mesh", "open_body", dataclasses.replace(CALIBRATION, forecast=FORECASTS))
FRAMES = ["", "a", "ab", "abc", "abcd"]


def random_bodies(rng, ids, valid=True):
    """Bodies in which all numbers differ."""
    bodies = some_bodies(len(ids), ids)
    columns = {
        f.name: rng.normal(size=column.shape)
        for f in dataclasses.fields(bodies)
        if isinstance(column := getattr(bodies, f.name), np.ndarray) and column.dtype.kind == "f"
    }
    return dataclasses.replace(bodies, **columns, valid=np.full(len(ids), valid))


def images(rng):
    """(stamp, frame, bodies, lost): people come and go, lose their position, and are lost."""
    for k, frame in enumerate(FRAMES):
        for j, (ids, lost) in enumerate(
            [((), ()), ((4,), ()), ((4,), ()), ((4, 9), ()), ((9, 4), (1, 2)), ((7, 3, 5), (9,))]
        ):
            bodies = random_bodies(rng, ids)
            valid = rng.random(len(ids)) < 0.7
            yield Stamp(1_800_000_000 + k, 999_999_999 - j), frame, dataclasses.replace(bodies, valid=valid), lost


def test_bodies(rng):
    write = BodiesWriter(ORIGIN)
    for stamp, frame, bodies, lost in images(rng):
        frames = {track_id: f"body_{frame}_{track_id}" for track_id in (4, 7)}
        expected = messages.smpl_body_array(messages.header(stamp, frame), bodies, lost, ORIGIN, frames)
        assert_same(write(stamp, frame, bodies, lost, frames), expected)


def test_the_frame_of_a_body_is_renewed():
    """The frame comes with the person's position, and is another one for the next person."""
    write, bodies = BodiesWriter(ORIGIN), some_bodies(2, [4, 9])
    for frames in ({}, {9: "body_q_0"}, {4: "body_q_1", 9: "body_q_0"}, {4: "body_q_2"}):
        message = deserialize_message(write(Stamp(1, 2), "camera", bodies, (9,), frames), SmplBodyArray)
        assert [body.frame for body in message.bodies] == [frames.get(4, ""), frames.get(9, ""), ""]


def test_what_is_unknown_comes_and_goes(rng):
    """The layout follows: an empty array has no room for numbers."""
    write = BodiesWriter(ORIGIN)
    for unknown in ((), ("disagreement",), ("joint_covariance", "root_covariance"), ("joint_error",), ()):
        bodies = random_bodies(rng, (4, 9))
        for name in (*unknown, "kp2d"):
            getattr(bodies, name)[1, ..., 0] = np.nan
        message = messages.smpl_body_array(messages.header(Stamp(1, 2), "camera"), bodies, (), ORIGIN)
        assert_same(write(Stamp(1, 2), "camera", bodies, ()), message)
        assert {name for name in messages.METRIC_FIELDS if not len(getattr(message.bodies[1], name))} == set(unknown)
        assert message.bodies[1].keypoints[0] == 0


def test_bodies_of_another_joint_set(rng):
    write = BodiesWriter(ORIGIN)
    for joint_set, joints in (("coco17", 17), ("blazepose", 33), ("coco17", 17)):
        bodies = random_bodies(rng, (4,))
        bodies = dataclasses.replace(
            bodies, joint_set=joint_set, kp2d=rng.normal(size=(1, joints, 2)), kp2d_score=rng.random((1, joints))
        )
        message = deserialize_message(write(Stamp(1, 2), "camera", bodies, ()), SmplBodyArray)
        assert message.joint_set == joint_set
        assert np.allclose(message.bodies[0].keypoints, bodies.kp2d.ravel())


def test_every_field_of_a_body_is_renewed():
    """A field of the message that the writer does not know would keep its first value for ever."""
    of_hands = {*messages.HAND_POSES, *messages.hand_numbers(BodyHands.at_rest(0))}
    written = {*writers._PLAIN_FIELDS, *messages.METRIC_FIELDS, *of_hands, "id", "frame", "forecasts"}
    assert written == {*SmplBody.get_fields_and_field_types()}
    of_forecasts = {*messages.FORECAST_FIELDS, "ahead_s", "cam_t"}
    assert of_forecasts == {*SmplForecast.get_fields_and_field_types()}


def test_forecasts_come_and_go(rng):
    write = BodiesWriter(CALIBRATED)
    for times, unknown in (
        ((0.5,), ()),
        ((0.5,), ()),
        ((0.25, 1.0), ("root_covariance",)),
        ((0.5,), ("joints",)),
        ((), ()),
    ):
        bodies = random_bodies(rng, (4, 9))
        bodies = with_forecasts(bodies, times) if times else bodies
        for name in unknown:
            getattr(bodies.forecasts, name)[1] = np.nan
        message = messages.smpl_body_array(messages.header(Stamp(1, 2), "camera"), bodies, (7,), CALIBRATED)
        assert_same(write(Stamp(1, 2), "camera", bodies, (7,)), message)
        known = 0 if "joints" in unknown else len(times)
        assert [len(body.forecasts) for body in message.bodies] == [len(times), known, 0]


def test_skeletons(rng):
    write = SkeletonWriter()
    for k, (stamp, frame, bodies, lost) in enumerate(images(rng)):
        lifetime_s = 0.5 + 0.75 * k
        expected = markers.skeleton_markers(messages.header(stamp, frame), bodies, lost, lifetime_s)
        assert_same(write(stamp, frame, bodies, lost, lifetime_s), expected)


@pytest.mark.parametrize("frame", FRAMES)
def test_joint_states(rng, frame):
    write = JointStateWriter()
    for k in range(3):
        bodies, stamp = random_bodies(rng, (4, 9)), Stamp(1, k)
        assert_same(write(stamp, frame, bodies, 1), messages.joint_state(messages.header(stamp, frame), bodies, 1))


@pytest.mark.parametrize("frame", FRAMES)
def test_joint_states_of_humans(frame):
    """In the first image, and after a pause, there are no rates."""
    write, follow = HumanJointStateWriter(), HumanFollower()
    rates = []
    for seconds in (1, 1.1, 1.2, 9, 9.1):
        humans, stamp = follow(some_bodies(2), seconds), Stamp(int(seconds), 5)
        data = write(stamp, frame, humans, 1)
        assert_same(data, human_messages.joint_state(messages.header(stamp, frame), humans, 1))
        rates.append(len(deserialize_message(data, JointState).velocity))
    assert rates == [0, 20, 20, 0, 20]


def test_the_forecasts_of_skeletons_come_and_go(rng):
    write = SkeletonWriter()
    for times, unknown in (((0.5,), False), ((0.25, 1.0), False), ((0.25, 1.0), True), ((), False), ((0.5,), False)):
        bodies = random_bodies(rng, (4, 9))
        bodies = with_forecasts(bodies, times) if times else bodies
        if unknown:
            bodies.forecasts.cam_t[1] = np.nan
        message = markers.skeleton_markers(messages.header(Stamp(1, 2), "camera"), bodies, (7,), 0.5)
        assert_same(write(Stamp(1, 2), "camera", bodies, (7,), 0.5), message)


def test_markers_are_what_rviz_takes(rng):
    data = SkeletonWriter()(Stamp(1, 2), "camera", random_bodies(rng, (4,)), (), 0.5)
    message = deserialize_message(data, MarkerArray)
    assert [len(marker.points) for marker in message.markers] == [46, 24]


def test_hands_come_and_go():
    """Their arrays are there only where fingers are known; what else is said of them is 0 where a hand is not seen."""
    write, bodies = BodiesWriter(ORIGIN), some_bodies(2, [4, 9])
    for seed, known in enumerate([(), ((1, 0),), ((1, 0),), ((0, 0), (0, 1), (1, 1)), ()]):
        shown = with_hands(bodies, *known, seed=seed)
        message = messages.smpl_body_array(messages.header(Stamp(1, 2), "camera"), shown, (7,), ORIGIN)
        assert_same(write(Stamp(1, 2), "camera", shown, (7,)), message)
        for row, side in np.ndindex(2, 2):
            body, name = message.bodies[row], ("left_hand", "right_hand")[side]
            is_known = (row, side) in known
            assert len(getattr(body, f"{name}_pose")) == (45 if is_known else 0)
            assert (getattr(body, f"{name}_presence") > 0) == (getattr(body, f"{name}_error") > 0) == is_known
    message = messages.smpl_body_array(messages.header(Stamp(1, 2), "camera"), bodies, (), ORIGIN)
    assert_same(write(Stamp(1, 2), "camera", bodies, ()), message)


def test_hands_are_read_as_they_were_written():
    shown = with_hands(some_bodies(3), (0, 1), (2, 0))
    message = messages.smpl_body_array(messages.header(Stamp(1, 2), "camera"), shown, (7,), ORIGIN)
    read, _ = parameters_from_message(message)
    np.testing.assert_array_equal(read.hands.known, shown.hands.known)
    np.testing.assert_allclose(read.hands.fingers, shown.hands.fingers, atol=1e-6)
    np.testing.assert_allclose(read.hands.presence, shown.hands.presence, atol=1e-6)
    np.testing.assert_allclose(read.hands.errors, shown.hands.errors, atol=1e-6)
    again, _ = bodies_from_message(message, BODY_MODEL)
    np.testing.assert_allclose(again.vertices, shown.vertices, atol=1e-5)
    without = messages.smpl_body_array(messages.header(Stamp(1, 2), "camera"), some_bodies(2), (), ORIGIN)
    assert parameters_from_message(without)[0].hands is None
