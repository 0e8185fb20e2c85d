# SPDX-License-Identifier: Apache-2.0
"""The rules of shedding one by one, with numbers worked out by hand."""

import pytest

from hmr_ros.core.temporal.running import Running
from hmr_ros.core.temporal.shedding import Costs, Shed, Shedder, _Step


def shedder(detect_s=0.0, estimate_s=0.0, views_s=0.0, rest_s=0.0, stamp_s=0.0):
    """One that saw a single image with these costs."""
    made = Shedder()
    made.observe(stamp_s, Shed.NOTHING, Costs(detect_s, estimate_s, views_s, rest_s))
    return made


def test_a_running_mean_moves_by_an_eighth_and_two_deviations_are_added():
    running = Running()
    running.add(8.0)
    assert (running.mean, running.deviation, running.expected) == (8, 0, 8)
    running.add(16.0)
    assert (running.mean, running.deviation, running.expected) == (9, 1, 11)
    running.add(9.0)
    assert (running.mean, running.deviation) == (9, 0.875)
    running.approach(Running(5.0, 0.475, True), 0.25)
    assert (running.mean, running.deviation) == (8, pytest.approx(0.775))


def test_half_of_what_a_shed_step_took_more_is_forgotten_in_ten_seconds():
    step = _Step(Shed.SECOND_METHOD)
    step.add(Shed.VIEWS, 5.0, 0.0)
    assert (step.full.mean, step.relaxed.is_known) == (5, False)
    step.add(Shed.SECOND_METHOD, 1.0, 10.0)
    assert (step.full.mean, step.relaxed.mean) == (3, 1)
    step.add(Shed.SEARCHES, 1.0, 0.0)
    assert step.full.mean == 3
    assert step.at(Shed.VIEWS) is step.full
    assert step.at(Shed.SECOND_METHOD) is step.at(Shed.SEARCHES) is step.relaxed


def test_at_most_ten_seconds_are_forgotten_at_once_and_none_when_time_goes_back():
    for stamp_s, known_s in ((100.0, 0.04), (10.0, 0.04), (0.0, 0.08), (-50.0, 0.08)):
        made = shedder(views_s=0.08)
        made.observe(stamp_s, Shed.VIEWS, Costs(0, 0, 0, 0))
        assert made.admit(stamp_s, 0.0, 1.0).expected_s == pytest.approx(known_s)


def test_an_image_that_is_done_just_at_the_limit_is_in_time():
    made = shedder(detect_s=0.25, views_s=0.25)
    assert made.admit(1.0, 0.5, 1.0).shed == Shed.NOTHING
    assert made.admit(1.0, 0.51, 1.0).shed == Shed.VIEWS


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_without_a_limit_all_work_comes_back_at_once(limit_s):
    made = shedder(views_s=0.5, rest_s=0.1)
    assert made.admit(1.0, 0.0, 0.2).shed == Shed.VIEWS
    admission = made.admit(1.1, 0.3, limit_s)
    assert (admission.is_admitted, admission.shed) == (True, Shed.NOTHING)
    assert admission.expected_s == pytest.approx(0.9)
    assert made.admit(1.2, 0.0, 1.0).shed == Shed.NOTHING


def admitted(made, stamps, limit_s=0.1):
    return [made.admit(stamp, 0.0, limit_s).is_admitted for stamp in stamps]


def test_two_images_are_probed_when_all_were_dropped_for_a_second():
    made = shedder(rest_s=0.05)
    assert made.admit(10.0, 0.0, 0.1).is_admitted
    made.observe(10.0, Shed.NOTHING, Costs(0, 0, 0, 5.0))
    assert admitted(made, [10.5, 10.99, 11.0]) == [False, False, True]
    made.observe(11.0, Shed.SEARCHES, Costs(0, 0, 0, 3.0))
    assert admitted(made, [11.1]) == [True]
    made.observe(11.1, Shed.SEARCHES, Costs(0, 0, 0, 2.0))
    assert admitted(made, [11.2, 12.09, 12.1]) == [False, False, True]
    made.observe(12.1, Shed.SEARCHES, Costs(0, 0, 0, 0.08))  # what a probe takes replaces all that was known
    assert admitted(made, [12.2]) == [True]


@pytest.mark.parametrize(("limit_s", "returns"), [(0.5, True), (0.49, False)])
def test_work_comes_back_where_it_leaves_a_fifth_of_the_limit_free(limit_s, returns):
    """0.4 s with views, which were shed at a limit of 0.3 s and come back one second later."""
    made = shedder(views_s=0.25, rest_s=0.15)
    assert made.admit(0.0, 0.0, 0.3).shed == Shed.VIEWS
    levels = [made.admit(stamp_s, 0.0, limit_s).shed for stamp_s in (0.5, 0.99, 1.0, 1.01)]
    assert levels == [Shed.VIEWS] * 2 + [Shed.NOTHING if returns else Shed.VIEWS] * 2


def test_work_comes_back_a_second_after_there_was_no_room_last_one_piece_at_a_time():
    made = shedder(estimate_s=0.25, views_s=0.25)
    assert made.admit(0.0, 0.0, 0.1).shed == Shed.SECOND_METHOD
    shed = [made.admit(stamp_s, 0.0, limit_s).shed for stamp_s, limit_s in
            ((0.9, 0.2), (1.8, 1.0), (1.9, 1.0), (1.95, 1.0), (2.8, 1.0), (2.9, 1.0), (2.95, 1.0))]  # fmt: skip
    assert shed == [Shed.SECOND_METHOD] * 3 + [Shed.VIEWS] * 3 + [Shed.NOTHING]


def test_what_comes_back_is_measured_again():
    """Views took 0.4 s; when they are back, the first measurement counts alone. The second method is as it was."""
    made = shedder(estimate_s=0.2, views_s=0.4)
    assert made.admit(0.0, 0.0, 0.3).shed == Shed.VIEWS
    assert made.admit(1.1, 0.0, 1.0).shed == Shed.NOTHING
    made.observe(1.2, Shed.NOTHING, Costs(0, 0.2, 0.1, 0))
    assert made.admit(1.3, 0.0, 1.0).expected_s == pytest.approx(0.3)
