# SPDX-License-Identifier: Apache-2.0
"""The ground by the people on it: crowds on a known floor, of whom a network guesses the sizes."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Estimates
from hmr_ros.core.temporal.ground_estimate import GroundEstimator, carried_ground, fit_plane, tilt_deviation
from test.core.temporal.standing import BODY, GROUND, HEIGHT_M, PITCH, mistaken, standing

IDS = np.arange(5)


def walked(seconds=6.0, seed=0, guess=0.05, people=5):
    """The estimator after a crowd walked about before the camera, with sizes guessed wrong by ``guess``."""
    rng = np.random.default_rng(seed)
    estimator, factors = GroundEstimator(BODY), 1 + guess * rng.normal(size=people)
    places, speed = rng.uniform((-2, 3), (2, 9), (people, 2)), rng.normal(size=(people, 2))
    for image in range(round(10 * seconds)):
        crowd = mistaken(standing(places + 0.1 * image * speed * 0.5, np.ones(people)), factors)
        ground = estimator(IDS[:people], crowd, np.ones((people, 2), np.bool_), 0.1 * image)
    return estimator, ground


def test_height_and_tilt_come_from_people_who_walk():
    _, ground = walked(guess=0.0)
    assert ground.height_m == pytest.approx(HEIGHT_M, rel=0.05)
    assert ground.tilt_rad == pytest.approx(PITCH, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_wrong_sizes_make_it_as_uncertain_as_it_says(seed):
    _, ground = walked(seed=seed)
    point = -HEIGHT_M * GROUND.up + 5 * np.array([0, np.sin(PITCH) * -1, np.cos(PITCH)])
    error = ground.elevation(point) - GROUND.elevation(point)
    assert abs(error) < 3 * ground.deviation(point)
    assert ground.height_m == pytest.approx(HEIGHT_M, rel=0.3)
    assert np.arccos(ground.up @ GROUND.up) < np.deg2rad(4)


def test_a_few_people_on_chairs_do_not_lift_it():
    rng = np.random.default_rng(3)
    estimator = GroundEstimator(BODY)
    places = rng.uniform((-2, 3), (2, 9), (5, 2))
    for image in range(60):
        floor = standing(places[:4] + 0.03 * image, np.ones(4))
        chair = standing(places[4:], np.ones(1), 0.5)
        crowd = Estimates.unknown(5).with_rows(IDS[:4], floor).with_rows(IDS[4:], chair)
        ground = estimator(IDS, crowd, np.ones((5, 2), np.bool_), 0.1 * image)
    assert ground.height_m == pytest.approx(HEIGHT_M, rel=0.05)


def test_more_people_make_it_surer():
    few, many = (walked(people=count)[1] for count in (2, 5))
    assert tilt_deviation(many.up, many.height_m, many.covariance) < tilt_deviation(
        few.up, few.height_m, few.covariance
    )


def test_before_two_seconds_and_without_feet_nothing_is_known():
    assert walked(seconds=1.5)[1] is None
    assert fit_plane([]) is None
    estimator = GroundEstimator(BODY)
    for image in range(60):
        crowd = standing([(0, 4), (1, 6)], [1.0, 1.0])
        assert estimator(IDS[:2], crowd, np.array([[True, False]] * 2), 0.1 * image) is None
        assert estimator(IDS[:2], Estimates.unknown(2), np.ones((2, 2), np.bool_), 0.1 * image) is None


def test_it_stays_known_while_nobody_is_there_and_ends_with_a_reset():
    estimator, ground = walked()
    empty = np.zeros((0, 2), np.bool_)
    assert estimator(IDS[:0], Estimates.unknown(0), empty, 30.0).height_m == pytest.approx(ground.height_m, rel=0.01)
    estimator.reset()
    assert estimator.ground is None
    assert estimator(IDS[:0], Estimates.unknown(0), empty, 31.0) is None


def driven(stamp_s):
    """World from optical of a camera that drives, nods by 8 degrees, and is lifted and lowered by 0.3 m.

    The world is the optical frame of the camera that stands still.
    """
    nod = rotvec_to_rotmat(np.array([np.deg2rad(8) * np.sin(2 * stamp_s), 0.3 * np.sin(stamp_s), 0.0]))
    return Transform(nod, np.array([0.5 * np.sin(stamp_s), 0.3 * np.sin(1.5 * stamp_s), 0.4 * stamp_s]))


def seen_from(people, optical_from_world):
    """``people`` in the optical frame of another camera."""
    turned = optical_from_world.rotation @ rotvec_to_rotmat(people.global_orient)
    return dataclasses.replace(people, cam_t=optical_from_world(people.cam_t), global_orient=rotmat_to_rotvec(turned))


def on_a_drive(known):
    """Errors, m, of the ground under the people after a drive past them; whether the camera's poses are ``known``."""
    rng = np.random.default_rng(1)
    estimator = GroundEstimator(BODY)
    places, factors = rng.uniform((-2, 4), (2, 9), (5, 2)), 1 + 0.03 * rng.normal(size=5)
    errors = []
    for stamp_s in 0.1 * np.arange(60):
        optical_from_world = driven(stamp_s).inverse()
        crowd = seen_from(standing(places + 0.3 * stamp_s, np.ones(5)), optical_from_world)
        pose = CameraPose(driven(stamp_s), 0) if known else None
        ground = estimator(IDS, mistaken(crowd, factors), np.ones((5, 2), np.bool_), stamp_s, pose)
        if stamp_s > 3:
            truth = carried_ground(GROUND, optical_from_world)
            errors += (ground.elevation(crowd.cam_t) - truth.elevation(crowd.cam_t)).tolist()
    return np.abs(errors)


def test_it_stands_still_in_the_world_while_the_camera_drives_and_nods():
    assert np.median(on_a_drive(known=True)) < 0.06
    assert np.percentile(on_a_drive(known=True), 90) < 0.15
    assert np.median(on_a_drive(known=False)) > 0.2  # what the test is about


def test_a_carried_ground_has_the_same_heights_and_deviations():
    motion = Transform(rotvec_to_rotmat(np.array([0.1, 0.2, -0.1])), np.array([0.3, 0.1, -0.5]))
    carried, points = carried_ground(GROUND, motion), np.array([[1.0, 1.2, 4.0], [-1, 1.1, 6]])
    np.testing.assert_allclose(carried.elevation(motion(points)), GROUND.elevation(points), atol=1e-9)
    down = Transform(np.eye(3), 2 * GROUND.up)  # the camera under the ground
    assert carried_ground(GROUND, down) is None


def test_a_world_that_jumps_and_a_missing_pose_leave_it_where_it_was():
    estimator, ground = walked(guess=0.0)
    nobody = IDS[:0], Estimates.unknown(0), np.zeros((0, 2), np.bool_)
    for pose in (CameraPose(Transform.identity(), 0), None, CameraPose(driven(1.0), 1)):
        assert estimator(*nobody, 6.1, pose).height_m == pytest.approx(ground.height_m, rel=0.01)
