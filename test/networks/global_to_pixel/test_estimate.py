# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.skeleton import SMPL
from hmr_ros.networks.body_model import TorchBodyModel, rot6d_to_rotmat
from hmr_ros.networks.global_to_pixel.estimate import JointChain, MeanPose, MeanState, SmplDecoder, SmplState

AHEAD = torch.tensor([[0.0, 0.0, 0.5]])


def test_joints_are_those_of_the_whole_body(body):
    rotations = rot6d_to_rotmat(torch.randn(5, 24, 6))
    betas = torch.randn(5, 10)
    expected = TorchBodyModel(body).posed(rotations[:, 0], rotations[:, 1:], betas).joints
    torch.testing.assert_close(JointChain(body)(rotations, betas), expected, atol=1e-6, rtol=1e-5)


def test_autocast_does_not_round_them(body):
    rotations, betas = rot6d_to_rotmat(torch.randn(2, 24, 6)), torch.randn(2, 10)
    chain = JointChain(body)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = chain(rotations, betas)
    torch.testing.assert_close(rounded, chain(rotations, betas))


def test_rest_stands_upright_and_faces_the_camera(body):
    state = MeanState(MeanPose.rest())(torch.zeros(1, 3))
    estimate = SmplDecoder(body)(state, AHEAD)
    place = dict(zip(SMPL.joints, estimate.joints[0], strict=True))
    seen = dict(zip(SMPL.joints, estimate.anchors[0], strict=True))
    assert place["head"][1] < place["pelvis"][1] < place["left_ankle"][1]  # y is down
    assert place["left_foot"][2] < place["left_ankle"][2]  # toes are nearer than heels
    assert seen["left_shoulder"][0] > 0.5 > seen["right_shoulder"][0]
    assert 0 < seen["head"][1] < 0.5 < seen["left_ankle"][1] < 1
    torch.testing.assert_close(seen["pelvis"], torch.tensor([0.5, 0.5]))


def test_states_add_and_survive_a_vector():
    a = SmplState(torch.randn(2, 24, 6), torch.randn(2, 10), torch.randn(2, 3))
    b = SmplState.from_vector(a.to_vector())
    for x, y, z in zip(a, b, a.plus(b), strict=True):
        torch.testing.assert_close(y, x)
        torch.testing.assert_close(z, 2 * x)


def test_the_mean_travels_with_the_weights():
    one = MeanState(MeanPose(np.random.default_rng(0).normal(size=(24, 6)), np.ones(10)))
    other = MeanState(MeanPose.rest())
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(other(torch.zeros(3, 1)), one(torch.zeros(3, 1)))


def test_a_mean_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"rot6d: expected shape \(24, 6\), got \(24, 3\)"):
        MeanPose(np.zeros((24, 3)), np.zeros(10))
