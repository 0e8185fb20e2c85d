# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.smpl_fitting import SmplFit, _basis, _evenly, _Held, chosen_vertices, fit_smpl, refit_chosen
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL_PARENTS
from test.core.conftest import Parameters, random_parameters


def meshes(body: BodyModel, p: Parameters | SmplFit) -> np.ndarray:
    return body.posed(p.global_orient, p.body_pose, p.betas, p.cam_t).vertices


def distance_mm(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P,) mean over vertices."""
    return 1000 * np.linalg.norm(a - b, axis=-1).mean(-1)


def turned_deg(p: Parameters, fit: SmplFit) -> np.ndarray:
    """(P, 24) angle between the true and the fitted rotation of each joint."""
    R, F = (
        rotvec_to_rotmat(np.concatenate([q.global_orient[:, None], q.body_pose], 1).astype(float)) for q in (p, fit)
    )
    return np.rad2deg(np.linalg.norm(rotmat_to_rotvec(R.swapaxes(-1, -2) @ F), axis=-1))


def smooth_noise(body: BodyModel, people: int, mean_m: float) -> np.ndarray:
    """(P, V, 3) m errors that change over the body as those of a network do: waves of about half a metre."""
    rng = np.random.default_rng(0)
    wave, phase, push = 12 * rng.normal(size=(people, 1, 3)), *rng.normal(size=(2, people, 1, 3))
    noise = push * np.sin((body.v_template * wave).sum(-1)[..., None] + 3 * phase)
    return mean_m * noise / np.linalg.norm(noise, axis=-1).mean(-1)[:, None, None]


@pytest.mark.parametrize(("bend", "vertex_mm", "joint_deg"), [(0.2, 1.0, 1.2), (0.35, 1.6, 1.8)])
def test_exact_meshes_give_their_parameters(body: BodyModel, bend: float, vertex_mm: float, joint_deg: float):
    p = random_parameters(30, seed=3, bend=bend)
    ground_truth = meshes(body, p)
    fit = fit_smpl(ground_truth, body)
    off = distance_mm(meshes(body, fit), ground_truth)
    assert off.mean() < vertex_mm
    assert off.max() < 5
    assert turned_deg(p, fit).mean() < joint_deg
    assert_allclose(fit.cam_t, p.cam_t, atol=0.005)
    assert_allclose(1000 * fit.vertex_error, off, atol=0.6)


def test_the_rest_pose_is_found_exactly(body: BodyModel):
    rest = body.v_template[None]
    fit = fit_smpl(rest, body)
    assert_allclose(fit.body_pose, 0, atol=1e-4)
    assert_allclose(fit.global_orient, 0, atol=1e-4)
    assert_allclose(fit.betas, 0, atol=1e-3)
    assert_allclose(fit.cam_t, body.rest_joints(np.zeros((1, 10)))[:, 0], atol=1e-5)


def test_turning_and_moving_a_mesh_changes_nothing_else(body: BodyModel):
    ground_truth = meshes(body, random_parameters(5, seed=4))
    turn = rotvec_to_rotmat(np.array([2.0, -1, 0.5]))
    fit, moved = fit_smpl(ground_truth, body), fit_smpl(ground_truth @ turn.T + [1, 2, 3], body)
    assert_allclose(moved.betas, fit.betas, atol=1e-2)
    assert_allclose(moved.body_pose, fit.body_pose, atol=1e-2)
    assert_allclose(moved.cam_t, fit.cam_t @ turn.T + [1, 2, 3], atol=1e-3)


@pytest.mark.parametrize("noise_mm", [10, 30])
def test_errors_of_the_vertices_are_not_amplified(body: BodyModel, noise_mm: float):
    p = random_parameters(30, seed=5, bend=0.25)
    ground_truth = meshes(body, p)
    fit = fit_smpl(ground_truth + smooth_noise(body, 30, noise_mm / 1000), body)
    off = distance_mm(meshes(body, fit), ground_truth)
    assert off.mean() < noise_mm
    assert off.max() < 2 * noise_mm
    assert np.abs(fit.betas).max() < 8


def test_what_vertices_hardly_show_is_pulled_towards_the_mean(body: BodyModel):
    p = random_parameters(30, seed=6, bend=0.2)
    fit = fit_smpl(meshes(body, p), body)
    assert 0.8 < (fit.betas * p.betas).sum() / (p.betas**2).sum() < 0.99
    assert 0.9 < (fit.body_pose * p.body_pose).sum() / (p.body_pose**2).sum() < 0.999


def test_no_people_have_no_parameters(body: BodyModel):
    fit = fit_smpl(np.zeros((0, 6890, 3), np.float32), body)
    assert fit.body_pose.shape == (0, 23, 3)
    assert fit.vertex_error.shape == (0,)


def some_bodies(body: BodyModel, bend: float = 0.3):
    """The fitting's basis, and two of its bodies."""
    p, basis = random_parameters(2, seed=8, bend=bend), _basis(body)
    rotations = rotvec_to_rotmat(np.concatenate([p.global_orient[:, None], p.body_pose], 1)).astype(np.float32)
    betas = p.betas.astype(np.float32)
    return basis, rotations, betas, basis.skinned(rotations, betas)


