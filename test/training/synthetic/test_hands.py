# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import HandModel, load_hand_model
from hmr_ros.core.fitting.hand_pose import finger_rotations
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HAND, MANO
from hmr_ros.training.synthetic.hands import HandMix, HandSampler, self_penetrating

HAND_MODEL = load_hand_model(models_dir() / "open_hand.npz", np.float64)
SAMPLER = HandSampler(HAND_MODEL, HandMix())
KNUCKLES = [HAND.index(f"{finger}1") - 1 for finger in ("index", "middle", "pinky", "ring")]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def joints_of(angles: np.ndarray, hand: HandModel = HAND_MODEL) -> np.ndarray:
    """(N, 21, 3) m of hands in their rest orientation."""
    pose = rotmat_to_rotvec(finger_rotations(angles, hand.fingers.axes))
    count = len(angles)
    return hand.keypoints(hand.posed(np.zeros((count, 3)), pose, np.zeros((count, 10)), np.zeros((count, 3))))


def test_angles_are_within_the_limits_and_fists_are_among_them():
    angles = SAMPLER.draw_angles(rng(), 3000)
    low, high = np.moveaxis(HAND_MODEL.fingers.limits[:, :2].astype(float), -1, 0)
    assert (angles >= low - 1e-9).all()
    assert (angles <= high + 1e-9).all()
    bent = (angles[:, KNUCKLES, 0] > np.radians(55)).all(1)
    assert 0.1 < bent.mean() < 0.4
    straight = (np.abs(angles[:, KNUCKLES, 0]) < np.radians(25)).all(1)
    assert straight.mean() > 0.1
    flat = HandSampler(HAND_MODEL, HandMix(fists=0, flat=1)).draw_angles(rng(), 50)
    assert_allclose(flat.max(), 0.35 * high.max(), rtol=0.2)


def test_hands_do_not_pass_through_themselves():
    poses = SAMPLER._poses(rng(), 100)
    assert poses.shape == (100, 15, 3)
    posed = HAND_MODEL.posed(np.zeros((100, 3)), poses, np.zeros((100, 10)), np.zeros((100, 3)))
    assert self_penetrating(HAND_MODEL.keypoints(posed)).mean() < 0.02  # correctives move the tips


def test_fingers_through_each_other_or_the_palm_are_refused():
    rest, crossed, pressed = (np.zeros((1, 15, 2)) for _ in range(3))
    crossed[0, KNUCKLES[0], 1], crossed[0, KNUCKLES[1], 1] = -0.25, 0.25  # index and middle finger through each other
    pressed[0, KNUCKLES, 0] = 3.2  # into the palm
    for angles, expected in ((rest, False), (crossed, True), (pressed, True)):
        assert self_penetrating(joints_of(angles)).tolist() == [expected]


def test_points_are_seen_where_the_detector_puts_them():
    """At rest and without errors: each point is off its joint by its offset."""
    exact = HandSampler(HAND_MODEL, HandMix(exact=1, missing=0, flat=1, fists=0, children=0))
    hands = exact.sample(rng(), 60)
    assert_allclose(hands.normalized, hands.exact)
    assert (hands.score == 1).all()
    joints = hands.joints[..., :2] / hands.joints[..., 2:]
    size = np.linalg.norm(np.ptp(joints, axis=1), axis=1)
    off = np.linalg.norm(hands.normalized - joints, axis=-1).mean(1) / size
    assert 0.015 < np.median(off) < 0.08
    still = exact._points(HAND_MODEL.rest_keypoints(np.zeros((1, 10))), np.zeros((1, 3)), np.zeros((1, 15, 3)))
    assert_allclose(still[0] - HAND_MODEL.rest_keypoints(np.zeros((1, 10)))[0], HAND_MODEL.landmark_offsets, atol=1e-12)


def test_offsets_turn_with_their_bones():
    hand = HAND_MODEL
    orient, pose = rng(1).normal(size=(2, 3)), 0.5 * rng(2).normal(size=(2, 15, 3))
    posed = hand.posed(orient, pose, np.zeros((2, 10)), np.zeros((2, 3)))
    moved = SAMPLER._points(hand.keypoints(posed), orient, pose) - hand.keypoints(posed)
    R = rotvec_to_rotmat(np.concatenate([orient[:, None], pose], 1))
    for name, chain in {"wrist": (), "thumb2": ("thumb1", "thumb2"), "index4": ("index1", "index2", "index3")}.items():
        bone = R[:, 0]
        for joint in chain:
            bone = bone @ R[:, HAND.index(joint)]
        expected = bone @ hand.landmark_offsets[MANO.index(name)]
        scale = np.linalg.norm(moved[:, MANO.index(name)], axis=-1) / np.linalg.norm(expected, axis=-1)
        assert_allclose(moved[:, MANO.index(name)], scale[:, None] * expected, atol=1e-9)
        assert_allclose(scale, 1, atol=0.01)


def test_errors_are_as_large_as_asked_for():
    hands = HandSampler(HAND_MODEL, HandMix(error=0.03, exact=0, outliers=0)).sample(rng(), 400)
    size = np.linalg.norm(np.ptp(hands.exact, axis=1), axis=1)[:, None]
    error = np.linalg.norm(hands.normalized - hands.exact, axis=-1) / size
    assert 0.028 < np.median(error) < 0.045
    index = [MANO.index(f"index{k}") for k in (1, 4)]
    apart = (hands.normalized - hands.exact) / size[..., None]
    together = np.corrcoef(apart[:, index[0], 0], apart[:, index[1], 0])[0, 1]
    assert 0.2 < together < 0.6  # a part is common to the finger


def test_hands_are_at_all_distances_and_some_lack_points():
    hands = SAMPLER.sample(rng(), 600)
    depth = hands.joints[:, 0, 2]
    assert 0.3 <= depth.min() < 0.36
    assert 2.4 < depth.max() <= 3.0
    assert np.median(depth) == pytest.approx(np.sqrt(0.9), rel=0.1)
    lacking = (hands.score == 0).any(1)
    assert 0.05 < lacking.mean() < 0.15
    assert (hands.score.sum(1) > 6).mean() > 0.99
    assert hands.vertices.shape == (600, 778, 3)


def test_the_same_generator_draws_the_same():
    first, second = (SAMPLER.sample(rng(7), 5) for _ in range(2))
    assert_allclose(first.vertices, second.vertices)
    assert_allclose(first.normalized, second.normalized)


def test_other_hands_are_refused():
    for hand in (HAND_MODEL.mirrored(), dataclasses.replace(HAND_MODEL, fingers=None)):
        with pytest.raises(ValueError, match="it says how fingers bend, and where points lie"):
            HandSampler(hand, HandMix())
