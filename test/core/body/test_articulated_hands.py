# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.articulated_hands import pose_with_fingers, with_hands
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import HandModel, mirrored_rotations
from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.skeleton import SMPL, SMPL_HANDS
from test.core.conftest import random_parameters


@pytest.fixture(scope="module")
def articulated(exact_body: BodyModel, exact_hand: HandModel) -> SkinnedModel:
    return with_hands(exact_body, exact_hand)


def test_with_fingers_at_rest_it_is_the_body(exact_body: BodyModel, articulated: SkinnedModel):
    p, still = random_parameters(4), np.zeros((4, 15, 3))
    expected = exact_body.posed(p.global_orient, p.body_pose, p.betas, p.cam_t)
    posed = articulated.posed(p.global_orient, pose_with_fingers(p.body_pose, still, still), p.betas, p.cam_t)
    assert_allclose(posed.vertices, expected.vertices, atol=4e-9)
    assert_allclose(posed.joints[:, :22], expected.joints[:, :22], atol=1e-12)
    np.testing.assert_array_equal(articulated.faces, exact_body.faces)
    assert articulated.tree.size == SMPL_HANDS.size == 52


@pytest.mark.parametrize("side", ["left", "right"])
def test_its_fingers_are_the_hands(exact_hand: HandModel, articulated: SkinnedModel, side: str):
    """But for the wrist: the forearm's skin follows the elbow, and the joint is regressed from more of the body."""
    zero, still = np.zeros((1, 3)), np.zeros((1, 15, 3))
    finger = 0.4 * np.random.default_rng(0).normal(size=(1, 15, 3))
    hand = exact_hand if side == "right" else exact_hand.mirrored()
    left, right = (finger, still) if side == "left" else (still, finger)
    body = articulated.posed(zero, pose_with_fingers(np.zeros((1, 23, 3)), left, right), np.zeros((1, 10)), zero)
    wrist = body.joints[:, SMPL_HANDS.index(f"{side}_wrist")]
    alone = hand.posed(zero, finger, np.zeros((1, 10)), wrist)
    first = SMPL_HANDS.index(f"{side}_index1")
    assert_allclose(body.joints[:, first : first + 15], alone.joints[:, 1:], atol=3e-4)
    on_body = hand.body_vertices[side]
    apart = np.linalg.norm(body.vertices[0, on_body[on_body >= 0]] - alone.vertices[0, on_body >= 0], axis=-1)
    assert (on_body >= 0).sum() == 541
    assert np.quantile(apart, 0.97) < 3e-4
    assert apart.max() < 3e-3


def test_both_sides_are_mirror_images(articulated: SkinnedModel):
    zero, finger = np.zeros((1, 3)), 0.4 * np.random.default_rng(1).normal(size=(1, 15, 3))
    pose = pose_with_fingers(np.zeros((1, 23, 3)), mirrored_rotations(finger), finger)
    joints = articulated.posed_joints(zero, pose, np.zeros((1, 10)))
    assert_allclose(joints[:, SMPL_HANDS.mirror], joints * [-1, 1, 1], atol=1e-5)


def test_hands_grow_with_the_body(articulated: SkinnedModel):
    betas = np.array([[-2.0, *[0] * 9], [2.0, *[0] * 9]])
    rest = articulated.rest_joints(betas)
    palms = np.linalg.norm(rest[:, SMPL_HANDS.index("left_middle1")] - rest[:, SMPL_HANDS.index("left_wrist")], axis=1)
    heights = np.ptp(rest[:, :22, 1], axis=1)
    assert palms[1] / palms[0] == pytest.approx(heights[1] / heights[0], rel=0.25)
    assert palms[1] > 1.2 * palms[0]


def test_either_hand_serves(exact_body: BodyModel, exact_hand: HandModel, articulated: SkinnedModel):
    other = with_hands(exact_body, exact_hand.mirrored())
    for name in ("J_regressor", "weights"):
        assert np.abs(getattr(other, name) - getattr(articulated, name)).max() < 1e-12
    assert np.abs(other.posedirs[..., 189::11] - articulated.posedirs[..., 189::11]).max() < 1e-12


def test_weights_still_sum_to_one(articulated: SkinnedModel):
    assert_allclose(articulated.weights.sum(1), 1, atol=1e-7)
    assert articulated.weights.min() >= 0


def test_other_bodies_and_hands_are_refused(exact_body: BodyModel, exact_hand: HandModel):
    with pytest.raises(ValueError, match=r"use the shipped open_hand\.npz"):
        with_hands(exact_body, dataclasses.replace(exact_hand, body_vertices=None))
    taller = dataclasses.replace(exact_body, v_template=1.01 * exact_body.v_template)
    with pytest.raises(ValueError, match=r"the open hand belongs to open_body\.npz"):
        with_hands(taller, exact_hand)
    beyond = {side: rows + 6890 for side, rows in exact_hand.body_vertices.items()}
    with pytest.raises(ValueError, match=r"belongs to open_body\.npz"):
        with_hands(exact_body, dataclasses.replace(exact_hand, body_vertices=beyond))


def test_the_joints_are_smpls_and_then_the_hands():
    assert SMPL_HANDS.joints[:22] == SMPL.joints[:22]
    assert SMPL_HANDS.joints[22:25] == ("left_index1", "left_index2", "left_index3")
    assert SMPL_HANDS.joints[-1] == "right_thumb3"
    assert ("right_wrist", "right_pinky1") in SMPL_HANDS.edges
