# SPDX-License-Identifier: Apache-2.0
import torch

from hmr_ros.core.skeleton import SMPL
from hmr_ros.networks.global_to_pixel.estimate import SmplState
from hmr_ros.networks.global_to_pixel.residual import LinearPerJoint, ResidualHeads, family

CAMERA = torch.tensor([[0.1, 0.2, 0.5]])


def state() -> SmplState:
    return SmplState(torch.randn(1, 24, 6), torch.randn(1, 10), torch.randn(1, 3))


def test_each_joint_has_a_layer_of_its_own():
    layer = LinearPerJoint(5, 3)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(24, 2, 5)
    for joint in range(24):
        expected = x[joint] @ layer.weight[joint] + layer.bias[joint]
        torch.testing.assert_close(layer(x)[joint], expected)


def test_joints_know_their_family():
    parent, children = torch.from_numpy(family()).chunk(2)
    knee, hip, ankle = (SMPL.index(f"left_{joint}") for joint in ("knee", "hip", "ankle"))
    assert parent[knee].nonzero().tolist() == [[hip]]
    assert children[knee].nonzero().tolist() == [[ankle]]
    assert children[SMPL.index("spine3")].nonzero()[:, 0].tolist() == [12, 13, 14]  # neck and collars
    assert not children[SMPL.index("left_hand")].any()
    torch.testing.assert_close(parent.sum(1), torch.ones(24))


def test_a_token_moves_its_joint_its_parent_and_its_children_alone():
    heads, tokens, around = ResidualHeads(16), torch.randn(1, 24, 16), state()
    moved = tokens.clone()
    moved[0, SMPL.index("left_knee")] += 1
    change = heads(moved, around, CAMERA).rot6d - heads(tokens, around, CAMERA).rot6d
    touched = [SMPL.joints[k] for k in change[0].abs().sum(1).nonzero()[:, 0]]
    assert touched == ["pelvis", "left_hip", "left_knee", "left_ankle"]  # the root knows the mean of all


def test_corrections_start_small():
    change = ResidualHeads(32)(torch.randn(1, 24, 32), state(), CAMERA)
    assert max(float(x.detach().abs().max()) for x in change) < 0.1
