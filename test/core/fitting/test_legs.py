# SPDX-License-Identifier: Apache-2.0
"""Legs that reach for a point, against forward kinematics of the whole body."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.fitting.legs import ANKLES, LEGS, Legs
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL

BODY = load_body_model(models_dir() / "open_body.npz")
RNG = np.random.default_rng(0)
BETAS = RNG.normal(size=(20, 10))
REST = BODY.rest_joints(BETAS).astype(np.float64)
KNEES = [SMPL.index("left_knee"), SMPL.index("right_knee")]


def bent() -> np.ndarray:
    """(20, 24, 3, 3) any poses, with knees that bend as knees do."""
    pose = 0.4 * RNG.normal(size=(20, 24, 3))
    pose[:, KNEES] = np.abs(pose[:, KNEES]) * [1, 0, 0] + [0.2, 0, 0]
    return rotvec_to_rotmat(pose)


def joints(rotations: np.ndarray) -> np.ndarray:
    """(N, 24, 3) m around the pelvis."""
    pose = rotmat_to_rotvec(rotations)
    found = BODY.posed_joints(pose[:, 0], pose[:, 1:], BETAS[: len(pose)])
    return found - found[:, :1]


def with_legs(rotations: np.ndarray, legs: np.ndarray) -> np.ndarray:
    out = rotations.copy()
    out[:, LEGS] = legs
    return out


def test_ankles_are_where_the_body_model_has_them_and_stay_there():
    rotations = bent()
    legs = Legs.posed(rotations, REST)
    assert_allclose(legs.ankle, joints(rotations)[:, ANKLES], atol=1e-6)
    assert_allclose(legs.reaching(legs.ankle), rotations[:, LEGS], atol=1e-6)


def test_ankles_reach_what_is_near_and_feet_keep_their_direction():
    rotations = bent()
    legs = Legs.posed(rotations, REST)
    wanted = legs.hip + 0.9 * (legs.ankle - legs.hip) + 0.02 * RNG.normal(size=legs.hip.shape)
    moved = with_legs(rotations, legs.reaching(wanted))
    assert_allclose(joints(moved)[:, ANKLES], wanted, atol=1e-5)
    assert_allclose(Legs.posed(moved, REST).foot, legs.foot, atol=1e-9)
    others = np.setdiff1d(np.arange(24), LEGS)
    assert_allclose(moved[:, others], rotations[:, others])


def test_a_leg_that_is_too_short_points_there():
    rotations = bent()
    legs = Legs.posed(rotations, REST)
    wanted = legs.hip + 3 * (legs.ankle - legs.hip)
    found = Legs.posed(with_legs(rotations, legs.reaching(wanted)), REST)
    way, length = found.ankle - found.hip, np.linalg.norm(wanted - legs.hip, axis=-1)
    assert_allclose((way * (wanted - legs.hip)).sum(-1), np.linalg.norm(way, axis=-1) * length, rtol=1e-9)
    bones = np.linalg.norm(legs.knee - legs.hip, axis=-1) + np.linalg.norm(legs.ankle - legs.knee, axis=-1)
    assert_allclose(np.linalg.norm(way, axis=-1), bones, rtol=2e-3)


@pytest.mark.parametrize("bend", [0.0, 1e-4, -0.01, 0.1])
def test_straight_knees_bend_forwards(bend: float):
    pose = np.zeros((1, 24, 3))
    pose[:, KNEES, 0] = bend
    rotations = rotvec_to_rotmat(pose)
    legs = Legs.posed(rotations, REST[:1])
    found = legs.reaching(legs.hip + 0.9 * (legs.ankle - legs.hip))
    knees = rotmat_to_rotvec(found[:, 2:4])[0]
    assert (knees[:, 0] > 0.7).all()
    assert_allclose(knees[:, 1:], 0, atol=1e-6)
