# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from numpy.random import default_rng

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.metrics import pa_mpjpe
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.baselines import pose_prior, smplify
from hmr_ros.evaluation.baselines.pose_prior import PosePrior, fit_pose_prior
from hmr_ros.evaluation.baselines.smplify import Smplify, _best, _unnatural_bends, rotvec_to_matrix
from hmr_ros.evaluation.held_out.case import Case
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
JOINT_SET = "coco"


@pytest.fixture
def prior(monkeypatch) -> PosePrior:
    monkeypatch.setattr(pose_prior, "FRAMES", 300)
    monkeypatch.setattr(pose_prior, "COMPONENTS", 2)
    monkeypatch.setattr(pose_prior, "_ROUNDS", 3)
    return fit_pose_prior(small_motion())


def case_of(pose: np.ndarray, turns: tuple[float, ...]) -> Case:
    """People in the pose (23, 3), 4 m away, turned by the angles about the vertical."""
    count = len(turns)
    upright = rotvec_to_rotmat(np.array([np.pi, 0, 0]))
    orient = np.stack([smplify.rotmat_to_rotvec(upright @ rotvec_to_rotmat(np.array([0, a, 0]))) for a in turns])
    root = np.tile([0.2, 0.1, 4.0], (count, 1))
    posed = BODY.posed(orient, np.tile(pose, (count, 1, 1)), np.zeros((count, 10)), root)
    points = BODY.regressor(JOINT_SET) @ posed.vertices
    seen = np.ones(points.shape[:2])
    human36m = BODY.regressor("human36m") @ posed.vertices
    height = np.full(count, 0.5)
    normalized = points[..., :2] / points[..., 2:]
    return Case(JOINT_SET, normalized, seen, posed.vertices, posed.joints, human36m, seen > 0, height)


def test_rotations_are_those_of_numpy_and_have_a_gradient_at_rest():
    rotvec = default_rng(0).normal(size=(20, 3))
    found = rotvec_to_matrix(torch.from_numpy(rotvec).float()).numpy()
    np.testing.assert_allclose(found, rotvec_to_rotmat(rotvec), atol=1e-5)
    rest = torch.zeros(1, 3, requires_grad=True)
    rotvec_to_matrix(rest)[0, 2, 1].backward()
    assert rest.grad.tolist() == [[1, 0, 0]]


def test_each_person_keeps_the_rows_of_its_smallest_energies():
    energy = torch.tensor([5.0, 1, 3, 4, 2, 9])  # three starts of two people
    assert _best(energy, 2, 1).tolist() == [4, 1]
    assert _best(energy, 2, 2).tolist() == [4, 1, 2, 3]


def test_knees_and_elbows_bend_one_way():
    straight = torch.zeros(1, 69)
    for joint, axis, natural in (("left_knee", 0, 1), ("right_elbow", 1, 1), ("left_elbow", 1, -1)):
        bent = [straight.clone(), straight.clone()]
        for pose, sign in zip(bent, (natural, -natural), strict=True):
            pose[0, 3 * (SMPL.index(joint) - 1) + axis] = sign
        assert _unnatural_bends(bent[0]) < _unnatural_bends(straight) < _unnatural_bends(bent[1])


def test_the_prior_prefers_poses_of_the_motion(prior):
    poses = torch.from_numpy(small_motion().pose[:5, 1:].reshape(5, -1)).float()
    odd = poses + torch.from_numpy(default_rng(1).normal(0, 1, (5, 69))).float()
    assert (prior.energy(poses) < prior.energy(odd)).all()
    mean = torch.from_numpy(prior.likeliest).float()[None]
    assert prior.energy(mean).item() == pytest.approx(0, abs=1e-3)


def test_a_fit_ends_nearer_than_it_starts(prior, monkeypatch):
    monkeypatch.setattr(smplify, "CAMERA_STEPS", 4)
    monkeypatch.setattr(smplify, "ROUND_STEPS", 1)
    case = case_of(prior.likeliest.reshape(23, 3), (0.0, 3.0))
    method = Smplify(BODY, JOINT_SET, prior)
    found = method.predict(case)[0]
    assert (found.output, method.reads_images, method.joint_set) == ("smplify", False, JOINT_SET)
    assert np.linalg.norm(found.root - [0.2, 0.1, 4.0], axis=1).max() < 0.4
    assert pa_mpjpe(found.joints, case.joints).max() < 60
    assert np.isnan(found.expected_error).all()
    facing = (found.vertices * case.vertices).sum((1, 2))
    assert (facing > 0).all()


@pytest.mark.slow
def test_a_pose_is_recovered_from_its_keypoints(prior):
    case = case_of(prior.likeliest.reshape(23, 3), (0.0, 1.2, 3.0))
    found = Smplify(BODY, JOINT_SET, prior).predict(case)[0]
    assert pa_mpjpe(found.joints, case.joints).max() < 25
    assert np.abs(found.root[:, 2] / 4 - 1).max() < 0.03


def test_people_whose_position_cannot_be_fitted_are_put_by_their_height(prior):
    case = case_of(np.zeros((23, 3)), (0.0,))
    lost = np.full((1, 3), np.nan)
    x, y, log_z = smplify._positions(lost, case)[0]
    assert np.exp(log_z) == pytest.approx(1.7 / 0.5)
    assert (x, y) == pytest.approx(tuple(case.normalized[0].mean(0)))
