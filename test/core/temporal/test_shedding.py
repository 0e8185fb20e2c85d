# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.temporal.shedding import Costs, Shed, Shedder

RATE_HZ = 30
AGE_S = 0.003
FULL = Costs(detect_s=0.030, estimate_s=0.020, views_s=0.005, rest_s=0.002)
SECOND_S, SEARCH_S = 0.008, 0.010


def costs(level, slowness=1.0):
    """What an image takes on a machine that is so much slower."""
    return Costs(
        detect_s=slowness * (FULL.detect_s - SEARCH_S * (level >= Shed.SEARCHES)),
        estimate_s=slowness * (FULL.estimate_s - SECOND_S * (level >= Shed.SECOND_METHOD)),
        views_s=slowness * (FULL.views_s * (level < Shed.VIEWS)),
        rest_s=slowness * FULL.rest_s,
    )


def total_s(cost):
    return cost.detect_s + cost.estimate_s + cost.views_s + cost.rest_s


class Run:
    """Images at RATE_HZ through a shedder; what came of each."""

    def __init__(self, limit_s):
        self.shedder = Shedder()
        self.limit_s = limit_s
        self.stamp_s = 1000.0
        self.levels, self.admitted, self.latency_s = [], [], []

    def images(self, seconds, slowness=1.0, age_s=AGE_S):
        self.levels, self.admitted, self.latency_s = [], [], []
        for _ in range(round(seconds * RATE_HZ)):
            self.stamp_s += 1 / RATE_HZ
            admission = self.shedder.admit(self.stamp_s, age_s, self.limit_s)
            self.admitted.append(admission.is_admitted)
            if admission.is_admitted:
                cost = costs(admission.shed, slowness)
                self.levels.append(admission.shed)
                self.latency_s.append(age_s + total_s(cost))
                self.shedder.observe(self.stamp_s, admission.shed, cost)
        return self


def test_nothing_is_shed_without_a_limit():
    run = Run(limit_s=0).images(3, slowness=100)
    assert all(run.admitted)
    assert set(run.levels) == {Shed.NOTHING}


def test_nothing_is_shed_while_there_is_time():
    assert set(Run(limit_s=0.065).images(3).levels) == {Shed.NOTHING}


@pytest.mark.parametrize(("limit_ms", "level"), [(58, Shed.VIEWS), (50, Shed.SECOND_METHOD), (43, Shed.SEARCHES)])
def test_as_much_is_shed_as_is_needed_in_the_stated_order(limit_ms, level):
    run = Run(limit_s=limit_ms * 1e-3).images(4)
    assert all(run.admitted)
    assert run.levels[-1] == level
    assert run.levels[:-1] == sorted(run.levels[:-1]), "up the levels, never back as there is no room"
    assert max(run.latency_s[5:]) <= run.limit_s


def test_what_cannot_be_in_time_is_dropped_but_for_a_probe_per_second():
    run = Run(limit_s=0.030).images(10)
    assert set(run.levels[3:]) == {Shed.SEARCHES}
    assert sum(run.admitted[30:]) == pytest.approx(18, abs=2), "two images each"


def test_a_probe_that_was_not_needed_is_not_made_up_for_later():
    shedder = Shedder()

    def admits(stamp_s, age_s):
        admission = shedder.admit(stamp_s, age_s, limit_s=0.1)
        if admission.is_admitted:
            shedder.observe(stamp_s, admission.shed, costs(admission.shed))
        return admission.is_admitted

    assert admits(0.0, age_s=0.0)
    assert [admits(stamp_s, age_s=0.2) for stamp_s in (0.5, 1.1)] == [False, True], "the first of a probe"
    assert admits(1.2, age_s=0.0), "the next is in time"
    assert not admits(1.3, age_s=0.2)


def test_finding_people_again_after_a_pause_does_not_count_as_following_them():
    shedder, last_s, admitted = Shedder(), float("-inf"), []
    for stamp_s in np.arange(0.0, 10.0, 1 / RATE_HZ):
        admission = shedder.admit(stamp_s, AGE_S, limit_s=0.050)
        admitted.append(admission.is_admitted)
        if admission.is_admitted:
            is_slow = stamp_s < 3 or stamp_s - last_s > 0.3  # others need the machine; people are found again
            shedder.observe(stamp_s, admission.shed, costs(admission.shed, slowness=5.0 if is_slow else 1.0))
            last_s = stamp_s
    assert not all(admitted[: 3 * RATE_HZ])
    assert all(admitted[5 * RATE_HZ :])


