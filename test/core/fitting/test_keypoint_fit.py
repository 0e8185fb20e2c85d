# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.fitting.keypoint_fit import LIFTED, KeypointFit, Placed, _Evidence, _moving, _Prior
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
REGRESSOR = BODY_MODEL.regressor("coco_feet")
FIT = KeypointFit(BODY_MODEL, "coco_feet")
PEOPLE = 12


def posed(placed, betas):
    return BODY_MODEL.posed(placed.global_orient, placed.body_pose, betas, placed.cam_t)


def normalized_of(placed, betas):
    keypoints = REGRESSOR @ posed(placed, betas).vertices
    return keypoints[..., :2] / keypoints[..., 2:]


@pytest.fixture
def people(rng):
    """Ground truth, shape, and a lifted guess with joint angles off by 0.12 rad per axis."""
    pose = rng.normal(0, 0.25, (PEOPLE, 23, 3))
    orient = np.tile([np.pi, 0, 0], (PEOPLE, 1)) + rng.normal(0, 0.3, (PEOPLE, 3))
    cam_t = rng.uniform((-1, -0.5, 2.5), (1, 0.5, 6), (PEOPLE, 3))
    betas = rng.normal(0, 0.5, (PEOPLE, 10))
    ground_truth = Placed(orient, pose, cam_t)
    guess = Placed(orient + rng.normal(0, 0.05, orient.shape), pose + rng.normal(0, 0.12, pose.shape), cam_t)
    return ground_truth, betas, guess


def pixels_off(placed, betas, normalized):
    """Median error of the keypoints, in px at a focal length of 1000 px."""
    return 1000 * np.median(np.linalg.norm(normalized_of(placed, betas) - normalized, axis=-1))


def metres_off(placed, ground_truth, betas):
    mine, true = posed(placed, betas).joints, posed(ground_truth, betas).joints
    return np.linalg.norm((mine - mine[:, :1]) - (true - true[:, :1]), axis=-1).mean()


def test_keypoints_come_nearer_and_so_does_the_body(people):
    ground_truth, betas, guess = people
    normalized = normalized_of(ground_truth, betas)
    fitted = FIT(guess, betas, Keypoints.of(normalized, np.ones(normalized.shape[:2])))
    assert pixels_off(fitted, betas, normalized) < 0.35 * pixels_off(guess, betas, normalized)
    assert metres_off(fitted, ground_truth, betas) < 0.85 * metres_off(guess, ground_truth, betas)


def test_a_body_that_agrees_stays_where_it_is(people):
    ground_truth, betas, _ = people
    normalized = normalized_of(ground_truth, betas)
    fitted = FIT(ground_truth, betas, Keypoints.of(normalized, np.ones(normalized.shape[:2])))
    assert metres_off(fitted, ground_truth, betas) < 1e-4
    assert np.abs(fitted.cam_t - ground_truth.cam_t).max() < 1e-3


def test_missing_and_wrong_keypoints_do_little_harm(people):
    ground_truth, betas, guess = people
    normalized, score = normalized_of(ground_truth, betas), np.ones((PEOPLE, len(REGRESSOR)))
    normalized[:, 9] += 0.5  # a wrist on the wrong person
    normalized[:, 16], score[:, 16] = np.nan, 0.0
    fitted = FIT(guess, betas, Keypoints.of(normalized, score))
    assert metres_off(fitted, ground_truth, betas) < metres_off(guess, ground_truth, betas)


def state_of(placed, betas):
    """Rotations, world rotations, keypoints and joints of bodies."""
    rotations = rotvec_to_rotmat(np.concatenate([placed.global_orient[:, None], placed.body_pose], 1))
    rotations = rotations.astype(np.float32)
    world = world_rotations(rotations)
    return rotations, world, *FIT._keypoints(rotations, world, betas.astype(np.float32))


def test_columns_are_the_derivatives(people, rng):
    """Turning one joint a little moves the keypoints by what the columns say, up to the smooth skin's approximation."""
    ground_truth, betas, _ = people
    normalized = rng.uniform(-0.3, 0.3, (PEOPLE, len(REGRESSOR), 2))
    rotations, world, keypoints, joints = state_of(ground_truth, betas)
    columns = FIT._turning(keypoints, joints, world, normalized).reshape(PEOPLE, -1, 2, 24, 3)
    for joint in (0, 2, 12, 16, 18):
        for axis in range(3):
            turn = np.zeros((PEOPLE, 24, 3))
            turn[:, joint, axis] = 1e-3
            turned = (rotvec_to_rotmat(turn) @ rotations).astype(np.float32)
            moved, _ = FIT._keypoints(turned, world_rotations(turned), betas.astype(np.float32))
            change = (moved - keypoints) / 1e-3
            change = change[..., :2] - normalized * change[..., 2:]
            assert np.abs(change - columns[..., joint, axis]).mean() < 0.12 * np.abs(change).mean() + 1e-3
            assert np.corrcoef(change.ravel(), columns[..., joint, axis].ravel())[0, 1] > 0.98


def test_a_keypoint_moves_against_its_line_of_sight():
    """X - u Z and Y - v Z for u = 0.2, v = -0.3 as the body moves by (1, 2, 4)."""
    moved = _moving(np.array([[[0.2, -0.3]]]))[0, 0] @ [1, 2, 4]
    np.testing.assert_allclose(moved, [1 - 0.2 * 4, 2 + 0.3 * 4])


