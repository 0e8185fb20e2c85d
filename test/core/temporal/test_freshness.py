# SPDX-License-Identifier: Apache-2.0
"""A worker waits for an image that is due, and for no other."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.core.temporal.freshness import Freshness

PERIOD_S = 0.03


def known(jitter_s: float = 0.0, images: int = 40, seed: int = 0) -> Freshness:
    """After images at about PERIOD_S, the last of them at (images - 1) * PERIOD_S exactly."""
    freshness, rng = Freshness(), np.random.default_rng(seed)
    for number in range(images):
        late_s = rng.uniform(0, jitter_s) if number < images - 1 else 0.0
        freshness.came(number * PERIOD_S + late_s)
        freshness.take(had_waited=True)
    return freshness


def patience_s(freshness: Freshness, age_s: float, images: int = 40) -> float:
    return freshness.patience_s((images - 1) * PERIOD_S + age_s)


@pytest.mark.parametrize(("age", "waits"), [(0.0, 0.0), (0.5, 0.0), (0.6, 0.0), (0.7, 0.3), (0.9, 0.1), (1.1, 0.0)])
def test_an_image_waits_in_the_last_third_of_a_period(age: float, waits: float) -> None:
    assert patience_s(known(), age * PERIOD_S) == pytest.approx(waits * PERIOD_S)


def test_it_waits_a_little_longer_where_images_are_not_quite_regular() -> None:
    assert 0.1 * PERIOD_S < patience_s(known(jitter_s=0.2 * PERIOD_S), 0.9 * PERIOD_S) < 0.4 * PERIOD_S


def test_it_does_not_wait_for_images_that_come_as_they_like_or_whose_period_is_not_known() -> None:
    assert patience_s(known(jitter_s=0.95 * PERIOD_S), 0.9 * PERIOD_S) == 0
    assert patience_s(known(images=8), 0.9 * PERIOD_S, images=8) == 0
    assert patience_s(known(images=9), 0.9 * PERIOD_S, images=9) > 0
    assert Freshness().patience_s(5.0) == 0


def test_a_worker_that_has_waited_for_an_image_takes_what_comes_until_eight_have_waited_for_it() -> None:
    freshness = known()
    freshness.take(had_waited=False)
    for _ in range(7):
        freshness.take(had_waited=True)
        assert patience_s(freshness, 0.9 * PERIOD_S) == 0
    freshness.take(had_waited=True)
    assert patience_s(freshness, 0.9 * PERIOD_S) > 0


def test_a_pause_of_the_camera_is_forgotten() -> None:
    freshness = known()
    after_s = 40 * PERIOD_S + 10
    for number in range(80):
        freshness.came(after_s + number * PERIOD_S)
        if number < 20:
            assert freshness.patience_s(after_s + (number + 0.9) * PERIOD_S) == 0
    assert 0 < freshness.patience_s(after_s + 79.9 * PERIOD_S) < PERIOD_S


def means(freshness: Freshness | None, work: float, seed: int) -> tuple[float, float]:
    """Mean age, in periods, of what a worker publishes that takes ``work`` periods, and images per period."""
    rng = np.random.default_rng(seed)
    came, now, taken, ages = -1, 0.0, -1, []

    def look() -> None:
        nonlocal came
        for number in range(came + 1, int(now) + 1):
            came = number
            if freshness:
                freshness.came(number)

    while came < 2000:
        look()
        if freshness:
            freshness.take(had_waited=came > taken)
        if came == taken:
            now = taken + 1.0
        elif freshness and (patience := freshness.patience_s(now)):
            now = min(now + patience, came + 1.0)
        look()
        taken = came
        now += work * rng.lognormal(0, 0.1)
        ages.append(now - taken)
    return float(np.mean(ages)), len(ages) / now


@pytest.mark.parametrize("work", [1.1, 1.5, 1.9, 2.5])
def test_what_a_slow_worker_publishes_is_younger_and_hardly_rarer(work: float) -> None:
    age, rate = means(None, work, seed=1)
    younger, rarer = means(Freshness(), work, seed=1)
    assert younger < 0.93 * age
    assert rarer > 0.94 * rate


def test_a_worker_that_is_faster_than_the_camera_is_left_alone() -> None:
    assert means(Freshness(), 0.8, seed=1) == means(None, 0.8, seed=1)