def test_columns_of_the_shape_are_its_derivatives(body: BodyModel):
    basis, rotations, betas, at = some_bodies(body)
    columns = basis._shape_columns(at)
    for k in range(10):
        moved = basis.skinned(rotations, betas + np.float32(1.0) * np.eye(10, dtype=np.float32)[k]).vertices
        assert_allclose(moved - at.vertices, columns[:, k], atol=2e-5)


def test_columns_of_a_rotation_are_its_derivatives_up_to_the_smooth_skin(body: BodyModel):
    basis, rotations, betas, at = some_bodies(body)
    columns = basis._columns(at)[:, :72].reshape(2, 24, 3, 3, -1)
    for joint in (0, 1, 6, 12, 18, 20):
        for axis in range(3):
            about = 1e-2 * np.eye(3)[axis]
            parent = np.eye(3)[None] if joint == 0 else at.world[:, SMPL_PARENTS[joint]]
            turned = rotations.copy()  # about the world's axis, written in the parent's frame
            turned[:, joint] = rotvec_to_rotmat(parent.swapaxes(1, 2) @ about) @ rotations[:, joint]
            change = (basis.skinned(turned, betas).vertices - at.vertices) / 1e-2
            assert np.abs(change - columns[:, joint, axis]).mean() < 0.12 * np.abs(change).mean() + 1e-3


def test_a_step_is_the_regularised_least_squares_solution(body: BodyModel):
    """Row by row about the mean, with every joint angle but the root's, and every beta, held at 5e-7 per vertex."""
    basis, rotations, betas, at = some_bodies(body)
    error = 0.01 * np.random.default_rng(0).normal(size=at.vertices.shape).astype(np.float32)
    turn, growth = basis.gauss_newton_step(at, error, _Held(np.eye(3), np.zeros(10)))
    for p in range(2):
        columns = basis._columns(at)[p].astype(np.float64)
        columns = (columns - columns.mean(-1, keepdims=True)).reshape(82, -1)
        parents = [np.eye(3), *at.world[p, SMPL_PARENTS[1:]].astype(np.float64)]
        angles = [parent @ rotmat_to_rotvec(R) for parent, R in zip(parents, rotations[p].astype(float), strict=True)]
        hold = np.sqrt(5e-7 * error.shape[-1]) * np.eye(82)
        hold[:3] = 0
        now = np.concatenate([*angles, betas[p]])
        target = (error[p] - error[p].mean(-1, keepdims=True)).ravel()
        rows, sides = np.concatenate([columns.T, hold]), np.concatenate([target, -hold @ now])
        solved = np.linalg.lstsq(rows, sides, rcond=None)[0]
        assert_allclose(growth[p], solved[72:], atol=2e-3)
        turned = [parent.T @ w for parent, w in zip(parents, solved[:72].reshape(24, 3), strict=True)]
        assert_allclose(turn[p], turned, atol=5e-3)


def test_a_mesh_that_was_not_moved_keeps_its_parameters(body: BodyModel):
    _, rotations, betas, _ = some_bodies(body, bend=0.5)
    p = random_parameters(2, seed=8, bend=0.5)
    fit = refit_chosen(meshes(body, p)[:, chosen_vertices(body)], rotations, betas, body)
    assert turned_deg(p, fit).max() < 0.02
    assert_allclose(fit.betas, betas, atol=1e-4)
    assert_allclose(fit.cam_t, p.cam_t, atol=1e-5)


def test_a_mesh_that_was_moved_gets_the_parameters_of_where_it_is(body: BodyModel):
    """From bodies that are 0.1 rad off in every joint."""
    p = random_parameters(5, seed=8, bend=0.3)
    wrong = np.concatenate([p.global_orient[:, None], p.body_pose], 1)
    wrong = wrong + 0.1 * np.random.default_rng(0).normal(size=wrong.shape)
    ground_truth = meshes(body, p)
    fit = refit_chosen(ground_truth[:, chosen_vertices(body)], rotvec_to_rotmat(wrong), p.betas, body)
    assert distance_mm(meshes(body, fit), ground_truth).max() < 2
    assert turned_deg(p, fit).mean() < 2


def test_sixteen_vertices_hold_every_part():
    part = np.array([3] * 31 + [0] * 16 + [5])
    chosen = _evenly(part)
    assert chosen[:16].tolist() == list(range(31, 47))
    assert chosen[16:32].tolist() == list(range(0, 31, 2))
    assert chosen[32:].tolist() == [47] * 16
