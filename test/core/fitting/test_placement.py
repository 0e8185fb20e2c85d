# SPDX-License-Identifier: Apache-2.0
"""Bodies with known parameters and the rays of their keypoints: they must come back where they stood."""

import numpy as np
import pytest

from hmr_ros.core.fitting.keypoint_fit import Placed
from hmr_ros.core.fitting.placement import Placement, _explained
from hmr_ros.core.fitting.translation import fit_translation
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from test.core.conftest import random_parameters

PEOPLE = 6


@pytest.fixture(scope="module")
def placement(body):
    return Placement(body, "coco_feet")


@pytest.fixture(scope="module")
def ground_truth(body):
    given = random_parameters(PEOPLE, bend=0.2)
    posed = body.posed(given.global_orient, given.body_pose, given.betas, given.cam_t)
    keypoints = body.regressor("coco_feet") @ posed.vertices
    rotations = rotvec_to_rotmat(np.concatenate([given.global_orient[:, None], given.body_pose], 1))
    return given, posed, rotations, keypoints[..., :2] / keypoints[..., 2:]


def joints_of(body, estimates):
    return body.posed(estimates.global_orient, estimates.body_pose, estimates.betas, estimates.cam_t).joints


def off(body, estimates, posed):
    """(P,) m, mean distance of the joints from the ground truth, root-relative."""
    mine, true = joints_of(body, estimates), posed.joints
    return np.linalg.norm(mine - mine[:, :1] - true + true[:, :1], axis=-1).mean(1)


def test_meshes_come_back_where_they_stood(body, placement, ground_truth):
    given, posed, _, normalized = ground_truth
    estimates = placement.of_meshes(posed.vertices - given.cam_t[:, None], normalized, np.ones(normalized.shape[:2]))
    assert estimates.valid.all()
    assert off(body, estimates, posed).max() < 0.01
    np.testing.assert_allclose(estimates.cam_t, given.cam_t, atol=0.01)
    assert np.isnan(estimates.joint_error).all()


def test_keypoints_that_do_not_fit_their_mesh_are_told(placement, ground_truth):
    given, posed, _, normalized = ground_truth
    vertices, score = posed.vertices - given.cam_t[:, None], np.ones(normalized.shape[:2])
    score[:, 0] = 0
    size = Keypoints.of(normalized, score).angular_size()
    noisy = normalized + [0, 0.5] * (np.arange(normalized.shape[1]) == 4)[:, None] * size[:, None, None]
    noisy[:, 0] = 9
    (same, exact), (_, off_by_one) = (placement.placed(vertices, seen, score) for seen in (normalized, noisy))
    assert exact.max() < 0.01
    np.testing.assert_allclose(off_by_one, 0.5 / (normalized.shape[1] - 1), rtol=0.35)
    np.testing.assert_array_equal(same.cam_t, placement.of_meshes(vertices, normalized, score).cam_t)
    assert np.isnan(placement.placed(vertices, normalized, 0 * score)[1]).all()


def test_parameters_come_back_where_they_stood_from_a_rough_guess(body, placement, ground_truth):
    given, posed, rotations, normalized = ground_truth
    estimates = placement.of_parameters(
        rotations, given.betas, given.cam_t * (1, 1, 1.1) + (0.3, 0.1, 0), normalized, np.ones(normalized.shape[:2])
    )
    assert estimates.valid.all()
    assert off(body, estimates, posed).max() < 0.01
    np.testing.assert_allclose(estimates.cam_t / given.cam_t, 1, atol=0.02)
    np.testing.assert_allclose(estimates.betas, given.betas, atol=1e-3)


def test_wrong_parameters_come_nearer_to_their_keypoints_than_by_rotating_joints_alone(
    body, placement, ground_truth, rng
):
    """Wrong in shape, too, which no rotation of a joint mends."""
    given, _, rotations, normalized = ground_truth
    wrong, betas = rotvec_to_rotmat(0.05 * rng.normal(size=rotations.shape[:-1])) @ rotations, 0 * given.betas
    seen, pose = Keypoints.of(normalized, np.ones(normalized.shape[:2])), rotmat_to_rotvec(wrong)
    fit = fit_translation(placement._fit.keypoints(wrong, betas), seen)
    rotated = placement._fit(Placed(pose[:, 0], pose[:, 1:], fit.translation), betas, seen)
    estimates = placement.of_parameters(wrong, betas, given.cam_t, normalized, seen.score)

    def off(placed, betas):
        posed = body.posed(placed.global_orient, placed.body_pose, betas, placed.cam_t)
        keypoints = body.regressor("coco_feet") @ posed.vertices
        return np.linalg.norm(keypoints[..., :2] / keypoints[..., 2:] - normalized, axis=-1).mean()

    assert off(estimates, estimates.betas) < 0.93 * off(rotated, betas)


