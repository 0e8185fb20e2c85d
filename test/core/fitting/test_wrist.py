# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.wrist import (
    TOLERANCE,
    WRIST_LIMITS,
    forearms_and_wrists,
    limited,
    with_wrists,
    wrist_angles,
    wrist_of_angles,
)
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import SMPL
from test.core.conftest import random_parameters

LEFT = np.array([True, False])
WRISTS = [SMPL.index("left_wrist"), SMPL.index("right_wrist")]


def estimates(people: int) -> Estimates:
    fields = vars(random_parameters(people))
    return dataclasses.replace(Estimates.unknown(people), **fields, valid=np.ones(people, np.bool_))


def test_angles_and_rotations_are_inverse_and_sides_are_mirror_images():
    angles = np.random.default_rng(0).uniform(-1.4, 1.4, (20, 1, 3)).repeat(2, 1)
    rotations = wrist_of_angles(angles, LEFT)
    assert_allclose(rotations @ rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-12)
    assert_allclose(wrist_angles(rotations, LEFT), angles, atol=1e-12)
    mirror = np.diag([-1.0, 1, 1])
    assert_allclose(rotations[:, 0], mirror @ rotations[:, 1] @ mirror, atol=1e-12)


def test_flexion_bends_towards_the_palm_and_abduction_towards_the_thumb():
    """In the T-pose the right fingers point along -x, the palm looks down and the thumb to +z."""
    flexed, abducted = (wrist_of_angles(np.array(a), np.array(False)) for a in ([0, 0.5, 0], [0, 0, 0.5]))
    assert (flexed @ [-1.0, 0, 0])[1] < -0.4
    assert (abducted @ [-1.0, 0, 0])[2] > 0.4


def test_wrists_stay_within_their_limits_and_impossible_ones_are_none():
    little, far = WRIST_LIMITS[:, 1] + [0.1, 0, 0.1], WRIST_LIMITS[:, 1] + [TOLERANCE + 0.1, 0, 0]
    wrists, possible = limited(wrist_of_angles(np.stack([little, far]), np.zeros(2, np.bool_)), np.zeros(2, np.bool_))
    assert_array_equal(possible, [True, False])
    assert_allclose(wrist_angles(wrists, np.zeros(2, np.bool_)), [WRIST_LIMITS[:, 1]] * 2, atol=1e-12)


def test_hands_end_up_as_they_are_oriented_and_no_joint_but_theirs_moves(exact_body: BodyModel):
    before = estimates(3)
    rng = np.random.default_rng(1)
    wanted = wrist_of_angles(rng.uniform(-1, 1, (3, 2, 3)) * [1.5, 1, 0.4], np.broadcast_to(LEFT, (3, 2)))
    forearms, _ = forearms_and_wrists(before)
    after = with_wrists(before, wanted, np.ones((3, 2)), exact_body)
    new_forearms, new_wrists = forearms_and_wrists(after)
    assert_allclose(new_forearms @ new_wrists, forearms @ wanted, atol=1e-9)
    posed = [exact_body.posed_joints(e.global_orient, e.body_pose, e.betas) for e in (before, after)]
    assert_allclose(posed[1][:, :22], posed[0][:, :22], atol=1e-9)


@pytest.mark.parametrize("side", [0, 1])
def test_the_forearm_takes_half_of_its_rotation_and_the_wrist_the_rest(exact_body: BodyModel, side: int):
    before = estimates(1)
    _, body = forearms_and_wrists(before)
    turned = rotvec_to_rotmat(np.array([0.8, 0, 0])) @ body
    after = with_wrists(before, turned, np.eye(2)[[side]], exact_body)
    elbow = SMPL.index(("left_elbow", "right_elbow")[side]) - 1
    left = np.array([side == 0])
    rest = [wrist_angles(forearms_and_wrists(e)[1][:, side], left)[0, 0] for e in (before, after)]
    assert_allclose(rest[1] - rest[0], 0.4, atol=0.1)
    turn = rotvec_to_rotmat(before.body_pose[:, elbow]).swapaxes(-1, -2) @ rotvec_to_rotmat(after.body_pose[:, elbow])
    assert_allclose(np.linalg.norm(rotmat_to_rotvec(turn)), 0.4, atol=0.01)
    changed = np.flatnonzero((after.body_pose != before.body_pose).any((0, 2)))
    assert_array_equal(changed, [elbow, WRISTS[side] - 1])


def test_a_weight_moves_a_wrist_part_of_the_way_and_none_leaves_it(exact_body: BodyModel):
    before = estimates(2)
    _, body = forearms_and_wrists(before)
    turned = body @ rotvec_to_rotmat(np.array([0.0, 0, 0.6]))
    assert with_wrists(before, turned, np.zeros((2, 2)), exact_body) is before
    after = with_wrists(before, turned, np.full((2, 2), 0.5), exact_body)
    forearms, wrists = forearms_and_wrists(after)
    whole, _ = forearms_and_wrists(before)
    half = whole @ body @ rotvec_to_rotmat(np.array([0.0, 0, 0.3]))
    assert_allclose(forearms @ wrists, half, atol=1e-9)
