# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.body.articulated_hands import pose_with_fingers, with_hands
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.finger_skin import FingerSkin
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, Detections, Estimates
from hmr_ros.core.skeleton import MANO, SMPL_HANDS
from test.core.conftest import random_parameters

PEOPLE = 3


@pytest.fixture(scope="module")
def skin(exact_body: BodyModel, exact_hand: HandModel) -> FingerSkin:
    return FingerSkin(exact_body, exact_hand)


@pytest.fixture(scope="module")
def bodies(exact_body: BodyModel) -> Bodies:
    """Three people, the second without a position."""
    p, valid = random_parameters(PEOPLE), np.array([True, False, True])
    estimates = dataclasses.replace(
        Estimates.unknown(PEOPLE).with_rows(valid, Estimates.unknown(2)),
        **{name: np.where(valid.reshape(-1, *[1] * (v.ndim - 1)), v, np.nan) for name, v in vars(p).items()},
        valid=valid,
    )
    detections = Detections.of_boxes(np.tile([0.0, 0, 9, 9], (PEOPLE, 1)), ids=np.arange(PEOPLE))
    return pose_bodies(detections, estimates, exact_body)


def hands(*known: bool) -> BodyHands:
    """Hands with bent fingers, both of each person ``known`` or at rest."""
    weights = np.repeat(np.array(known, np.float64)[:, None], 2, 1)
    pose = 0.4 * np.random.default_rng(0).normal(size=(len(known), 2, 15, 3)) * weights[..., None, None]
    return dataclasses.replace(BodyHands.at_rest(len(known)), weights=weights, pose=pose)


def test_meshes_are_those_of_the_body_with_hands(
    skin: FingerSkin, bodies: Bodies, exact_body: BodyModel, exact_hand: HandModel
):
    wanted = hands(True, True, True)
    found = skin.posed(bodies, wanted)
    valid = bodies.take(bodies.valid)
    pose = pose_with_fingers(valid.body_pose, *wanted.pose[bodies.valid].swapaxes(0, 1))
    posed = with_hands(exact_body, exact_hand).posed(valid.global_orient, pose, valid.betas, valid.cam_t)
    assert_allclose(found.vertices[bodies.valid], posed.vertices, atol=1e-8)
    assert np.isnan(found.vertices[1]).all()
    assert found.hands is not None
    joints = found.hands.joints
    assert np.isnan(joints[1]).all()
    wrist, tip = MANO.index("wrist"), MANO.index("index4")
    assert_allclose(joints[bodies.valid, 1, wrist], posed.joints[:, SMPL_HANDS.index("right_wrist")], atol=1e-12)
    assert_allclose(joints[bodies.valid, 1, MANO.index("index2")], posed.joints[:, SMPL_HANDS.index("right_index2")])
    for side, mirrored in (("left", 0), ("right", 1)):
        on_body = exact_hand.body_vertices[side][exact_hand.tips[1]]
        assert_allclose(joints[bodies.valid, mirrored, tip], posed.vertices[:, on_body], atol=1e-12)


def test_people_whose_hands_are_not_known_keep_their_mesh(skin: FingerSkin, bodies: Bodies):
    found = skin.posed(bodies, hands(False, False, True))
    assert_array_equal(found.vertices[0], bodies.vertices[0])
    assert np.abs(found.vertices[2] - bodies.vertices[2]).max() > 0.01
    assert skin.posed(bodies, hands(False, False, False)).vertices is bodies.vertices


def test_no_people_have_no_hands(skin: FingerSkin, bodies: Bodies):
    found = skin.posed(bodies.take(slice(0)), hands())
    assert found.hands is not None
    assert found.hands.joints.shape == (0, 2, 21, 3)
