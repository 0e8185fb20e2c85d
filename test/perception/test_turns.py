# SPDX-License-Identifier: Apache-2.0
"""Who is skipped: people who surely hardly move and stand apart, in two of three images at most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.people import UNTRACKED, Detections, State
from hmr_ros.core.skeleton import COCO17
from hmr_ros.perception.tracks import Tracks
from hmr_ros.perception.turns import LONGEST_S, PERIOD, STILL, Turns, torsos

RATE_HZ = 20.0
TORSO = 100.0
BODY = np.random.default_rng(0).uniform((-40, -150), (40, 150), (17, 2))
for name, at in (("left_shoulder", (20, -100)), ("right_shoulder", (-20, -100)), ("left_hip", (15, 0))):
    BODY[COCO17.index(name)] = at
BODY[COCO17.index("right_hip")] = (-15, 0)

Moved = Callable[[float], Floats]
"""Time s -> (P, 2) px: where the people are."""


def apart(count: int, gap: float = 300.0) -> Floats:
    return np.stack([100 + gap * np.arange(count), np.full(count, 200.0)], 1)


def seen(places: Floats, *, score: float = 0.9, keypoint_score: float = 0.9) -> Detections:
    kp2d = BODY + places[:, None]
    boxes = np.concatenate([kp2d.min(1), kp2d.max(1)], 1)
    people = len(places)
    scores = np.full(people, score), kp2d, np.full((people, 17), keypoint_score)
    return Detections(boxes, *scores, "coco17", np.arange(people) + 1)


def skipped(moved: Moved, images: int = 30, **scores: float) -> Bools:
    """(images, P) whom turns leave out of each of ``images``, when a detector and a tracker do as they say."""
    turns, out = Turns(), []
    skip, last_s = np.zeros(len(moved(0)), np.bool_), np.zeros(len(moved(0)))
    for image in range(images):
        stamp_s = image / RATE_HZ
        last_s = np.where(skip, last_s, stamp_s)
        out.append(skip)
        tracks = Tracks(seen(moved(stamp_s), **scores), np.full(len(skip), State.TRACKED), stamp_s - last_s)
        skip = turns(tracks, stamp_s)
    return np.stack(out)


def test_people_who_stand_are_looked_at_in_every_third_image_each() -> None:
    at_work = skipped(lambda _: apart(6))[14:]
    assert ((~at_work).sum(1) == 6 / PERIOD).all()
    for start in range(len(at_work) - PERIOD):
        assert (~at_work[start : start + PERIOD]).any(0).all()


def test_eight_people_who_stand_are_never_looked_at_all_together() -> None:
    at_work = skipped(lambda _: apart(8))[14:]
    assert set((~at_work).sum(1).tolist()) == {2, 3}


def test_movement_has_to_be_known_for_a_while() -> None:
    assert not skipped(lambda _: apart(4))[:10].any()


def test_who_stops_for_a_moment_is_not_skipped() -> None:
    def moved(stamp_s: float) -> Floats:
        return apart(2, 900) + [[0, 0], [24 * np.sin(np.pi * stamp_s), 0]]

    at_work = skipped(moved, images=100)
    assert at_work.any(0).tolist() == [True, False]


def test_a_lone_person_is_never_skipped() -> None:
    assert not skipped(lambda _: apart(1)).any()


@pytest.mark.parametrize(("speed", "is_skipped"), [(0.7 * STILL, True), (1.4 * STILL, False)])
def test_people_who_move_faster_than_a_part_of_a_torso_per_second_are_not_skipped(
    speed: float, is_skipped: bool
) -> None:
    def moved(stamp_s: float) -> Floats:
        return apart(2, 900) + [[0, 0], [speed * TORSO * stamp_s, 0]]

    assert skipped(moved)[20:, 1].any() == is_skipped
    assert skipped(moved)[20:, 0].any()


def test_noise_is_no_movement() -> None:
    rng = np.random.default_rng(1)
    assert skipped(lambda _: apart(3) + rng.normal(0, 0.01 * TORSO, (3, 2)))[14:].mean() > 0.5


@pytest.mark.parametrize("scores", [{"score": 0.5}, {"keypoint_score": 0.4}])
def test_people_who_are_not_sure_are_not_skipped(scores: dict[str, float]) -> None:
    assert not skipped(lambda _: apart(3), **scores).any()


def test_who_is_covered_in_part_is_not_skipped() -> None:
    assert not skipped(lambda _: apart(2, gap=30)).any()


def test_who_stands_beside_a_walker_is_not_skipped() -> None:
    def moved(stamp_s: float) -> Floats:
        walker = apart(3) + [[0, 0], [0, 0], [-190, 0]]
        walker[2, 1] += 50 * np.sin(20 * stamp_s)
        return walker

    at_work = skipped(moved)[14:]
    assert at_work.any(0).tolist() == [True, False, False]


def test_no_one_is_skipped_whose_last_look_is_old() -> None:
    turns, people = Turns(), seen(apart(3))
    for stamp_s, unseen_s in ((0.0, 0.0), (0.3, 0.0), (0.6, 0.0)):
        skip = turns(Tracks(people, np.full(3, State.TRACKED), np.full(3, unseen_s)), stamp_s)
    assert skip.sum() == 2
    late_s = 0.6 + LONGEST_S + 0.01
    assert not turns(Tracks(people, np.full(3, State.TRACKED), np.full(3, LONGEST_S)), late_s).any()


def test_tentative_people_are_not_skipped_and_coasting_ones_have_no_row() -> None:
    turns, people = Turns(), seen(apart(4))
    states = np.array([State.TRACKED, State.TENTATIVE, State.TRACKED, State.COASTING])
    for stamp_s in (0.0, 0.2, 0.4, 0.6):
        skip = turns(Tracks(people, states, np.array([0, 0, 0, 0.1])), stamp_s)
    assert len(skip) == 3
    assert not skip[1]


def test_after_a_reset_movement_is_not_known() -> None:
    turns, tracks = Turns(), Tracks(seen(apart(3)), np.full(3, State.TRACKED), np.zeros(3))
    assert turns(tracks, 0.0).sum() == 0
    assert turns(tracks, 0.6).any()
    turns.reset()
    assert not turns(tracks, 0.7).any()


def test_no_people_are_no_turns() -> None:
    empty = Tracks(Detections.empty("coco17"), np.zeros(0, np.uint8), np.zeros(0))
    assert Turns()(empty, 1.0).shape == (0,)


def test_a_torso_reaches_from_shoulders_to_hips_or_is_as_wide_as_the_shoulders() -> None:
    people = seen(apart(2))
    assert torsos(people) == pytest.approx([TORSO, TORSO])
    people.kp2d[0, COCO17.index("left_shoulder")] = people.kp2d[0, COCO17.index("right_shoulder")] + (300, 0)
    assert torsos(people)[0] == pytest.approx(300)


def test_a_person_who_is_not_tracked_yet_has_a_row() -> None:
    people = seen(apart(2))
    people.ids[:] = UNTRACKED
    assert len(Turns()(Tracks(people, np.full(2, State.TENTATIVE), np.zeros(2)), 0.0)) == 2
