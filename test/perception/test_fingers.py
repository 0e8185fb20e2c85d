# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.finger_skin import FingerSkin
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.fitting.hand_pose import finger_rotations, fit_hand_pose
from hmr_ros.core.fitting.wrist import forearms_and_wrists, wrist_angles, wrist_of_angles
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Camera, Detections, Estimates
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import SMPL
from hmr_ros.perception.fingers import Fingers
from hmr_ros.perception.hand_meshes import HandMeshes
from hmr_ros.perception.hands import Hands
from test.core.conftest import random_parameters

BODY = load_body_model(models_dir() / "open_body.npz", np.float64)
HAND = load_hand_model(models_dir() / "open_hand.npz", np.float64)
PAIR = (HAND.mirrored(), HAND)
SKIN = FingerSkin(BODY, HAND)
CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
IDS = np.array([5, 9])
LEFT = np.array([True, False])
ERROR_M = 0.01
WRISTS = [SMPL.index("left_wrist") - 1, SMPL.index("right_wrist") - 1]


def parameters(wrist: np.ndarray | None = None) -> Estimates:
    """Two people with hanging arms, whose wrists are at (2, 2, 3) rad, as they hang unless given."""
    p = random_parameters(len(IDS), bend=0.1)
    pose = p.body_pose.copy()
    if wrist is not None:
        pose[:, WRISTS] = rotmat_to_rotvec(wrist_of_angles(wrist, np.broadcast_to(LEFT, (2, 2))))
    return dataclasses.replace(
        Estimates.unknown(len(IDS)), **vars(p) | {"body_pose": pose}, valid=np.ones(len(IDS), np.bool_)
    )


def bodies_of(estimates: Estimates) -> Bodies:
    return pose_bodies(Detections.of_boxes(np.tile([0.0, 0, 9, 9], (2, 1)), ids=IDS), estimates, BODY)


def truth() -> Bodies:
    """The two people with bent wrists and fingers, each hand in its own way."""
    rng = np.random.default_rng(3)
    wrist = rng.uniform(-0.4, 0.4, (2, 2, 3)) * [2, 1, 0.8]
    low, high = (HAND.fingers.limits[:, :2, k] for k in (0, 1))
    angles = low + rng.uniform(0.3, 0.7, (2, 2, 15, 2)) * (high - low)
    axes = np.stack([hand.fingers.axes for hand in PAIR])
    pose = rotmat_to_rotvec(finger_rotations(angles, axes))
    hands = dataclasses.replace(BodyHands.at_rest(2), weights=np.ones((2, 2)), angles=angles, pose=pose)
    return SKIN.posed(bodies_of(parameters(wrist)), hands)


TRUTH = truth()


class Lifter:
    """Knows the joints of all hands; ``flipped``: sees them from the back, turned about the image's x axis."""

    error_m = ERROR_M
    flipped = False

    def __call__(self, hands: Hands, camera: Camera) -> HandMeshes:
        rows, sides = np.nonzero(hands.seen)
        joints = TRUTH.hands.joints[[int(np.flatnonzero(hands.ids[row] == IDS)[0]) for row in rows], sides]
        joints = joints - joints[:, :1]
        joints = joints * [1, -1, -1] if self.flipped else joints
        poses = [fit_hand_pose(joint[None], PAIR[side]) for joint, side in zip(joints, sides, strict=True)]
        error = np.full((len(rows), 21), self.error_m)
        return HandMeshes(rows, sides == 1, np.zeros((len(rows), 778, 3)), joints, error, join_rows(poses))


def seen(*known: tuple[int, int], score: float = 0.9, side_score: float = 0.9) -> Hands:
    """The hands ``known``, rows and sides, of the two people; the second one is first, as detectors like."""
    hands = Hands.unseen(IDS[::-1].copy())
    scores = np.zeros((2, 2), np.float32)
    for row, side in known:
        scores[1 - row, side] = score
    return dataclasses.replace(hands, scores=scores, side_scores=np.where(scores > 0, side_score, 0))


ALL = ((0, 0), (0, 1), (1, 0), (1, 1))


@pytest.fixture
def fingers() -> Fingers:
    found = Fingers(Lifter(), BODY, HAND)
    found.configure(SmoothingConfig())
    return found