def test_an_old_image_is_dropped_and_the_next_one_is_not():
    run = Run(limit_s=0.043).images(4)
    assert not any(run.images(0.1, age_s=0.020).admitted)
    assert all(run.images(1).admitted)


def test_work_comes_back_when_the_machine_is_fast_again():
    run = Run(limit_s=0.080).images(3)
    assert set(run.levels) == {Shed.NOTHING}
    assert run.images(3, slowness=1.7).levels[-1] == Shed.SEARCHES
    run.images(60)
    assert run.levels[-1] == Shed.NOTHING
    assert run.levels == sorted(run.levels, reverse=True), "one after the other, without flapping"
    changes = np.flatnonzero(np.diff(run.levels))
    assert np.diff(changes).min() >= RATE_HZ - 1, "a second or more apart"


def test_images_come_back_after_all_were_dropped():
    run = Run(limit_s=0.080).images(3, slowness=10)
    assert sum(run.admitted) < 10
    run.images(5)
    assert all(run.admitted[-3 * RATE_HZ :])


def test_shed_work_is_not_tried_while_there_is_no_room_even_without_it():
    run = Run(limit_s=0.050).images(60)
    assert set(run.levels[5:]) == {Shed.SECOND_METHOD}


def test_shed_work_that_does_not_fit_is_tried_now_and_then():
    """Views that take half the time: once they are shed there is room, but not for them. What they took is known, and
    only slowly forgotten.
    """
    shedder, latency_s = Shedder(), []
    for k in range(60 * RATE_HZ):
        admission = shedder.admit(k / RATE_HZ, AGE_S, 0.050)
        assert admission.is_admitted
        views_s = 0.030 * (admission.shed < Shed.VIEWS)
        shedder.observe(k / RATE_HZ, admission.shed, Costs(0.010, 0.010, views_s, 0.002))
        latency_s.append(AGE_S + 0.022 + views_s)
    late = np.flatnonzero(np.array(latency_s) > 0.050)
    assert 3 <= len(late) <= 15
    assert np.diff(late).min() > 5 * RATE_HZ, "one at a time"


def test_a_clock_that_jumps_back_stops_nothing():
    run = Run(limit_s=0.050).images(3)
    run.stamp_s -= 500
    run.images(3)
    assert all(run.admitted)
    run.limit_s = 0.2
    assert run.images(60).levels[-1] == Shed.NOTHING


def test_the_expected_age_of_an_image_is_its_age_and_the_work_not_shed():
    shedder = Shedder()
    for k in range(100):  # constant costs: no deviation
        shedder.observe(k / RATE_HZ, Shed.NOTHING, FULL)
    assert shedder.admit(4.0, AGE_S, limit_s=1.0).expected_s == pytest.approx(AGE_S + total_s(FULL))
    late = shedder.admit(4.1, 0.2, limit_s=0.06)
    assert (late.is_admitted, late.shed) == (False, Shed.SEARCHES)
    assert late.expected_s == pytest.approx(0.2 + FULL.rest_s)


def test_images_come_back_after_a_clock_jumped_back_while_all_were_dropped():
    run = Run(limit_s=0.080).images(3, slowness=10)
    run.stamp_s -= 500
    run.images(1)
    assert sum(run.admitted) > 0, "the next probe is not 500 s away"
    run.images(3)
    assert all(run.admitted[-RATE_HZ:])


def test_work_comes_back_after_a_clock_jumped_back():
    run = Run(limit_s=0.080).images(3)
    assert run.images(3, slowness=1.7).levels[-1] == Shed.SEARCHES
    assert run.images(1.5).levels[-1] > Shed.NOTHING, "there is room, but not for long yet"
    run.stamp_s -= 500
    run.images(60)
    assert run.levels[-1] == Shed.NOTHING


def test_a_clock_that_jumps_back_makes_no_work_seem_longer():
    """What shed views would take is forgotten with time. Were time negative, they would seem to take ever longer."""
    run = Run(limit_s=0.050).images(10)
    run.stamp_s -= 30
    run.images(10)
    run.limit_s = 0.080
    assert run.images(10).levels[-1] == Shed.NOTHING


