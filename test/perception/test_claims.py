# SPDX-License-Identifier: Apache-2.0
"""Joints that two people claim."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.skeleton import COCO17
from hmr_ros.perception.claims import fitness, lost_claims

EXTENT = 100.0
SHOULDER, ELBOW, WRIST = (COCO17.index(f"left_{joint}") for joint in ("shoulder", "elbow", "wrist"))
RIGHT_ELBOW = COCO17.index("right_elbow")


def side_by_side() -> tuple[Floats, Floats]:
    """Points (2, 17, 2) px and scores (2, 17): two people who stand 60 px from each other, arms hanging."""
    body = np.zeros((17, 2))
    heights = {"eye": 5, "ear": 5, "shoulder": 30, "elbow": 55, "wrist": 75, "hip": 80, "knee": 115, "ankle": 150}
    for joint, y in heights.items():
        for side, x in (("left", 12), ("right", -12)):
            body[COCO17.index(f"{side}_{joint}")] = (x, y)
    return np.stack([body, body + (60, 0)]), np.full((2, 17), 0.7)


def lost(points: Floats, scores: Floats) -> list[tuple[int, str]]:
    rows, joints = np.nonzero(lost_claims(points, scores, np.full(len(points), EXTENT)))
    return [(int(row), COCO17.joints[joint]) for row, joint in zip(rows, joints, strict=True)]


def test_people_apart_keep_their_joints() -> None:
    assert lost(*side_by_side()) == []
    assert lost(np.zeros((0, 17, 2)), np.zeros((0, 17))) == []


def test_an_elbow_belongs_to_whose_arm_it_ends_not_to_who_is_surer() -> None:
    points, scores = side_by_side()
    points[1, ELBOW] = points[0, ELBOW] + (1, 0)
    scores[1, ELBOW] = 0.8
    assert lost(points, scores) == [(1, "left_elbow")]


def test_the_surer_one_has_it_where_both_arms_reach() -> None:
    points, scores = side_by_side()
    points[:, ELBOW] = (36, 50), (37, 50)
    scores[1, ELBOW] = 0.8
    assert lost(points, scores) == [(0, "left_elbow")]


def test_one_persons_left_may_be_the_others_right() -> None:
    points, scores = side_by_side()
    points[1, RIGHT_ELBOW] = points[0, ELBOW] + (0, 2)
    points[1, RIGHT_ELBOW - 2] = points[1, RIGHT_ELBOW] + (30, -30)
    scores[1, RIGHT_ELBOW] = 0.9
    assert lost(points, scores) == [(0, "left_elbow")]


def test_ones_own_left_and_right_may_meet() -> None:
    points, scores = side_by_side()
    points[0, WRIST + 1] = points[0, WRIST]
    scores[0, WRIST] = 0.9
    assert lost(points, scores) == []


def test_what_nobody_sees_is_claimed_by_nobody() -> None:
    points, scores = side_by_side()
    points[1, ELBOW], scores[:, ELBOW] = points[0, ELBOW], 0
    assert lost(points, scores) == []


def test_limbs_up_to_their_usual_length_fit() -> None:
    points, _ = side_by_side()
    assert (fitness(points, np.full(2, EXTENT)) == 1).all()
    points[0, ELBOW] = points[0, SHOULDER] + (80, 0)
    fits = fitness(points, np.full(2, EXTENT))
    assert fits[0, ELBOW] == 0.25, "twice as long"
    assert (np.delete(fits[0], [ELBOW, WRIST]) == 1).all()
    assert (fitness(points, np.zeros(2))[:, ELBOW] == 0).all()
