# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Bodies, Detections, Estimates
from hmr_ros.core.temporal.forecasting import STOPPING_S, JointChanges, Walks, forecast_radii, forecasts
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.uncertainty import joint_drift
from test.core.temporal.standing import BODY
from test.core.test_forecasts import CALIBRATION

AHEAD_S = (0.25, 0.5, 1.0)
RATE_HZ = 30.0


def bodies(people=1, at=(0.0, 0.0, 4.0), unseen_s=0.0) -> Bodies:
    """People who stand, all joints where the pelvis is."""
    found = Bodies.without_geometry(Detections.of_boxes(np.zeros((people, 4))), 0)
    return dataclasses.replace(
        found,
        cam_t=np.tile(at, (people, 1)),
        joints=np.tile(at, (people, 24, 1)),
        unseen_s=np.full(people, unseen_s),
        joint_covariance=np.tile(0.01 * np.eye(3), (people, 24, 1, 1)),
        root_covariance=np.tile(0.04 * np.eye(3), (people, 1, 1)),
        valid=np.ones(people, np.bool_),
    )


def person(at) -> Estimates:
    return dataclasses.replace(
        Estimates.unknown(1),
        global_orient=np.array([[np.pi, 0, 0]]),
        body_pose=np.zeros((1, 23, 3)),
        betas=np.zeros((1, 10)),
        cam_t=at[None],
        valid=np.ones(1, np.bool_),
    )


def walking(velocity, people=1) -> Walks:
    return Walks(np.tile(velocity, (people, 1)), np.full(people, np.linalg.norm(velocity)))


def changes(moved=0.0, error=0.1) -> JointChanges:
    """All joints move to the right, the farther the later."""
    way = moved * np.array(AHEAD_S)[:, None, None] * [1.0, 0, 0]
    return JointChanges(np.broadcast_to(way, (1, 3, 24, 3)), np.full((1, 3, 24), error))


def followed(path, noise_m=0.0, turning=0.0, is_known=False) -> BodySmoother:
    """A smoother that has seen one person at ``path`` (T, 3) m, with noise of the depth, by a camera that may turn."""
    smoother, rng = BodySmoother(BODY), np.random.default_rng(0)
    for number, place in enumerate(path):
        turn = rotvec_to_rotmat(np.array([[0.0, turning * number / RATE_HZ, 0.0]]))[0]
        camera = CameraPose(Transform(turn, np.zeros(3)), 0) if is_known else None
        at = (place * (1 + noise_m * rng.normal() / np.linalg.norm(place))) @ turn
        smoother(np.array([1]), person(at), number / RATE_HZ, pose=camera)
    return smoother


def line(velocity, seconds=3.0):
    """Places (T, 3) m of who walks at ``velocity`` until they are 4 m straight ahead."""
    left_s = seconds - np.arange(1, int(seconds * RATE_HZ) + 1) / RATE_HZ
    return np.array([0.0, 0.0, 4.0]) - left_s[:, None] * np.array(velocity)


def test_who_walks_goes_on_and_slowly_stops():
    ahead = forecasts(bodies(), walking([1.0, 0, 0]), JointChanges.unknown(1), None, AHEAD_S)
    ways = ahead.cam_t[0, :, 0]
    np.testing.assert_allclose(ways, STOPPING_S * (1 - np.exp(-np.array(AHEAD_S) / STOPPING_S)))
    assert 0.2 < ways[0] < 0.25
    assert ways[2] < STOPPING_S
    np.testing.assert_allclose(ahead.joints, ahead.cam_t[:, :, None] + np.zeros((1, 3, 24, 3)))


def test_who_is_hidden_has_been_stopping_since():
    now, hidden = (
        forecasts(bodies(unseen_s=u), walking([1.0, 0, 0]), JointChanges.unknown(1), None, (0.5,)) for u in (0.0, 0.7)
    )
    assert hidden.cam_t[0, 0, 0] == pytest.approx(now.cam_t[0, 0, 0] * np.exp(-0.7 / STOPPING_S))
    held, later = (ahead.joint_covariance[0, 0, 20, 0, 0] - 0.01 for ahead in (now, hidden))
    assert held == pytest.approx(joint_drift(np.array([0.5]))[0, 20] ** 2)
    assert later == pytest.approx((joint_drift(np.array([1.2])) ** 2 - joint_drift(np.array([0.7])) ** 2)[0, 20])


def test_joints_move_as_the_network_says_also_between_its_horizons():
    ahead = forecasts(bodies(), walking([0.0, 0, 0]), changes(moved=0.2), CALIBRATION, (0.125, 0.25, 0.75))
    np.testing.assert_allclose(ahead.joints[0, :, 7, 0], [0.025, 0.05, 0.15])
    np.testing.assert_allclose(ahead.cam_t[0], np.tile([0, 0, 4.0], (3, 1)))