def test_levels_say_what_they_leave_out():
    assert [str(level) for level in Shed] == [
        "nothing",
        "views",
        "views, second method",
        "views, second method, searches",
    ]


def taught(publish_s=0.004, views_s=0.010):
    """A shedder that knows how long publishing takes."""
    shedder = Shedder()
    shedder.observe(1000.0, Shed.NOTHING, Costs(0.03, 0.02, views_s, 0.006, publish_s))
    return shedder


@pytest.mark.parametrize(
    ("age_s", "is_admitted", "shed"),
    [(0.085, True, Shed.NOTHING), (0.087, True, Shed.VIEWS), (0.095, True, Shed.VIEWS), (0.097, False, Shed.VIEWS)],
)
def test_bodies_that_took_longer_than_expected_go_without_views_or_not_at_all(age_s, is_admitted, shed):
    admission = taught().publishable(age_s, Shed.NOTHING, 0.1)
    assert (admission.is_admitted, admission.shed) == (is_admitted, shed)
    assert admission.expected_s == pytest.approx(age_s + 0.004)


def test_nothing_is_too_late_without_a_limit_and_nothing_shed_comes_back():
    assert taught().publishable(9.0, Shed.NOTHING, 0.0).is_admitted
    assert taught().publishable(9.0, Shed.NOTHING, 0.0).shed is Shed.NOTHING
    assert taught().publishable(0.0, Shed.SEARCHES, 0.1).shed is Shed.SEARCHES
    assert taught().publishable(0.2, Shed.SEARCHES, 0.1).shed is Shed.SEARCHES


def test_publishing_that_was_slow_once_keeps_images_back_for_a_while_only():
    shedder, stamp_s = taught(publish_s=0.5), 1000.0
    kept_back = 0
    while not shedder.publishable(0.05, Shed.NOTHING, 0.1).is_admitted:
        stamp_s, kept_back = stamp_s + 0.1, kept_back + 1
        shedder.observe_unpublished(stamp_s, Shed.NOTHING, 0.03, 0.02)
        assert kept_back < 20
    assert kept_back > 5


def test_the_cost_of_unpublished_images_counts_for_those_after_them():
    shedder = taught()
    before_s = shedder.admit(1000.1, 0.0, 0.5).expected_s
    for image in range(20):
        shedder.observe_unpublished(1000.2 + image, Shed.NOTHING, 0.13, 0.12)
    assert shedder.admit(1030.0, 0.0, 0.5).expected_s > before_s + 0.15


def test_the_limit_is_kept_while_durations_vary_as_on_a_busy_machine():
    """A camera at 30 Hz; the machine's slowness is log-normal, at times much larger, and lasts for some images."""
    rng, shedder, limit_s = np.random.default_rng(0), Shedder(), 0.1
    now_s, slowness, in_time = 0.0, 0.0, []
    while now_s < 60:
        stamp_s = np.floor((now_s - AGE_S) * RATE_HZ) / RATE_HZ
        next_s = stamp_s + 1 / RATE_HZ + 2 * AGE_S
        admission = shedder.admit(stamp_s, now_s - stamp_s, limit_s)
        if not admission.is_admitted:
            now_s = next_s
            continue
        slowness = 0.8 * slowness + 0.6 * rng.normal()
        factor = 1.1 * np.exp(0.6 * slowness) * (1 + 2 * rng.pareto(2.0) * (rng.random() < 0.1))
        cost = dataclasses.replace(costs(admission.shed, factor), publish_s=0.001 * factor)
        now_s += total_s(cost) - cost.views_s - cost.publish_s
        last = shedder.publishable(now_s - stamp_s, admission.shed, limit_s)
        if last.is_admitted:
            now_s += cost.publish_s
            in_time.append(now_s - stamp_s <= limit_s)
            now_s += cost.views_s * (last.shed < Shed.VIEWS)
            shedder.observe(stamp_s, last.shed, cost)
        else:
            shedder.observe_unpublished(stamp_s, admission.shed, cost.detect_s, cost.estimate_s)
        now_s = max(now_s, next_s)
    assert np.mean(in_time) >= 0.98
    assert len(in_time) > 400
