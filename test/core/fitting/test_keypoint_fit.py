import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.fitting.keypoint_fit import KeypointFit, Placed
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
REGRESSOR = BODY_MODEL.regressor("coco_feet")
FIT = KeypointFit(BODY_MODEL, "coco_feet")
PEOPLE = 12


def posed(placed, betas):
    return BODY_MODEL.posed(placed.global_orient, placed.body_pose, betas, placed.cam_t)


def rays_of(placed, betas):
    keypoints = REGRESSOR @ posed(placed, betas).vertices
    return keypoints[..., :2] / keypoints[..., 2:]


@pytest.fixture
def people(rng):
    """Truth, shape, and a lifted guess with joint angles off by 0.12 rad per axis."""
    pose = rng.normal(0, 0.25, (PEOPLE, 23, 3))
    orient = np.tile([np.pi, 0, 0], (PEOPLE, 1)) + rng.normal(0, 0.3, (PEOPLE, 3))
    cam_t = rng.uniform((-1, -0.5, 2.5), (1, 0.5, 6), (PEOPLE, 3))
    betas = rng.normal(0, 0.5, (PEOPLE, 10))
    truth = Placed(orient, pose, cam_t)
    guess = Placed(orient + rng.normal(0, 0.05, orient.shape), pose + rng.normal(0, 0.12, pose.shape), cam_t)
    return truth, betas, guess


def pixels_off(placed, betas, rays):
    """Median error of the keypoints, in px at a focal length of 1000 px."""
    return 1000 * np.median(np.linalg.norm(rays_of(placed, betas) - rays, axis=-1))


def metres_off(placed, truth, betas):
    mine, true = posed(placed, betas).joints, posed(truth, betas).joints
    return np.linalg.norm((mine - mine[:, :1]) - (true - true[:, :1]), axis=-1).mean()


def test_keypoints_come_nearer_and_so_does_the_body(people):
    truth, betas, guess = people
    rays = rays_of(truth, betas)
    fitted = FIT(guess, betas, rays, np.ones(rays.shape[:2]))
    assert pixels_off(fitted, betas, rays) < 0.35 * pixels_off(guess, betas, rays)
    assert metres_off(fitted, truth, betas) < 0.85 * metres_off(guess, truth, betas)


def test_a_body_that_agrees_stays_where_it_is(people):
    truth, betas, _ = people
    rays = rays_of(truth, betas)
    fitted = FIT(truth, betas, rays, np.ones(rays.shape[:2]))
    assert metres_off(fitted, truth, betas) < 1e-4
    assert np.abs(fitted.cam_t - truth.cam_t).max() < 1e-3


def test_missing_and_wrong_keypoints_do_little_harm(people):
    truth, betas, guess = people
    rays, score = rays_of(truth, betas), np.ones((PEOPLE, len(REGRESSOR)))
    rays[:, 9] += 0.5  # a wrist on the wrong person
    rays[:, 16], score[:, 16] = np.nan, 0.0
    fitted = FIT(guess, betas, rays, score)
    assert metres_off(fitted, truth, betas) < metres_off(guess, truth, betas)


def test_columns_are_the_derivatives(people):
    """Turning one joint a little moves the keypoints by what the columns say, up to the smooth skin's approximation."""
    truth, betas, _ = people
    rotations = rotvec_to_rotmat(np.concatenate([truth.global_orient[:, None], truth.body_pose], 1)).astype(np.float32)
    rays = np.zeros((PEOPLE, len(REGRESSOR), 2))
    world = world_rotations(rotations)
    keypoints, joints = FIT._keypoints(rotations, world, betas.astype(np.float32))
    columns = FIT._turning(keypoints, joints, world, rays).reshape(PEOPLE, -1, 2, 24, 3)
    for joint in (0, 2, 16, 18):
        turn = np.zeros((PEOPLE, 24, 3))
        turn[:, joint, 1] = 1e-3
        turned = (rotvec_to_rotmat(turn) @ rotations).astype(np.float32)
        moved, _ = FIT._keypoints(turned, world_rotations(turned), betas.astype(np.float32))
        change = (moved - keypoints)[..., :2] / 1e-3
        assert np.abs(change - columns[..., joint, 1]).mean() < 0.1 * np.abs(change).mean() + 1e-3


def test_nobody_is_nobody():
    none = Placed(np.zeros((0, 3)), np.zeros((0, 23, 3)), np.zeros((0, 3)))
    fitted = FIT(none, np.zeros((0, 10)), np.zeros((0, 21, 2)), np.zeros((0, 21)))
    assert fitted.body_pose.shape == (0, 23, 3)


def test_an_expected_distance_holds_what_keypoints_hardly_tell(people, rng):
    truth, betas, guess = people
    rays = rays_of(truth, betas)
    score = np.ones(rays.shape[:2]) * (np.arange(rays.shape[1]) < 7)
    noisy = rays + 0.02 * rng.normal(size=rays.shape) / truth.cam_t[:, None, 2:]
    far = dataclasses.replace(guess, cam_t=1.2 * guess.cam_t)
    free = FIT(far, betas, noisy, score)
    held = FIT(far, betas, noisy, score, expected_z=truth.cam_t[:, 2])
    off = [np.median(np.abs(fit.cam_t[:, 2] / truth.cam_t[:, 2] - 1)) for fit in (free, held)]
    assert off[1] < 0.5 * off[0]
    assert off[1] < 0.07
