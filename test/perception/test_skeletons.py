# SPDX-License-Identifier: Apache-2.0
"""Skeletons of two networks: which points belong together, and that people share none."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.skeleton import BLAZEPOSE, COCO17
from hmr_ros.perception.skeletons import OWNER, Skeletons, best_joints, distinct, gone_on, regions_of, renewed

RNG = np.random.default_rng(0)
BODY = RNG.uniform(0, 100, (33, 2))


def people(*offsets: float, scores: Floats | None = None) -> Skeletons:
    """One body, moved to the right by each of ``offsets`` px; its extent is 100 px."""
    count = len(offsets)
    points = BODY + np.stack([np.array(offsets), np.zeros(count)], 1)[:, None]
    regions = np.tile(np.array([[0.0, 0.0], [0.0, -80.0]]), (count, 1, 1))
    confidence = np.full((count, 33), 0.8) if scores is None else scores
    moved, motion = np.zeros((count, 17, 2)), np.zeros((count, 2))
    return Skeletons(points, confidence, np.ones(count), regions, moved, np.zeros(count), motion, np.ones(count))


def test_points_move_with_the_joint_that_they_belong_to() -> None:
    owner = {point: COCO17.joints[OWNER[k]] for k, point in enumerate(BLAZEPOSE.joints)}
    assert owner["left_toe"] == owner["left_heel"] == owner["left_ankle"] == "left_ankle"
    assert owner["right_thumb"] == "right_wrist"
    assert owner["left_eye_inner"] == "left_eye"
    assert owner["left_mouth"] == owner["right_mouth"] == "nose"
    assert all(owner[joint] == joint for joint in COCO17.joints)


def test_one_person_seen_twice_is_one() -> None:
    assert distinct(people(0, 3)).points[:, 0, 0].tolist() == [BODY[0, 0]]
    assert len(distinct(people(0, 90))) == 2
    assert len(distinct(Skeletons.empty())) == 0


def test_of_two_skeletons_that_are_one_the_one_that_has_jumped_there_goes() -> None:
    both = people(0, 3)
    both.steady[0] = 0.3
    assert distinct(both).points[:, 0, 0].tolist() == [BODY[0, 0] + 3]
    both.steady[1] = 0.4
    assert distinct(both).points[:, 0, 0].tolist() == [BODY[0, 0]], "the first, where both have"


def test_people_who_walk_on_are_steady_and_those_who_jump_are_not() -> None:
    first = people(0, 200)
    second = gone_on(people(20, 200), first)
    assert second.motion.tolist() == [[20, 0], [0, 0]]
    assert second.steady[0] < 0.3
    third = gone_on(people(40, 220), second)
    assert third.motion.tolist() == [[20, 0], [20, 0]]
    np.testing.assert_allclose(third.steady, [1, second.steady[0]])
    assert len(gone_on(Skeletons.empty(), Skeletons.empty())) == 0


WRIST, ELBOW = BLAZEPOSE.index("left_wrist"), BLAZEPOSE.index("left_elbow")
FINGERS = [BLAZEPOSE.index(f"left_{part}") for part in ("pinky", "index", "thumb")]


def test_a_joint_belongs_to_the_person_who_is_surer_of_it() -> None:
    both = people(0, 90)
    both.points[:, ELBOW] = (100, 20), (140, 20)
    both.points[:, WRIST] = (119, 20), (121, 20)
    both.scores[1, WRIST] = 0.9
    claimed = distinct(both)
    assert claimed.scores[:, WRIST].tolist() == [0, 0.9]
    assert (claimed.scores[0, FINGERS] == 0).all(), "fingers go with their wrist"
    assert (np.delete(claimed.scores, [WRIST, *FINGERS], 1) == 0.8).all()


def test_renewed_people_keep_their_row_and_others_come_last() -> None:
    known, looked = people(0, 90), people(200, 93)
    both = renewed(known, looked)
    assert both.points[:, 0, 0].tolist() == (BODY[0, 0] + [0, 93, 200]).tolist()
    assert renewed(Skeletons.empty(), looked).points.tolist() == looked.points.tolist()
    assert renewed(known, Skeletons.empty()).points.tolist() == known.points.tolist()


def test_of_two_looks_at_one_person_the_first_counts() -> None:
    both = renewed(people(0), people(2, 4))
    assert both.points[:, 0, 0].tolist() == (BODY[0, 0] + [2, 4]).tolist()
    assert distinct(both).points[:, 0, 0].tolist() == [BODY[0, 0] + 2]


def test_the_best_joints_decide() -> None:
    scores = np.zeros((1, 17))
    scores[0, :6] = 0.6
    assert best_joints(scores).tolist() == [0.6]
    scores[0, 0] = 0
    np.testing.assert_allclose(best_joints(scores), [0.5])


def test_regions_reach_from_the_hips_around_the_farthest_joint() -> None:
    points, scores = np.zeros((1, 17, 2)), np.ones((1, 17))
    for side, x in (("left", 10), ("right", -10)):
        points[0, COCO17.index(f"{side}_shoulder")] = (50 + x, 20)
        points[0, COCO17.index(f"{side}_hip")] = (50 + x, 60)
        points[0, COCO17.index(f"{side}_ankle")] = (50, 160)
    points[0, points[0].sum(1) == 0] = (50, 60)
    np.testing.assert_allclose(regions_of(points, scores), [[[50, 60], [50, 60 - 105]]])
    scores[0, [COCO17.index("left_ankle"), COCO17.index("right_ankle")]] = 0
    np.testing.assert_allclose(regions_of(points, scores), [[[50, 60], [50, 60 - 1.05 * 1.75 * 40]]])