def test_covariances_grow_with_time_speed_and_expected_error():
    still, fast = (forecasts(bodies(), walking([s, 0, 0]), changes(), CALIBRATION, AHEAD_S) for s in (0.0, 1.0))
    unsure = forecasts(bodies(), walking([0.0, 0, 0]), changes(error=0.3), CALIBRATION, AHEAD_S)
    for ahead in (still, fast, unsure):
        assert (np.diff(ahead.root_covariance[0, :, 2, 2]) > 0).all()
        assert (np.diff(ahead.joint_covariance[0, :, 5, 0, 0]) > 0).all()
        assert (ahead.joint_covariance[0, :, 0] == 0).all(), "the pelvis is where the root is"
    assert (fast.root_covariance[0, :, 0, 0] > 2 * still.root_covariance[0, :, 0, 0]).all()
    assert (fast.joint_covariance[0, :, 5, 0, 0] > still.joint_covariance[0, :, 5, 0, 0]).all()
    assert (unsure.joint_covariance[0, :, 5, 0, 0] > 4 * still.joint_covariance[0, :, 5, 0, 0]).all()
    assert fast.root_covariance[0, 2, 2, 2] == pytest.approx(0.04 + 1.05**1.2), "along the line of sight"
    assert fast.root_covariance[0, 2, 0, 0] == pytest.approx(0.04 + 0.8**2 * 1.05**1.2)


def test_what_is_unknown_stays_unknown():
    some = bodies(2)
    some.root_covariance[1] = np.nan
    some.cam_t[1] = some.joints[1] = np.nan
    ahead = forecasts(some, walking([1.0, 0, 0], 2), JointChanges.unknown(2), CALIBRATION, AHEAD_S)
    assert np.isfinite(ahead.take(np.array([0])).root_covariance).all()
    assert np.isnan(ahead.cam_t[1]).all()
    assert np.isnan(ahead.joints[1]).all()
    assert np.isnan(ahead.root_covariance[1]).all()
    assert len(forecasts(bodies(0), walking([0.0, 0, 0], 0), JointChanges.unknown(0), CALIBRATION, AHEAD_S)) == 0


def test_radii_are_between_those_of_now_and_of_the_horizons():
    radii = forecast_radii((2.0, 3.0, 4.0), ((1.0, 2.0, 3.0),) * 3, (0.125, 0.25))
    np.testing.assert_allclose(radii, [[1.5, 2.5, 3.5], [1.0, 2.0, 3.0]])


@pytest.mark.parametrize("velocity", [[1.0, 0, 0], [0, 0, -1.0]])
def test_a_walk_without_surprises_is_trusted_in_every_direction(velocity):
    walk = followed(line(velocity)).walks(np.array([1]))
    np.testing.assert_allclose(walk.velocity[0], 0.98 * np.array(velocity), atol=0.03)
    assert walk.speed[0] == pytest.approx(1, abs=0.03)


def test_of_noise_along_the_line_of_sight_a_walk_along_it_is_trusted_less_and_one_across_it_as_before():
    towards, past = (followed(line(v), noise_m=0.03).walks(np.array([1])) for v in ([0, 0, -1.0], [1.0, 0, 0]))
    assert 0.1 < -towards.velocity[0, 2] < 0.8
    assert past.velocity[0, 0] == pytest.approx(1, abs=0.05)


def test_noise_along_the_line_of_sight_is_no_walk():
    """Velocities of positions as they are would forecast metres."""
    walk = followed(line([0.0, 0, 0]), noise_m=0.07).walks(np.array([1]))
    assert np.linalg.norm(walk.velocity) < 0.05
    assert walk.speed[0] < 0.05


def test_the_turning_of_the_camera_is_no_walk():
    world = followed(line([0.0, 0, 0]), turning=0.5, is_known=True).walks(np.array([1]))
    still = followed(line([0.0, 0, 0]), turning=0.5).walks(np.array([1]))
    assert np.linalg.norm(world.velocity) < 0.01
    assert np.linalg.norm(still.velocity) > 0.5


def test_of_a_track_that_is_not_known_nothing_is_expected():
    smoother = followed(line([1.0, 0, 0], 0.5))
    walk = smoother.walks(np.array([2, 1]))
    assert np.isnan(walk.velocity[0]).all()
    assert np.isfinite(walk.velocity[1]).all()
    assert np.isnan(smoother.changes(np.array([1])).moved).all()
