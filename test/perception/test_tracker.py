# SPDX-License-Identifier: Apache-2.0
"""Ids last: through noise, gaps, and people who cross."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from hmr_ros.core.people import UNTRACKED, Detections, State
from hmr_ros.core.skeleton import COCO17, JOINT_SETS, convert_keypoints
from hmr_ros.perception.tracker import Tracker, TrackerOptions, Tracks

RATE = 15.0
HEIGHT = 200.0
RNG = np.random.default_rng(0)
WALKER = RNG.uniform((-0.15, 0), (0.15, 1), (17, 2)) * HEIGHT
"""A person of 17 keypoints facing right; the mirror image faces left."""

Where = Callable[[float], float | None]
"""Time s -> x of a person px, None while hidden."""


def people(*xs: float | None, noise: float = 0.0) -> Detections:
    """People at ``xs``, walking right (even places) or left (odd ones); None: not seen."""
    kp2d = [
        WALKER * (1 if k % 2 == 0 else -1, 1) + (x, 100) + RNG.normal(0, noise, WALKER.shape)
        for k, x in enumerate(xs)
        if x is not None
    ]
    if not kp2d:
        return Detections.empty("coco17")
    points = np.stack(kp2d)
    boxes = np.concatenate([points.min(1), points.max(1)], 1)
    count = len(points)
    return Detections(boxes, np.ones(count), points, np.ones((count, 17)), "coco17", np.full(count, UNTRACKED))


def trusted(tracks: Tracks) -> Detections:
    """The seen tracks that are not tentative."""
    return tracks.people.take(tracks.states == State.TRACKED)


def ids_of_walkers(tracker: Tracker, walkers: list[Where], duration_s: float, noise: float = 0.0) -> list[list[int]]:
    """Ids that each walker got in the course of time, without repetitions."""
    ids: list[list[int]] = [[] for _ in walkers]
    for stamp in np.arange(0, duration_s, 1 / RATE):
        xs = [walker(stamp) for walker in walkers]
        order = RNG.permutation(len(xs))  # a detector promises no order
        shown = people(*xs, noise=noise)
        rows = {k: row for row, k in enumerate(k for k, x in enumerate(xs) if x is not None)}
        shuffled = np.array([rows[k] for k in order if k in rows], np.int64)
        tracked = trusted(tracker.update(shown.take(shuffled), stamp))
        for row in range(len(tracked)):
            walker = int(np.abs(shown.kp2d - tracked.kp2d[row]).sum((1, 2)).argmin())
            person = next(k for k, r in rows.items() if r == walker)
            if ids[person][-1:] != [int(tracked.ids[row])]:
                ids[person].append(int(tracked.ids[row]))
    return ids


def test_a_person_is_confirmed_after_two_images_and_keeps_the_id() -> None:
    tracker = Tracker()
    assert tracker.update(people(100), 0.0).states.tolist() == [State.TENTATIVE]
    for k in range(1, 30):
        tracks = tracker.update(people(100 + 5 * k, noise=2), k / RATE)
        assert tracks.people.ids.tolist() == [1]
        assert tracks.states.tolist() == [State.TRACKED]
        assert tracks.unseen_s.tolist() == [0]
        assert tracks.lost == ()


@pytest.mark.parametrize("rate", [5, 10, 30])
def test_a_brisk_walker_is_followed_at_low_rates_too(rate: int) -> None:
    tracker = Tracker()
    tracks = [tracker.update(people(100 + 200 * k / rate), k / rate) for k in range(6)]
    assert [t.people.ids.tolist() for t in tracks] == [[1]] * 6
    assert [t.states.tolist() for t in tracks] == [[State.TENTATIVE], *[[State.TRACKED]] * 5]


def test_single_photos_can_do_without_confirmation() -> None:
    tracks = Tracker(TrackerOptions(hits_to_confirm=1)).update(people(100, 500), 0.0)
    assert tracks.people.ids.tolist() == [1, 2]
    assert tracks.states.tolist() == [State.TRACKED] * 2


def test_a_false_detection_is_never_confirmed_and_lost_at_once() -> None:
    tracker = Tracker()
    for k in range(20):
        tracks = tracker.update(people(None if k % 2 else 100), k / RATE)
        assert tracks.states.tolist() == ([] if k % 2 else [State.TENTATIVE])
        assert tracks.lost == ((k // 2 + 1,) if k % 2 else ())


def test_a_person_coasts_and_is_lost_once_and_never_comes_back() -> None:
    tracker = Tracker(TrackerOptions(timeout_s=0.5))
    tracker.update(people(100), 0.0)
    tracker.update(people(110), 0.1)
    tracks = tracker.update(people(None), 0.55)
    assert tracks.states.tolist() == [State.COASTING]
    assert tracks.people.ids.tolist() == [1]
    assert tracks.unseen_s == pytest.approx([0.45])
    assert len(tracks.seen) == 0
    assert tracks.lost == ()
    tracks = tracker.update(people(None), 0.65)
    assert len(tracks.people) == 0
    assert tracks.lost == (1,)
    tracks = tracker.update(people(100), 0.7)
    assert tracks.people.ids.tolist() == [2]
    assert tracks.lost == ()


def test_an_unseen_track_is_predicted_at_constant_velocity() -> None:
    tracker = Tracker()
    for k in range(10):
        last = tracker.update(people(100 + 10 * k, 500), k / 10)
    tracks = tracker.update(people(None, 500), 1.2)
    assert tracks.people.ids.tolist() == [2, 1]
    assert tracks.seen.ids.tolist() == [2]
    unseen = tracks.unseen
    assert (unseen.kp2d_score == 0).all()
    assert 0 < unseen.scores[0] < last.people.scores[0]
    assert unseen.kp2d[0] == pytest.approx(last.people.kp2d[0] + (30, 0), abs=1.5)
    assert unseen.boxes[0] == pytest.approx(last.people.boxes[0] + (30, 0, 30, 0), abs=1.5)


@pytest.mark.parametrize("offset", np.linspace(0, 1 / RATE, 5))
def test_two_people_cross_while_both_are_seen(offset: float) -> None:
    walkers: list[Where] = [lambda t: 100 + 200 * (t + offset), lambda t: 700 - 200 * (t + offset)]
    ids = ids_of_walkers(Tracker(), walkers, 3.0, noise=3)
    assert sorted(ids) == [[1], [2]]


@pytest.mark.parametrize("offset", np.linspace(0, 1 / RATE, 5))
@pytest.mark.parametrize("speed", [80.0, 200.0, 400.0])
def test_two_people_cross_while_one_hides_the_other_for_half_a_second(offset: float, speed: float) -> None:
    meet = 400 / speed

    def behind(t: float) -> float | None:
        return None if abs(t + offset - meet) < 0.25 else 800 - speed * (t + offset)

    ids = ids_of_walkers(Tracker(TrackerOptions(timeout_s=0.6)), [lambda t: speed * (t + offset), behind], 2 * meet, 2)
    assert sorted(ids) == [[1], [2]]


def test_size_decides_where_positions_are_ambiguous() -> None:
    def at(near: float, far: float) -> Detections:
        points = np.stack([WALKER + (near, 100), 0.7 * WALKER + (far, 130)])
        boxes = np.concatenate([points.min(1), points.max(1)], 1)
        return Detections(boxes, np.ones(2), points, np.ones((2, 17)), "coco17", np.full(2, UNTRACKED))

    tracker = Tracker()
    for k in range(5):
        tracker.update(at(400, 430), k / RATE)
    changed = tracker.update(at(430, 400), 5 / RATE + 0.4)
    assert changed.people.ids.tolist() == [1, 2]


def test_a_standing_person_keeps_the_id_when_another_passes_in_front() -> None:
    def standing(t: float) -> float | None:
        return None if abs(t - 1.5) < 0.25 else 400.0

    ids = ids_of_walkers(Tracker(TrackerOptions(timeout_s=0.6)), [lambda t: 100 + 200 * t, standing], 3.0, 2)
    assert sorted(ids) == [[1], [2]]


@pytest.mark.parametrize(("pause_s", "same"), [(3.0, True), (3600.0, False)])
def test_a_slow_machine_knows_people_again_but_not_after_a_long_pause(pause_s: float, same: bool) -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=1))
    before = tracker.update(people(300.0), 0.0)
    after = tracker.update(people(300.0), pause_s)
    assert (after.people.ids.tolist() == before.people.ids.tolist()) is same
    assert (after.lost == ()) is same


def test_reset_forgets_people_but_not_the_count() -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=1))
    tracker.update(people(100), 5.0)
    tracker.reset()
    assert tracker.update(people(100), 0.0).people.ids.tolist() == [2]


def test_no_detections_are_a_normal_value() -> None:
    tracker = Tracker()
    for k in range(3):
        tracks = tracker.update(people(), k / RATE)
        assert len(tracks.people) == 0
        assert tracks.lost == ()


@pytest.mark.parametrize("options", [{"timeout_s": 0.0}, {"hits_to_confirm": 0}, {"min_similarity": 1.0}])
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected timeout_s"):
        TrackerOptions(**options)  # type: ignore[arg-type]


def numbered(shown: Detections, *ids: int) -> Detections:
    return dataclasses.replace(shown, ids=np.array(ids, np.int64))


KEEPING = TrackerOptions(keep_ids=True)


def test_a_kept_id_stays_through_a_gap_and_a_leap() -> None:
    tracker = Tracker(KEEPING)
    for k in range(3):
        assert tracker.update(numbered(people(100, 400), 70, 7), k / RATE).people.ids.tolist() == [70, 7]
    gone = tracker.update(numbered(people(100), 70), 0.8)
    assert dict(zip(gone.people.ids.tolist(), gone.states.tolist(), strict=True)) == {
        70: State.TRACKED,
        7: State.COASTING,
    }
    back = tracker.update(numbered(people(1500, 100), 7, 70), 1.0)
    assert back.people.ids.tolist() == [7, 70]
    assert back.states.tolist() == [State.TRACKED] * 2
    assert back.lost == ()


def test_kept_ids_that_change_places_are_believed() -> None:
    tracker = Tracker(KEEPING)
    tracker.update(numbered(people(100, 400), 1, 2), 0.0)
    assert tracker.update(numbered(people(100, 400), 2, 1), 0.1).people.ids.tolist() == [2, 1]


def test_a_kept_id_stays_after_a_long_pause_and_comes_back_after_it_was_lost() -> None:
    tracker = Tracker(KEEPING)
    for stamp in (0.0, 0.1, 60.0):
        tracks = tracker.update(numbered(people(100), 9), stamp)
        assert (tracks.people.ids.tolist(), tracks.lost) == ([9], ())
    assert tracker.update(people(), 62.0).lost == (9,)
    back = tracker.update(numbered(people(100), 9), 62.1)
    assert (back.people.ids.tolist(), back.states.tolist()) == ([9], [State.TENTATIVE])


def test_without_an_id_a_person_is_followed_by_position() -> None:
    tracker = Tracker(KEEPING)
    for k in range(3):
        tracker.update(numbered(people(100, 400), 5, UNTRACKED), k / RATE)
    tracks = tracker.update(numbered(people(400, 100), UNTRACKED, UNTRACKED), 3 / RATE)
    assert tracks.people.ids.tolist() == [1, 5]


def test_an_id_that_comes_later_takes_the_place_of_ours() -> None:
    tracker = Tracker(KEEPING)
    tracker.update(people(100), 0.0)
    tracks = tracker.update(numbered(people(102), 30), 0.1)
    assert (tracks.people.ids.tolist(), tracks.lost) == ([30], (1,))
    assert tracks.states.tolist() == [State.TRACKED], "it is the same track"


def test_another_kept_id_in_ones_place_is_another_person() -> None:
    tracker = Tracker(KEEPING)
    for k in range(3):
        tracker.update(numbered(people(100), 30), k / RATE)
    tracks = tracker.update(numbered(people(100), 31), 3 / RATE)
    assert tracks.people.ids.tolist() == [31, 30]
    assert tracks.lost == ()


def test_ids_of_ours_avoid_those_that_are_kept() -> None:
    tracker = Tracker(KEEPING)
    tracks = tracker.update(numbered(people(100, 400, 800), 1, UNTRACKED, UNTRACKED), 0.0)
    assert tracks.people.ids.tolist() == [1, 2, 3]


def test_one_id_twice_is_refused_where_ids_are_kept() -> None:
    twice = numbered(people(100, 400), 4, 4)
    with pytest.raises(ValueError, match=r"two are the same: \[4, 4\]"):
        Tracker(KEEPING).update(twice, 0.0)
    assert Tracker().update(twice, 0.0).people.ids.tolist() == [1, 2], "ids are ours by default"


def test_a_change_of_the_joint_set_ends_no_track() -> None:
    tracker = Tracker()
    for k, joint_set in enumerate(("coco17", "blazepose", "blazepose", "coco17")):
        shown = people(100 + k)
        kp2d, scores = convert_keypoints(shown.kp2d, shown.kp2d_score, COCO17, JOINT_SETS[joint_set])
        shown = dataclasses.replace(shown, kp2d=kp2d, kp2d_score=scores, joint_set=joint_set)
        tracks = tracker.update(shown, k / RATE)
        assert tracks.people.ids.tolist() == [1]
    gone = tracker.update(Detections.empty("blazepose"), 0.5)
    assert gone.people.kp2d.shape == (1, 33, 2)


def test_a_person_without_keypoints_is_followed_by_the_box() -> None:
    tracker = Tracker()
    for k in range(8):
        x = 100.0 + 35 * k
        tracks = tracker.update(Detections.of_boxes(np.array([[x, 100, x + 60, 300]])), k / 10)
        assert tracks.people.ids.tolist() == [1]
    expected = tracker.update(Detections.empty("coco17"), 0.9).people.boxes[0]
    np.testing.assert_allclose(expected, [415, 100, 475, 300], atol=12)
