# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rot6d_to_rotmat as numpy_rot6d
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.body_model import TorchBodyModel, rot6d_to_rotmat

BODY = load_body_model(models_dir() / "open_body.npz")
rng = np.random.default_rng(0)
ROTVECS = rng.normal(0, 0.6, (4, 24, 3))
BETAS = rng.normal(0, 1, (4, 10))
ROTATIONS = torch.from_numpy(rotvec_to_rotmat(ROTVECS)).float()


def posed(model: TorchBodyModel):
    return model.posed(ROTATIONS[:, 0], ROTATIONS[:, 1:], torch.from_numpy(BETAS).float())


def test_equals_the_numpy_body_model():
    expected = BODY.posed(ROTVECS[:, 0], ROTVECS[:, 1:], BETAS, np.zeros((4, 3)))
    actual = posed(TorchBodyModel(BODY))
    assert np.abs(actual.vertices.numpy() - expected.vertices).max() < 2e-6
    assert np.abs(actual.joints.numpy() - expected.joints).max() < 2e-6


def test_equals_smplx():
    smplx = pytest.importorskip("smplx", reason="smplx is a test extra")
    with np.load(models_dir() / "open_body.npz") as arrays:
        theirs = smplx.SMPL("", data_struct=smplx.utils.Struct(**arrays), batch_size=4)
    vectors = torch.from_numpy(ROTVECS).float()
    expected = theirs(
        global_orient=vectors[:, 0], body_pose=vectors[:, 1:].flatten(1), betas=torch.from_numpy(BETAS).float()
    )
    pelvis = expected.joints[:, :1]
    actual = posed(TorchBodyModel(BODY))
    assert (actual.vertices - (expected.vertices - pelvis)).abs().max() < 1e-5
    assert (actual.joints - (expected.joints[:, :24] - pelvis)).abs().max() < 1e-5


def test_a_subset_of_vertices_is_posed_alike():
    ids = rng.permutation(len(BODY.v_template))[:100]
    whole, part = posed(TorchBodyModel(BODY)), posed(TorchBodyModel(BODY, ids))
    assert part.vertices.numpy() == pytest.approx(whole.vertices.numpy()[:, ids], abs=1e-6)
    assert (part.joints == whole.joints).all()


def test_gradient_reaches_every_parameter():
    rotations, betas = ROTATIONS.clone().requires_grad_(), torch.zeros(4, 10, requires_grad=True)
    model = TorchBodyModel(BODY, np.arange(0, 6890, 10))
    model.posed(rotations[:, 0], rotations[:, 1:], betas).vertices.square().sum().backward()
    assert (rotations.grad.abs().amax((2, 3)) > 0).all()
    assert (betas.grad.abs() > 0).all()


def test_no_people():
    out = TorchBodyModel(BODY).posed(torch.zeros(0, 3, 3), torch.zeros(0, 23, 3, 3), torch.zeros(0, 10))
    assert out.vertices.shape == (0, 6890, 3)
    assert out.joints.shape == (0, 24, 3)


def test_rot6d_equals_the_numpy_one():
    x = rng.normal(size=(5, 6))
    assert rot6d_to_rotmat(torch.from_numpy(x)).numpy() == pytest.approx(numpy_rot6d(x), abs=1e-12)