def test_the_guess_stands_without_keypoints(body, placement, ground_truth):
    given, _, rotations, normalized = ground_truth
    score = np.ones(normalized.shape[:2])
    score[2] = 0
    spoilt = np.where(score[..., None] > 0, normalized, np.nan)
    guess = given.cam_t * 1.1
    estimates = placement.of_parameters(rotations, given.betas, guess, spoilt, score)
    assert estimates.valid.all()
    np.testing.assert_allclose(estimates.cam_t[2], guess[2], rtol=1e-6)
    np.testing.assert_allclose(rotvec_to_rotmat(estimates.body_pose[2]), rotations[2, 1:], atol=1e-5)
    others = np.delete(np.arange(PEOPLE), 2)
    np.testing.assert_allclose(estimates.cam_t[others] / given.cam_t[others], 1, atol=0.02)


def test_the_guess_steadies_the_distance_where_keypoints_hardly_tell_it(placement, ground_truth, rng):
    given, posed, rotations, normalized = ground_truth
    score = np.zeros(normalized.shape[:2])
    score[:, :7] = 1  # face and shoulders
    noisy = normalized + 0.03 * rng.normal(size=normalized.shape) / given.cam_t[:, None, 2:]
    guided = placement.of_parameters(rotations, given.betas, given.cam_t * (1, 1, 1.05), noisy, score)
    alone = placement.of_meshes(posed.vertices - given.cam_t[:, None], noisy, score)
    both = guided.valid & alone.valid
    error = [np.abs(e.cam_t[both, 2] / given.cam_t[both, 2] - 1).mean() for e in (guided, alone)]
    assert both.sum() >= 4
    assert error[0] < 0.07
    assert error[0] < 0.7 * error[1]


@pytest.mark.parametrize("kind", ["meshes", "parameters"])
def test_keypoints_of_two_people_in_one_skeleton_are_refused(placement, ground_truth, kind):
    given, posed, rotations, normalized = ground_truth
    normalized, score = normalized.copy(), np.ones(normalized.shape[:2])
    normalized[1, ::2] += 0.7
    if kind == "meshes":
        estimates = placement.of_meshes(posed.vertices - given.cam_t[:, None], normalized, score)
    else:
        estimates = placement.of_parameters(rotations, given.betas, given.cam_t, normalized, score)
    assert estimates.valid.tolist() == [True, False] + [True] * 4
    assert np.isnan(estimates.cam_t[1]).all()


def test_no_people(placement):
    none = np.zeros((0, 21, 2)), np.zeros((0, 21))
    assert len(placement.of_meshes(np.zeros((0, 6890, 3)), *none)) == 0
    assert len(placement.of_parameters(np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), np.zeros((0, 3)), *none)) == 0


def test_a_body_is_accepted_below_a_third_of_its_size_and_not_beyond():
    """Four keypoints at a distance of 1: an angular size of 1, of which 0.35 is the limit."""
    seen = np.array([[[1.0, 0], [-1, 0], [0, 1], [0, -1]]] * 3)
    keypoints = Keypoints.of(seen, np.ones((3, 4)))
    assert _explained(np.array([0.349, 0.351, np.nan]), keypoints).tolist() == [True, False, False]


def test_who_has_neither_keypoints_nor_a_finite_guess_has_no_position(body, placement, ground_truth):
    given, _, rotations, normalized = ground_truth
    guess, score = given.cam_t.copy(), np.zeros(normalized.shape[:2])
    guess[1, 2] = guess[3, 0] = np.nan
    estimates = placement.of_parameters(rotations, given.betas, guess, normalized, score)
    assert estimates.valid.tolist() == [True, False, True, False, True, True]
    np.testing.assert_allclose(estimates.cam_t[[0, 2]], guess[[0, 2]], rtol=1e-6)