@pytest.mark.parametrize("expected", [None, 1.1])
def test_a_step_solves_the_robust_least_squares_problem(people, rng, expected):
    """Row by row: every keypoint with its weight, and every unknown held by its prior."""
    ground_truth, betas, guess = people
    normalized = normalized_of(ground_truth, betas) + 0.03 * rng.normal(size=(PEOPLE, len(REGRESSOR), 2))
    keypoints = Keypoints.of(normalized, rng.choice([0, 0.3, 1], normalized.shape[:2]))
    expected_z = None if expected is None else expected * guess.cam_t[:, 2]
    prior = _Prior.of(guess.cam_t, expected_z, LIFTED)
    prior = _Prior(prior.weight, prior.away + 0.01 * rng.normal(size=prior.away.shape))
    rotations, world, points, joints = state_of(guess, betas)
    step = FIT._step(rotations, betas, guess.cam_t, _Evidence.of(keypoints), prior)
    columns = FIT._turning(points, joints, world, keypoints.normalized)
    for p in range(PEOPLE):
        noise = 0.05 * keypoints.angular_size()[p]
        rows, sides = [np.sqrt(prior.weight[p])[:, None] * np.eye(75)], [-np.sqrt(prior.weight[p]) * prior.away[p]]
        for j, (x, y, z) in enumerate(points[p] + guess.cam_t[p]):
            u, v = keypoints.normalized[p, j]
            off = np.array([x - u * z, y - v * z]) / z
            weight = np.sqrt(keypoints.score[p, j]) / noise / (1 + off @ off / (3 * noise) ** 2)
            sides.append(-weight * off)
            rows.append(weight * np.concatenate([columns[p, j], [[1, 0, -u], [0, 1, -v]]], 1) / z)
        solution = np.linalg.lstsq(np.concatenate(rows), np.concatenate(sides), rcond=None)[0]
        np.testing.assert_allclose(step[p], solution, atol=2e-4)


def test_priors_hold_joints_by_their_deviation_and_z_where_it_is_expected():
    cam_t = np.array([[0.0, 0, 3.3], [0, 0, 4]])
    free, held = (_Prior.of(cam_t, z, LIFTED) for z in (None, np.array([3.0, 5.0])))
    assert (free.away == 0).all()
    assert (free.weight[:, 72:] < 1e-3).all()
    np.testing.assert_allclose(held.away[:, -1], [0.3, -1])
    np.testing.assert_allclose(held.weight[:, -1], [1 / 0.3**2, 1 / 0.5**2])
    np.testing.assert_array_equal(held.weight[:, :-1], free.weight[:, :-1])
    np.testing.assert_allclose(free.weight[:, :72], 1 / 0.1**2)


def test_no_step_rotates_a_joint_by_more_than_half_a_radian(people):
    ground_truth, betas, guess = people
    wrong = Placed(-guess.global_orient, guess.body_pose, guess.cam_t)
    rotations, *_ = state_of(wrong, betas)
    seen = Keypoints.of(normalized_of(ground_truth, betas), np.ones((PEOPLE, len(REGRESSOR))))
    loose = _Prior.of(guess.cam_t, None, LIFTED)
    step = FIT._step(rotations, betas, guess.cam_t, _Evidence.of(seen), _Prior(1e-6 * loose.weight, loose.away))
    length = np.linalg.norm(step[:, :72].reshape(PEOPLE, 24, 3), axis=-1)
    assert length.max() == pytest.approx(0.5)
    assert (length < 0.49).any()


def test_two_steps_count_the_rotation_from_the_lifted_pose_not_from_the_last(people):
    ground_truth, betas, guess = people
    seen = Keypoints.of(normalized_of(ground_truth, betas), np.ones((PEOPLE, len(REGRESSOR))))
    rotations, *_ = state_of(guess, betas)
    evidence, prior, cam_t = _Evidence.of(seen), _Prior.of(guess.cam_t, guess.cam_t[:, 2], LIFTED), guess.cam_t
    for _ in range(2):
        step = FIT._step(rotations, betas, cam_t, evidence, prior)
        rotations, cam_t = rotvec_to_rotmat(step[:, :72].reshape(-1, 24, 3)) @ rotations, cam_t + step[:, 72:]
        prior = _Prior(prior.weight, prior.away + step)
    twice = KeypointFit(BODY_MODEL, "coco_feet", dataclasses.replace(LIFTED, steps=2))
    fitted = twice(guess, betas, seen, guess.cam_t[:, 2])
    np.testing.assert_allclose(fitted.cam_t, cam_t, atol=1e-4)
    np.testing.assert_allclose(rotvec_to_rotmat(fitted.body_pose), rotations[:, 1:], atol=1e-3)
    np.testing.assert_allclose(rotvec_to_rotmat(fitted.global_orient), rotations[:, 0], atol=1e-3)


def test_nobody_is_nobody():
    none = Placed(np.zeros((0, 3)), np.zeros((0, 23, 3)), np.zeros((0, 3)))
    fitted = FIT(none, np.zeros((0, 10)), Keypoints.of(np.zeros((0, 21, 2)), np.zeros((0, 21))))
    assert fitted.body_pose.shape == (0, 23, 3)


def test_an_expected_distance_holds_what_keypoints_hardly_tell(people, rng):
    ground_truth, betas, guess = people
    normalized = normalized_of(ground_truth, betas)
    score = np.ones(normalized.shape[:2]) * (np.arange(normalized.shape[1]) < 7)
    noisy = normalized + 0.02 * rng.normal(size=normalized.shape) / ground_truth.cam_t[:, None, 2:]
    far = dataclasses.replace(guess, cam_t=1.2 * guess.cam_t)
    free = FIT(far, betas, Keypoints.of(noisy, score))
    held = FIT(far, betas, Keypoints.of(noisy, score), expected_z=ground_truth.cam_t[:, 2])
    off = [np.median(np.abs(fit.cam_t[:, 2] / ground_truth.cam_t[:, 2] - 1)) for fit in (free, held)]
    assert off[1] < 0.5 * off[0]
    assert off[1] < 0.07