def test_wrists_and_fingers_move_as_they_are_seen(fingers: Fingers):
    moved = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.0)
    forearms, wrists = forearms_and_wrists(moved.estimates)
    true_forearms, true_wrists = forearms_and_wrists(parameters_of(TRUTH))
    assert_allclose(forearms @ wrists, true_forearms @ true_wrists, atol=0.015)  # hands differ in their proportions
    knuckles = [0, 3, 6, 9]  # the end of the last phalanx is on the skin, and the thumb's base twists
    assert_allclose(moved.hands.angles[:, :, knuckles], TRUTH.hands.angles[:, :, knuckles], atol=0.02)
    assert_allclose(moved.hands.presence, np.full((2, 2), 0.9), atol=1e-6)
    assert_allclose(moved.hands.errors, ERROR_M)
    posed = fingers.posed(bodies_of(moved.estimates), moved.hands)
    apart = np.linalg.norm(posed.hands.joints - TRUTH.hands.joints, axis=-1)
    assert apart.max() < 0.006


def parameters_of(bodies: Bodies) -> Estimates:
    fields = {f.name: getattr(bodies, f.name) for f in dataclasses.fields(Estimates)}
    return Estimates(**fields)


@pytest.mark.parametrize("hands", [None, seen()])
def test_without_hands_bodies_are_as_they_were(fingers: Fingers, hands: Hands | None):
    before = parameters()
    moved = fingers(hands, CAMERA, IDS, before, 0.0)
    assert moved.estimates is before
    bodies = bodies_of(before)
    assert fingers.posed(bodies, moved.hands).vertices is bodies.vertices
    assert not moved.hands.known.any()


def test_only_the_hand_that_is_seen_moves(fingers: Fingers):
    before = parameters()
    moved = fingers(seen((1, 0)), CAMERA, IDS, before, 0.0)
    assert_array_equal(moved.hands.known, [[False, False], [True, False]])
    changed = np.argwhere((moved.estimates.body_pose != before.body_pose).any(-1))
    assert_array_equal(changed, [[1, SMPL.index("left_elbow") - 1], [1, SMPL.index("left_wrist") - 1]])


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        ({"score": 0.95}, 1.0),
        ({"score": 0.65}, 0.5),
        ({"score": 0.5}, 0.0),
        ({"side_score": 0.05}, 0.0),
    ],
)
def test_unsure_hands_count_less(fingers: Fingers, changes: dict[str, float], weight: float):
    moved = fingers(seen(*ALL, **changes), CAMERA, IDS, parameters(), 0.0)
    assert_allclose(moved.hands.weights, np.full((2, 2), weight), atol=1e-6)


def test_hands_with_large_expected_errors_count_less(fingers: Fingers):
    fingers._lifter.error_m = 0.06
    moved = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.0)
    assert_allclose(moved.hands.weights, np.full((2, 2), 0.25), atol=1e-6)


def test_hands_whose_expected_error_is_not_known_count_in_full(fingers: Fingers):
    fingers._lifter.error_m = np.nan
    moved = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.0)
    assert_allclose(moved.hands.weights, np.ones((2, 2)), atol=1e-6)


def test_a_hand_that_flips_in_depth_for_an_image_changes_nothing(fingers: Fingers):
    for k in range(5):
        before = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.05 * k)
    fingers._lifter.flipped = True
    flipped = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.25)
    assert_allclose(flipped.estimates.body_pose, before.estimates.body_pose, atol=1e-9)
    assert_allclose(flipped.hands.angles, before.hands.angles, atol=1e-9)


def test_wrists_are_those_of_arms(fingers: Fingers):
    fingers._lifter.flipped = True
    moved = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.0)
    _, wrists = forearms_and_wrists(moved.estimates)
    angles = wrist_angles(wrists, np.broadcast_to(LEFT, (2, 2)))
    assert np.abs(angles[..., 1]).max() < np.radians(90)
    assert np.abs(angles[..., 2]).max() < np.radians(45)


def test_people_without_a_position_have_hands_at_rest(fingers: Fingers):
    unknown = Estimates.unknown(2)
    moved = fingers(seen(*ALL), CAMERA, IDS, unknown, 0.0)
    assert not moved.hands.known.any()
    again = fingers(seen(*ALL), CAMERA, IDS, parameters(), 0.05)
    assert np.isfinite(again.estimates.body_pose).all()
    assert again.hands.known.all()


def test_no_people_have_no_hands(fingers: Fingers):
    moved = fingers(Hands.unseen(np.zeros(0, np.int64)), CAMERA, np.zeros(0, np.int64), Estimates.unknown(0), 0.0)
    assert len(moved.hands) == 0


def test_a_body_of_another_model_has_no_such_fingers():
    other = dataclasses.replace(BODY, v_template=BODY.v_template * 1.1)
    with pytest.raises(ValueError, match="belongs to open_body"):
        Fingers(Lifter(), other, HAND)
