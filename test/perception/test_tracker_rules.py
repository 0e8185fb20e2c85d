# SPDX-License-Identifier: Apache-2.0
"""The rules by which the tracker takes a person for the same: position, size, time unseen, keypoints that count."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import UNTRACKED, Detections, State
from hmr_ros.perception.tracker import Tracker, TrackerOptions

JOINTS = 17
WIDTH, HEIGHT = 60.0, 200.0
BODY = np.random.default_rng(0).uniform((-WIDTH / 2, -HEIGHT / 2), (WIDTH / 2, HEIGHT / 2), (JOINTS, 2))
"""Keypoints of a person about the middle of the body, px."""
CENTRE = np.array([500.0, 300.0])
AT_ONCE = TrackerOptions(hits_to_confirm=1)


def person(x: float = 0.0, y: float = 0.0, size: float = 1.0) -> NDArray[np.float64]:
    """(J, 2) px: keypoints of a person so far from CENTRE and so much larger."""
    return CENTRE + (x, y) + size * BODY


def seen(*points: NDArray[np.float64], score: NDArray[np.float64] | None = None) -> Detections:
    """Detections of keypoints (J, 2) px each, all with the keypoint scores ``score`` (J,); None: 1."""
    kp2d = np.array(points).reshape(-1, JOINTS, 2)
    counted = np.ones(JOINTS) if score is None else score
    shown = kp2d[:, counted > 0]
    boxes = np.concatenate([shown.min(1), shown.max(1)], 1)
    count = len(kp2d)
    scores = np.tile(counted, (count, 1))
    return Detections(boxes, np.ones(count), kp2d, scores, "coco17", np.full(count, UNTRACKED))


def hidden() -> Detections:
    return Detections.empty("coco17")


def id_of(row: int, now: Detections, after_s: float, options: TrackerOptions = AT_ONCE) -> int:
    """The id that row ``row`` of ``now`` gets, ``after_s`` after person 1 stood at CENTRE."""
    tracker = Tracker(options)
    tracker.update(seen(person()), 0.0)
    return int(tracker.update(now, after_s).people.ids[row])


def test_a_person_who_came_nearer_while_hidden_is_known_beside_one_of_the_old_size() -> None:
    now = seen(person(size=1.35), person(200))
    assert id_of(0, now, after_s=1.0) == 1
    assert id_of(1, now, after_s=1.0) == 2


def test_after_a_second_unseen_a_farther_person_of_the_same_size_is_likelier_than_a_much_larger_one() -> None:
    now = seen(person(size=1.6), person(100))
    assert id_of(0, now, after_s=1.0) == 2
    assert id_of(1, now, after_s=1.0) == 1


@pytest.mark.parametrize(("after_s", "same"), [(0.03, False), (0.5, True)])
def test_the_farther_a_person_may_have_gone_the_farther_away_one_is_looked_for(after_s: float, same: bool) -> None:
    assert (id_of(0, seen(person(80)), after_s) == 1) is same


@pytest.mark.parametrize(("min_similarity", "same"), [(0.3, True), (0.9, False)])
def test_a_person_less_alike_than_the_threshold_is_another(min_similarity: float, same: bool) -> None:
    options = TrackerOptions(hits_to_confirm=1, min_similarity=min_similarity)
    assert (id_of(0, seen(person(12)), 0.03, options) == 1) is same


def test_a_person_elsewhere_of_the_same_size_is_another() -> None:
    assert id_of(0, seen(person(400)), after_s=0.1) == 2


def test_a_longer_timeout_is_kept_through_a_pause_of_the_images() -> None:
    assert id_of(0, seen(person()), 20.0, TrackerOptions(hits_to_confirm=1, timeout_s=30.0)) == 1
    assert id_of(0, seen(person()), 20.0, TrackerOptions(hits_to_confirm=1, timeout_s=5.0)) == 2


@pytest.mark.parametrize("hits", [1, 2, 4])
def test_a_person_is_trusted_after_as_many_images_as_asked_for(hits: int) -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=hits))
    states = [tracker.update(seen(person()), k / 30).states[0] for k in range(5)]
    assert states == [State.TENTATIVE] * (hits - 1) + [State.TRACKED] * (6 - hits)


def test_keypoints_without_a_score_neither_hide_nor_move_a_person() -> None:
    score = (np.arange(JOINTS) % 2).astype(float)
    tracker = Tracker(AT_ONCE)
    for k in range(20):
        walker = person(3.0 * k)
        walker[score == 0] = np.random.default_rng(k).uniform(0, 2000, (9, 2))
        tracks = tracker.update(seen(walker, score=score), k / 30)
        assert tracks.people.ids.tolist() == [1]
    expected = tracker.update(hidden(), 19 / 30 + 0.2).unseen.kp2d[0, score > 0]
    np.testing.assert_allclose(expected, person(3 * 19 + 90 * 0.2)[score > 0], atol=3)


def test_a_standing_person_is_expected_where_seen_last() -> None:
    tracker = Tracker(AT_ONCE)
    for k in range(10):
        tracker.update(seen(person()), k / 30)
    np.testing.assert_allclose(tracker.update(hidden(), 0.8).unseen.kp2d[0], person(), atol=1e-6)


def test_belief_in_a_hidden_person_falls_steadily_and_returns_with_the_person() -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=1, timeout_s=2.0))
    tracker.update(seen(person()), 0.0)
    scores = [float(tracker.update(hidden(), 0.4 * k).people.scores[0]) for k in range(1, 4)]
    assert 1 > scores[0] > scores[1] > scores[2] > 0
    assert scores[1] / scores[0] == pytest.approx(scores[2] / scores[1])
    assert tracker.update(seen(person()), 1.6).people.scores[0] == 1


def test_ids_come_from_the_given_source() -> None:
    tracker = Tracker(AT_ONCE, iter([7, 11]))
    assert tracker.update(seen(person(), person(400)), 0.0).people.ids.tolist() == [7, 11]


def test_everyone_hidden_for_too_long_is_given_up_at_once() -> None:
    tracker = Tracker(AT_ONCE)
    tracker.update(seen(person(), person(400)), 0.0)
    assert tracker.update(hidden(), 0.9).people.ids.tolist() == [1, 2]
    assert tracker.update(hidden(), 1.1).people.ids.tolist() == []
    assert tracker.update(seen(person(), person(400)), 1.2).people.ids.tolist() == [3, 4]


def test_options_are_by_default_those_of_the_settings() -> None:
    assert TrackerOptions().timeout_s == PerceptionSettings().track_timeout_s


@pytest.mark.parametrize(("unseen_s", "coasting"), [(1.0, 1), (1.01, 0)])
def test_a_track_unseen_for_just_the_timeout_is_kept(unseen_s: float, coasting: int) -> None:
    tracker = Tracker(AT_ONCE)
    tracker.update(seen(person()), 0.0)
    tracks = tracker.update(hidden(), unseen_s)
    assert len(tracks.unseen) == coasting
    assert tracks.lost == ((1,) if not coasting else ())
    assert tracks.unseen_s.tolist() == [unseen_s] * coasting


@pytest.mark.parametrize(("pause_s", "same"), [(10.0, True), (10.1, False)])
def test_tracks_go_on_after_ten_seconds_without_an_image_and_not_after_more(pause_s: float, same: bool) -> None:
    assert (id_of(0, seen(person()), pause_s) == 1) is same


def test_belief_in_a_hidden_person_is_a_third_after_a_second() -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=1, timeout_s=2.0))
    tracker.update(seen(person()), 0.0)
    assert tracker.update(hidden(), 1.0).people.scores[0] == pytest.approx(1 / np.e)


def test_half_of_a_new_velocity_is_believed_after_a_fifth_of_a_second() -> None:
    """0.3 ln 2 = 0.208 s: from standing to 48 px/s, of which 24 are believed. The box moves like the keypoints."""
    tracker, step_s = Tracker(AT_ONCE), 0.3 * np.log(2)
    tracker.update(seen(person()), 0.0)
    tracker.update(seen(person(48 * step_s, 24 * step_s)), step_s)
    tracker.update(seen(person(48 * step_s, 24 * step_s)), step_s)  # an equal stamp says nothing of velocity
    moved = tracker.update(hidden(), step_s + 0.5).unseen
    expected = seen(person(48 * step_s + 12, 24 * step_s + 6))
    np.testing.assert_allclose(moved.kp2d, expected.kp2d)
    np.testing.assert_allclose(moved.boxes, expected.boxes)
    assert (moved.kp2d_score == 0).all()


def test_a_tentative_person_not_seen_again_is_lost_before_others() -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=2))
    tracker.update(seen(person()), 0.0)
    tracks = tracker.update(seen(person(), person(400)), 0.1)
    assert tracks.states.tolist() == [State.TRACKED, State.TENTATIVE]
    tracks = tracker.update(hidden(), 0.2)
    assert tracks.lost == (2,)
    assert tracks.states.tolist() == [State.COASTING]
    assert tracks.seen.ids.tolist() == []


def test_the_settings_change_the_timeout_alone() -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=3, min_similarity=0.5))
    tracker.configure(PerceptionSettings(track_timeout_s=4.0))
    assert tracker.options == TrackerOptions(4.0, 3, 0.5)


@pytest.mark.parametrize(
    "wrong", [{"timeout_s": 0.0}, {"hits_to_confirm": 0}, {"min_similarity": 0.0}, {"min_similarity": 1.0}]
)
def test_options_at_their_limits_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected timeout_s > 0"):
        TrackerOptions(**wrong)  # type: ignore[arg-type]
