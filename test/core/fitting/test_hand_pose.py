# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.fitting.hand_pose import finger_rotations, fit_hand_pose
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import HAND


def random_angles(hand: HandModel, count: int, seed: int = 0) -> np.ndarray:
    """(count, 15, 2) flexion and abduction anywhere within the limits."""
    low, high = np.moveaxis(hand.fingers.limits[:, :2], -1, 0)
    return np.random.default_rng(seed).uniform(low, high, (count, 15, 2))


def bent(hand: HandModel, angles: np.ndarray, orient: np.ndarray) -> np.ndarray:
    """(P, 21, 3) joints and tips."""
    pose = rotmat_to_rotvec(finger_rotations(angles, hand.fingers.axes.astype(np.float64)))
    return hand.keypoints(hand.posed(orient, pose, np.zeros((len(angles), 10)), np.zeros((len(angles), 3))))


@pytest.mark.parametrize("side", ["right", "left"])
def test_angles_within_the_limits_come_back(exact_hand: HandModel, side: str):
    hand = exact_hand if side == "right" else exact_hand.mirrored()
    angles, orient = random_angles(hand, 50), np.random.default_rng(1).normal(size=(50, 3))
    found = fit_hand_pose(7 * bent(hand, angles, orient) + 3, hand)
    ends = [HAND.index(f"{finger}3") - 1 for finger in ("index", "middle", "ring", "pinky", "thumb")]
    inner = np.setdiff1d(np.arange(15), ends)  # tips are on the skin, which correctives move
    assert_allclose(found.angles[:, inner], angles[:, inner], atol=1e-5)
    assert np.abs(found.angles[:, ends] - angles[:, ends]).mean() < np.radians(3)
    turned = rotvec_to_rotmat(found.orient) @ rotvec_to_rotmat(orient).swapaxes(1, 2)
    assert_allclose(turned, np.tile(np.eye(3), (50, 1, 1)), atol=1e-6)
    points = hand.keypoints(hand.posed(found.orient, found.pose, np.zeros((50, 10)), np.zeros((50, 3))))
    assert np.linalg.norm(points - bent(hand, angles, orient), axis=-1).mean() < 5e-4


def test_angles_beyond_the_limits_end_there(exact_hand: HandModel):
    fingers = exact_hand.fingers
    stiff = dataclasses.replace(exact_hand, fingers=dataclasses.replace(fingers, limits=fingers.limits * 0.3))
    angles = random_angles(exact_hand, 40, seed=2)
    found = fit_hand_pose(bent(exact_hand, angles, np.zeros((40, 3))), stiff).angles
    low, high = np.moveaxis(stiff.fingers.limits[:, :2], -1, 0)
    assert (found >= low - 1e-12).all()
    assert (found <= high + 1e-12).all()
    beyond = angles[:, 0, 0] > high[0, 0]
    assert beyond.any()
    assert_allclose(found[beyond, 0, 0], high[0, 0])


def test_at_a_limit_the_other_angle_is_the_best_one(exact_hand: HandModel):
    """No flexion on a grid brings the index's first bone nearer to its direction, whatever its abduction."""
    fingers = exact_hand.fingers
    limits = fingers.limits.copy()
    limits[:, 1] = 0.05
    stiff = dataclasses.replace(exact_hand, fingers=dataclasses.replace(fingers, limits=limits))
    points = bent(exact_hand, random_angles(exact_hand, 20, seed=3), np.zeros((20, 3)))
    found = fit_hand_pose(points, stiff).angles[:, 0]
    bone = points[:, 6] - points[:, 5]
    bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
    rest = fingers.axes[0, 2]

    def gap(flexion: np.ndarray) -> np.ndarray:
        rotated = finger_rotations(np.stack([flexion, np.full_like(flexion, 0.05)], -1), fingers.axes[0]) @ rest
        return np.linalg.norm(rotated - bone, axis=-1)

    best = gap(found[:, 0])
    for flexion in np.linspace(*limits[0, 0], 50):
        assert (best <= gap(np.full(20, flexion)) + 1e-6).all()


def test_noise_bends_no_finger_backwards(exact_hand: HandModel):
    noisy = np.random.default_rng(4).normal(size=(30, 21, 3))
    found = fit_hand_pose(noisy, exact_hand)
    assert np.isfinite(found.pose).all()
    low, high = np.moveaxis(exact_hand.fingers.limits[:, :2], -1, 0)
    assert ((found.angles >= low - 1e-12) & (found.angles <= high + 1e-12)).all()
    assert np.isfinite(fit_hand_pose(np.zeros((1, 21, 3)), exact_hand).pose).all()


def test_no_hands_and_hands_without_limits(exact_hand: HandModel):
    assert fit_hand_pose(np.zeros((0, 21, 3)), exact_hand).angles.shape == (0, 15, 2)
    with pytest.raises(ValueError, match=r"use the shipped open_hand\.npz"):
        fit_hand_pose(np.zeros((1, 21, 3)), dataclasses.replace(exact_hand, fingers=None))


def test_fingers_rotate_as_by_rotation_vectors_one_after_the_other(exact_hand: HandModel):
    """The slow reference: flexion first, then abduction, each about its own axis, which the file has in float32."""
    angles, axes = random_angles(exact_hand, 20), exact_hand.fingers.axes
    flexion, abduction = (rotvec_to_rotmat(axes[:, k] * angles[..., k, None]) for k in (0, 1))
    assert_allclose(finger_rotations(angles, axes), abduction @ flexion, atol=1e-7)
