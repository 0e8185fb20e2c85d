# SPDX-License-Identifier: Apache-2.0
"""Knees as straight as they may be, on one leg whose bend is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.fitting.knees import straightened
from hmr_ros.core.fitting.legs import LEGS, Legs
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL

BODY = load_body_model(models_dir() / "open_body.npz")
REST = BODY.rest_joints(np.zeros((1, 10))).astype(np.float64)
FACING = np.array([np.pi, 0.0, 0.0])
SIDEWAYS = rotvec_to_rotmat(np.array([0, np.pi / 2, 0])) @ rotvec_to_rotmat(FACING)


def person(bend_deg, root=None):
    """(1, 24, 3, 3) who faces the camera with both knees turned by ``bend_deg`` about their axis."""
    pose = np.zeros((1, 24, 3))
    pose[:, 0] = FACING
    pose[:, [SMPL.index("left_knee"), SMPL.index("right_knee")], 0] = np.radians(bend_deg)
    rotations = rotvec_to_rotmat(pose)
    if root is not None:
        rotations[:, 0] = root
    return rotations


def bends(rotations):
    """(2,) degrees between thighs and shanks."""
    legs = Legs.posed(rotations, REST)
    thigh, shank = legs.knee - legs.hip, legs.ankle - legs.knee
    cosine = (thigh * shank).sum(-1) / (np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shank, axis=-1))
    return np.degrees(np.arccos(cosine))[0]


def ahead(rotations):
    """(2, 3) m from the line between hip and ankle to the knee."""
    legs = Legs.posed(rotations, REST)
    way, out = legs.ankle - legs.hip, legs.knee - legs.hip
    return (out - (out * way).sum(-1, keepdims=True) / (way * way).sum(-1, keepdims=True) * way)[0]


def after(rotations, error):
    return straightened(rotations, REST, np.full((1, 24), error), np.array([[0.0, 0.0, 1.0]]))


def test_knees_that_bend_along_the_line_of_sight_lose_what_the_error_makes_of_it():
    given = person(30)
    assert_allclose(bends(given) - bends(after(given, 0.1)), np.degrees(0.105), atol=0.5)
    assert_allclose(bends(given) - bends(after(given, 0.05)), np.degrees(0.0525), atol=0.3)


@pytest.mark.parametrize(
    ("bend", "error", "root"), [(30, 0.0, None), (90, 0.2, None), (30, 0.1, SIDEWAYS)], ids=["sure", "crouched", "seen"]
)
def test_knees_that_are_known_stay(bend, error, root):
    given = person(bend, root)
    assert_allclose(after(given, error), given, atol=0.02)


def test_no_knee_bends_the_other_way_or_is_locked():
    for bend in (2, 8, 15):
        given = person(bend)
        found = bends(after(given, 1.0))
        assert (found <= bends(given) + 1e-6).all()
        assert (found >= np.minimum(bends(given), 3) - 1e-6).all()
        assert ((ahead(given) * ahead(after(given, 1.0))).sum(-1) > 0).all()


def test_ankles_stay_in_line_with_the_hip_and_feet_and_all_else_as_they_are():
    given = person(30)
    found = after(given, 0.1)
    one, other = Legs.posed(given, REST), Legs.posed(found, REST)
    ways = [(leg.ankle - leg.hip) / np.linalg.norm(leg.ankle - leg.hip, axis=-1, keepdims=True) for leg in (one, other)]
    assert_allclose(ways[1], ways[0], atol=1e-9)
    assert_allclose(other.foot, one.foot, atol=1e-9)
    others = np.setdiff1d(np.arange(24), LEGS)
    assert_allclose(found[:, others], given[:, others])
    assert not np.allclose(found[:, LEGS], given[:, LEGS])


def test_more_bent_knees_stay_more_bent():
    found = [bends(after(person(bend), 0.15))[0] for bend in range(0, 120, 3)]
    assert (np.diff(found) >= -1e-6).all()


def test_no_people_are_no_knees():
    empty = straightened(np.zeros((0, 24, 3, 3)), np.zeros((0, 24, 3)), np.zeros((0, 24)), np.zeros((0, 3)))
    assert empty.shape == (0, 24, 3, 3)
