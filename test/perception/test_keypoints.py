# SPDX-License-Identifier: Apache-2.0
"""Which keypoints a network gets to see, and who can be placed by them."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import UNTRACKED, Camera, Detections
from hmr_ros.core.skeleton import COCO17, JOINT_SETS, SMPL
from hmr_ros.perception.keypoints import (
    KeypointOptions,
    SeenKeypoints,
    face_seen,
    feet_seen,
    seen_keypoints,
)

K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
CAMERA = Camera(K, 640, 480)
PIXELS = np.random.default_rng(0).uniform((100, 100), (500, 400), (2, 17, 2))


def seen(score: np.ndarray, camera: Camera = CAMERA, pixels: np.ndarray = PIXELS, **options: float) -> SeenKeypoints:
    people = len(pixels)
    found = Detections(np.zeros((people, 4)), np.ones(people), pixels, score, "coco17", np.full(people, UNTRACKED))
    return seen_keypoints(found, camera, COCO17, KeypointOptions(**options))  # type: ignore[arg-type]


def test_keypoints_keep_their_pixels_and_become_normalized_coordinates() -> None:
    kept = seen(np.ones((2, 17)))
    np.testing.assert_allclose(kept.pixels, PIXELS, atol=1e-3)
    np.testing.assert_allclose(kept.normalized, (PIXELS - (320, 240)) / 500, atol=1e-6)
    assert (kept.score == 1).all()
    assert (kept.placing_score == 1).all()


def test_weak_keypoints_are_missing_and_those_at_the_threshold_are_not() -> None:
    score = np.ones((2, 17))
    score[0, :3] = (0.125, 0.25, 0.375)
    kept = seen(score, threshold=0.25)
    assert kept.score[0, :3].tolist() == [0, 0.25, 0.375]
    np.testing.assert_array_equal(kept.score[1], 1)


@pytest.mark.parametrize(("count", "placed"), [(5, False), (6, True), (7, True)])
def test_people_of_whom_too_few_keypoints_are_seen_are_not_placed_but_keep_them(count: int, placed: bool) -> None:
    score = np.ones((2, 17))
    score[0, count:] = 0
    kept = seen(score, minimum=6)
    assert (kept.placing_score[0] > 0).any() == placed
    assert (kept.score[0] > 0).sum() == count
    np.testing.assert_array_equal(kept.placing_score[1], 1)


def test_what_the_lens_cannot_have_seen_is_missing() -> None:
    fisheye = Camera(K, 640, 480, "equidistant", np.zeros(4))
    pixels = PIXELS.copy()
    pixels[0, 0] = (320 + 500 * 1.7, 240)  # more than 90 degrees off the axis
    kept = seen(np.ones((2, 17)), fisheye, pixels)
    assert kept.score[0, 0] == 0
    assert (kept.score[0, 1:] == 1).all()


def test_nobody_is_a_normal_value() -> None:
    kept = seen(np.ones((0, 17)), pixels=np.zeros((0, 17, 2)))
    assert kept.score.shape == kept.placing_score.shape == (0, 17)


def test_options_are_by_default_those_of_the_settings() -> None:
    assert KeypointOptions() == KeypointOptions.of(PerceptionSettings())
    asked = KeypointOptions.of(PerceptionSettings(keypoint_threshold=0.4, min_keypoints=9))
    assert asked == KeypointOptions(threshold=0.4, minimum=9)


@pytest.mark.parametrize(
    ("joint_set", "joint", "place", "score", "seen"),
    [
        ("coco_feet", "left_toe", (5, 5), 0.3, [True, True]),
        ("coco_feet", "left_toe", (5, 5), 0.29, [False, True]),
        ("coco_feet", "right_heel", (5, 480), 1, [True, False]),
        ("coco_feet", "right_ankle", (639, 479), 1, [True, True]),
        ("coco_feet", "right_ankle", (-0.1, 9), 1, [True, False]),
        ("coco_feet", "right_knee", (-9, -9), 0, [True, True]),
        ("coco17", "left_ankle", (5, 5), 0.1, [False, True]),
        ("blazepose", "left_heel", (np.nan, 5), 1, [False, True]),
        ("human36m", "right_ankle", (5, 5), 0.1, [True, False]),
    ],
)
def test_a_foot_is_seen_with_all_its_keypoints_in_the_image(
    joint_set: str, joint: str, place: tuple[float, float], score: float, seen: list[bool]
) -> None:
    joints = JOINT_SETS[joint_set]
    kp2d, kp2d_score = np.full((1, joints.size, 2), 100.0), np.ones((1, joints.size))
    kp2d[0, joints.index(joint)], kp2d_score[0, joints.index(joint)] = place, score
    people = Detections(np.zeros((1, 4)), np.ones(1), kp2d, kp2d_score, joint_set, np.zeros(1, np.int64))
    assert feet_seen(people, CAMERA, 0.3).tolist() == [seen]


def test_a_face_is_two_of_its_keypoints() -> None:
    names = JOINT_SETS["coco17"].joints
    score = np.zeros((4, len(names)))
    score[1, names.index("left_ear")] = 0.9
    score[2, [names.index("left_ear"), names.index("nose")]] = 0.9, 0.3
    score[3, [names.index("left_eye"), names.index("nose")]] = 0.9, 0.2
    people = dataclasses.replace(Detections.of_boxes(np.zeros((4, 4))), kp2d_score=score)
    assert face_seen(people, 0.3).tolist() == [False, False, True, False]


def test_where_no_keypoint_is_of_the_face_it_counts_as_seen() -> None:
    joints = SMPL.size
    people = Detections(
        np.zeros((1, 4)), np.ones(1), np.zeros((1, joints, 2)), np.ones((1, joints)), SMPL.name, np.array([1])
    )
    assert face_seen(people, 0.3).tolist() == [True]
