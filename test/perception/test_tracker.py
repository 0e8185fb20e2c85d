"""Ids last: through noise, gaps, and people who cross."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.perception.tracker import Tracker, TrackerOptions

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


def ids_of_walkers(tracker: Tracker, walkers: list[Where], duration_s: float, noise: float = 0.0) -> list[list[int]]:
    """Ids that each walker got in the course of time, without repetitions."""
    ids: list[list[int]] = [[] for _ in walkers]
    for stamp in np.arange(0, duration_s, 1 / RATE):
        xs = [walker(stamp) for walker in walkers]
        order = RNG.permutation(len(xs))  # a detector promises no order
        shown = people(*xs, noise=noise)
        rows = {k: row for row, k in enumerate(k for k, x in enumerate(xs) if x is not None)}
        shuffled = np.array([rows[k] for k in order if k in rows], np.int64)
        tracked = tracker.update(shown.take(shuffled), stamp)
        for row in range(len(tracked)):
            walker = int(np.abs(shown.kp2d - tracked.kp2d[row]).sum((1, 2)).argmin())
            who = next(k for k, r in rows.items() if r == walker)
            if ids[who][-1:] != [int(tracked.ids[row])]:
                ids[who].append(int(tracked.ids[row]))
    return ids


def test_a_person_gets_an_id_after_two_images_and_keeps_it() -> None:
    tracker = Tracker()
    assert len(tracker.update(people(100), 0.0)) == 0
    for k in range(1, 30):
        tracked = tracker.update(people(100 + 5 * k, noise=2), k / RATE)
        assert tracked.ids.tolist() == [1]
        assert tracker.lost == ()
        assert tracker.coasting == ()


@pytest.mark.parametrize("rate", [5, 10, 30])
def test_a_brisk_walker_is_followed_at_low_rates_too(rate: int) -> None:
    tracker = Tracker()
    ids = [tracker.update(people(100 + 200 * k / rate), k / rate).ids.tolist() for k in range(6)]
    assert ids == [[], *[[1]] * 5]


def test_single_photos_can_do_without_confirmation() -> None:
    assert Tracker(TrackerOptions(hits_to_confirm=1)).update(people(100, 500), 0.0).ids.tolist() == [1, 2]


def test_a_flash_never_gets_an_id() -> None:
    tracker = Tracker()
    for k in range(20):
        assert len(tracker.update(people(100 if k % 2 else None), k / RATE)) == 0
        assert tracker.lost == ()


def test_a_lost_person_is_reported_once_and_never_comes_back() -> None:
    tracker = Tracker(TrackerOptions(timeout_s=0.5))
    tracker.update(people(100), 0.0)
    tracker.update(people(100), 0.1)
    assert tracker.coasting == ()
    tracker.update(people(None), 0.55)
    assert (tracker.lost, tracker.coasting) == ((), (1,))
    tracker.update(people(None), 0.65)
    assert (tracker.lost, tracker.coasting) == ((1,), ())
    tracker.update(people(100), 0.7)
    assert tracker.lost == ()
    assert tracker.update(people(100), 0.8).ids.tolist() == [2]


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


def test_a_standing_person_keeps_the_id_when_another_passes_in_front() -> None:
    def standing(t: float) -> float | None:
        return None if abs(t - 1.5) < 0.25 else 400.0

    ids = ids_of_walkers(Tracker(TrackerOptions(timeout_s=0.6)), [lambda t: 100 + 200 * t, standing], 3.0, 2)
    assert sorted(ids) == [[1], [2]]


def test_reset_forgets_people_but_not_the_count() -> None:
    tracker = Tracker(TrackerOptions(hits_to_confirm=1))
    tracker.update(people(100), 5.0)
    tracker.reset()
    assert tracker.update(people(100), 0.0).ids.tolist() == [2]


def test_nobody_is_a_normal_value() -> None:
    tracker = Tracker()
    for k in range(3):
        assert len(tracker.update(people(), k / RATE)) == 0
    assert tracker.lost == ()


@pytest.mark.parametrize("options", [{"timeout_s": 0.0}, {"hits_to_confirm": 0}, {"min_similarity": 1.0}])
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected timeout_s"):
        TrackerOptions(**options)  # type: ignore[arg-type]
