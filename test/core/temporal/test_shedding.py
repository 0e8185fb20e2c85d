# SPDX-License-Identifier: Apache-2.0
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
            admitted = self.shedder.admit(self.stamp_s, age_s, self.limit_s)
            self.admitted.append(admitted)
            if admitted:
                cost = costs(self.shedder.level, slowness)
                self.levels.append(self.shedder.level)
                self.latency_s.append(age_s + total_s(cost))
                self.shedder.observe(self.stamp_s, cost)
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


def test_finding_people_anew_after_a_pause_is_not_taken_for_what_following_them_takes():
    shedder, last_s, admitted = Shedder(), float("-inf"), []
    for stamp_s in np.arange(0.0, 10.0, 1 / RATE_HZ):
        admitted.append(shedder.admit(stamp_s, AGE_S, limit_s=0.050))
        if admitted[-1]:
            is_slow = stamp_s < 3 or stamp_s - last_s > 0.3  # others need the machine; people are found again
            shedder.observe(stamp_s, costs(shedder.level, slowness=5.0 if is_slow else 1.0))
            last_s = stamp_s
    assert not all(admitted[: 3 * RATE_HZ])
    assert all(admitted[5 * RATE_HZ :])


def test_an_image_that_waited_too_long_is_dropped_and_the_next_is_not():
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
        assert shedder.admit(k / RATE_HZ, AGE_S, 0.050)
        views_s = 0.030 * (shedder.level < Shed.VIEWS)
        shedder.observe(k / RATE_HZ, Costs(0.010, 0.010, views_s, 0.002))
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


def test_levels_say_what_they_leave_out():
    assert [str(level) for level in Shed] == [
        "nothing",
        "views",
        "views, second method",
        "views, second method, searches",
    ]
