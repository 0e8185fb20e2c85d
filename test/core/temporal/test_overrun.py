# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.temporal.overrun import SILENCE_S, Overrun
from hmr_ros.core.temporal.shedding import Admission, Costs, Shed, Shedder

LIMIT_S = 0.1
IN_TIME, LATE = Admission(True, Shed.VIEWS, 0.05), Admission(False, Shed.SEARCHES, 0.2)


def decisions(overrun, admissions, begin_s=100.0, limit_s=LIMIT_S):
    """Whether images of 10 Hz are processed."""
    return [overrun.admitted(a, begin_s + k / 10, limit_s).is_admitted for k, a in enumerate(admissions)]


def silent(overrun, **kwargs):
    """Nothing in time for as long as is allowed."""
    return decisions(overrun, [LATE] * (round(10 * SILENCE_S) + 1), **kwargs)


def test_late_images_are_processed_after_a_silence_with_all_shed():
    overrun = Overrun()
    assert silent(overrun) == [False] * round(10 * SILENCE_S) + [True]
    assert overrun.is_on
    assert overrun.admitted(LATE, 105.1, LIMIT_S) == Admission(True, Shed.SEARCHES, 0.2)
    assert overrun.publishable(LATE, 105.1) == Admission(True, Shed.SEARCHES, 0.2)


def test_bodies_that_came_too_late_are_silence_as_well():
    overrun = Overrun()
    for k in range(round(10 * SILENCE_S)):
        assert overrun.admitted(IN_TIME, 100 + k / 10, LIMIT_S) is IN_TIME
        assert not overrun.publishable(LATE, 100 + k / 10).is_admitted
    assert overrun.publishable(LATE, 100 + SILENCE_S).is_admitted


def test_one_body_in_time_breaks_the_silence():
    overrun = Overrun()
    assert not any(decisions(overrun, [LATE] * 40))
    overrun.publishable(overrun.admitted(IN_TIME, 104.0, LIMIT_S), 104.0)
    assert not any(decisions(overrun, [LATE] * 40, begin_s=104.1))


@pytest.mark.parametrize("begin_s", [10.0, 120.0])
def test_a_pause_or_a_clock_that_jumps_back_is_no_silence(begin_s):
    overrun = Overrun()
    assert not any(decisions(overrun, [LATE] * 40))
    assert not any(decisions(overrun, [LATE] * 40, begin_s=begin_s))
    assert not overrun.is_on


def test_the_limit_is_kept_again_once_all_images_of_a_second_are_expected_in_time():
    overrun = Overrun()
    silent(overrun)
    decisions(overrun, [IN_TIME] * 9 + [LATE] + [IN_TIME] * 10, begin_s=105.1)
    assert overrun.is_on
    decisions(overrun, [IN_TIME], begin_s=107.1)
    assert not overrun.is_on
    assert not any(decisions(overrun, [LATE] * 40, begin_s=107.2))


@pytest.mark.parametrize("limit_s", [0.0, 0.15])
def test_another_limit_begins_anew(limit_s):
    overrun = Overrun()
    silent(overrun)
    assert decisions(overrun, [LATE], begin_s=105.1, limit_s=limit_s) == [False]
    assert not overrun.is_on


@pytest.mark.parametrize(("work_s", "fewest_hz", "is_late"), [(0.03, 9.9, False), (0.15, 5.0, True)])
def test_a_robot_hears_of_people_whatever_the_limit(work_s, fewest_hz, is_late):
    """The whole policy at 10 Hz with work that takes a third of the limit, or more than it."""
    overrun, shedder, published_s = Overrun(), Shedder(), []
    for k in range(600):
        stamp_s = 100 + k / 10
        admission = overrun.admitted(shedder.admit(stamp_s, 0.01, LIMIT_S), stamp_s, LIMIT_S)
        if admission.is_admitted:
            last = overrun.publishable(shedder.publishable(0.01 + work_s, admission.shed, LIMIT_S), stamp_s)
            if last.is_admitted:
                published_s.append(stamp_s)
                shedder.observe(stamp_s, last.shed, Costs(work_s, 0, 0, 0.001, 0.001))
            else:
                shedder.observe_unpublished(stamp_s, admission.shed, work_s, 0)
    assert len(published_s) / 60 >= fewest_hz
    assert np.diff([100.0, *published_s]).max() <= SILENCE_S + 0.5
    assert overrun.is_on == is_late
