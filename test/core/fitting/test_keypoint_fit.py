# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.fitting.keypoint_fit import KeypointFit, Placed
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


def test_columns_are_the_derivatives(people):
    """Turning one joint a little moves the keypoints by what the columns say, up to the smooth skin's approximation."""
    ground_truth, betas, _ = people
    rotations = rotvec_to_rotmat(
        np.concatenate([ground_truth.global_orient[:, None], ground_truth.body_pose], 1)
    ).astype(np.float32)
    normalized = np.zeros((PEOPLE, len(REGRESSOR), 2))
    world = world_rotations(rotations)
    keypoints, joints = FIT._keypoints(rotations, world, betas.astype(np.float32))
    columns = FIT._turning(keypoints, joints, world, normalized).reshape(PEOPLE, -1, 2, 24, 3)
    for joint in (0, 2, 16, 18):
        turn = np.zeros((PEOPLE, 24, 3))
        turn[:, joint, 1] = 1e-3
        turned = (rotvec_to_rotmat(turn) @ rotations).astype(np.float32)
        moved, _ = FIT._keypoints(turned, world_rotations(turned), betas.astype(np.float32))
        change = (moved - keypoints)[..., :2] / 1e-3
        assert np.abs(change - columns[..., joint, 1]).mean() < 0.1 * np.abs(change).mean() + 1e-3


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
