# SPDX-License-Identifier: Apache-2.0
"""Which images are processed, by stamp, age and rate. In a running node: test_clocks.py."""

import re

import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.node.admission import Arrival, Order, too_late
from hmr_ros.ros.node.operation import longest_silence_s
from hmr_ros.ros.wire.cdr import Stamp

LAST = Stamp(1000, 0)


def at(offset_s):
    """The stamp that is ``offset_s`` later than LAST."""
    return Stamp(*divmod(LAST.nanoseconds + round(offset_s * 1e9), 10**9))


def arrival(offset_s, age_s=0.0, passed_s=0.0):
    return Arrival(at(offset_s), age_s, 50.0 + passed_s)


def after_last():
    order = Order()
    order.accept(arrival(0.0))
    return order


def found(offset_s, age_s=0.0, passed_s=0.0, **settings):
    return after_last().rejection(arrival(offset_s, age_s, passed_s), RobotConfig(**settings))


def reason(*args, **settings):
    rejected = found(*args, **settings)
    return None if rejected is None else rejected.reason


def reasons(*offsets_s):
    """Of images of a bag: their ages say nothing, and no time passes between them."""
    order, seen = after_last(), []
    for offset_s in offsets_s:
        image = arrival(offset_s, age_s=1e6)
        rejected = order.rejection(image, RobotConfig(max_frame_age_s=0.0))
        if rejected is None:
            order.accept(image)
        seen.append(None if rejected is None else str(rejected.reason))
    return seen


@pytest.mark.parametrize(
    ("offset_s", "expected"),
    [
        (-0.499, Drop.OUT_OF_ORDER),
        (-0.001, Drop.OUT_OF_ORDER),
        (0.0, Drop.REPEATED_STAMP),
        (0.033, None),
        (2.0, None),
    ],
)
def test_an_image_that_was_overtaken_or_is_repeated_is_rejected(offset_s, expected):
    assert reason(offset_s) == expected


@pytest.mark.parametrize(
    ("offsets_s", "expected"),
    [
        ((0.1, 3.1, 0.2, 3.2, 0.3), [None, "stray_stamp", None, "stray_stamp", None]),
        ((0.1, -900.0, 0.2, -900.0, 0.3), [None, "stray_stamp", None, "stray_stamp", None]),
        ((-900.0, -899.9, -899.8), ["stray_stamp", None, None]),  # a bag that is played again
        ((-900.0, -900.0, -899.9), ["stray_stamp", "repeated_stamp", None]),
        ((-0.5, 0.1), ["stray_stamp", None]),
        ((3600.0, 3600.1), ["stray_stamp", None]),
        ((3600.0, -900.0, 0.1), ["stray_stamp", "stray_stamp", None]),
        ((-900.0, 3600.0, -899.9), ["stray_stamp", "stray_stamp", "stray_stamp"]),
    ],
)
def test_a_jump_of_time_needs_a_second_image_that_agrees(offsets_s, expected):
    assert reasons(*offsets_s) == expected


def test_a_jump_back_is_told_and_a_jump_ahead_is_none():
    order = after_last()
    order.accept(arrival(9.0))
    assert order.jump == ""
    order.accept(arrival(0.0))
    assert order.jump == "time jumped back by 9.0 s: all tracks end"
    order.accept(arrival(0.1))
    assert order.jump == ""


def test_a_jump_back_of_the_clock_itself_is_one_at_once():
    assert reason(-900.0, 0.1) is None  # the last image is of the future by now
    assert reason(-900.0, 900.1, max_frame_age_s=0.0) == Drop.STRAY_STAMP


def test_a_pause_of_the_camera_is_no_jump():
    assert reason(60.0, 99.0, 60.0, max_frame_age_s=0.0) is None
    assert reason(60.0, 99.0, 57.0, max_frame_age_s=0.0) == Drop.STRAY_STAMP
    assert reason(60.0, 0.5, 0.0) is None  # the node's clock says so, too


@pytest.mark.parametrize(("offset_s", "expected"), [(0.099, Drop.RATE_LIMIT), (0.1, None), (0.101, None)])
def test_the_rate_is_limited_from_the_last_processed_image_on(offset_s, expected):
    assert reason(offset_s, max_rate_hz=10.0) == expected


def test_after_a_pause_the_first_image_is_processed_at_once_at_any_rate():
    assert reason(60.0, 0.0, 60.0, max_rate_hz=10.0) is None


@pytest.mark.parametrize(
    ("age_s", "limit_s", "expected"),
    [
        (0.51, 0.5, Drop.TOO_OLD),
        (0.5, 0.5, None),
        (-0.5, 0.5, None),
        (-0.51, 0.5, Drop.FUTURE_STAMP),
        (-0.51, 0.0, Drop.FUTURE_STAMP),
        (99.0, 0.0, None),
    ],
)
def test_an_image_older_than_the_limit_or_of_the_future_is_rejected(age_s, limit_s, expected):
    assert reason(1.0, age_s, max_frame_age_s=limit_s) == expected


@pytest.mark.parametrize(
    ("age_s", "words"),
    [(-1001.0, "nothing comes on /clock"), (-37.0, "37.0 s in the future: .*TAI"), (-3.0, "3.0 s in .*chrony")],
)
def test_a_stamp_of_the_future_is_explained_by_its_cause(age_s, words):
    assert re.search(words, found(1.0, age_s).explanation)


@pytest.mark.parametrize("limit_s", [0.0, 0.5])
def test_a_stamp_of_zero_is_rejected_whatever_the_age_limit(limit_s):
    rejected = Order().rejection(Arrival(Stamp(0, 0), 1.8e9, 0.0), RobotConfig(max_frame_age_s=limit_s))
    assert rejected.reason == Drop.NO_STAMP
    assert rejected.explanation.startswith("header.stamp is 0")


def test_a_rejection_is_explained_unless_the_user_asked_for_it():
    assert found(1.0, 2.0, max_frame_age_s=0.5).explanation.startswith("image is 2.00 s old, max_frame_age_s is 0.5")
    assert found(-0.02).explanation == "image is 0.020 s older than the one before it"
    assert found(0.01, max_rate_hz=10.0).explanation == ""
    assert "1000.000000000 is the stamp of the image before" in found(0.0).explanation
    assert "3600.0 s after the last one" in found(3600.0, 9.0, max_frame_age_s=0.0).explanation


def test_an_image_that_would_be_late_is_explained_by_its_expected_age():
    found = too_late(expected_s=0.25, max_latency_ms=150.0)
    assert found.reason == Drop.WOULD_BE_LATE
    assert found.explanation == "it would be 250 ms old when published, max_latency_ms is 150"


@pytest.mark.parametrize(
    ("settings", "expected_s"),
    [
        ({}, 2.0),
        ({"input_timeout_s": 5.0}, 5.0),
        ({"max_rate_hz": 0.1}, 12.0),  # the pauses that the user asked for are no silence
        ({"max_rate_hz": 0.1, "input_timeout_s": 5.0}, 15.0),
    ],
)
def test_silence_is_longer_than_the_pauses_of_the_rate_limit(settings, expected_s):
    assert longest_silence_s(RobotConfig(**settings)) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("offset_s", "age_s", "passed_s", "expected"),
    [
        (2.5, 0.51, 0.5, None),  # ahead by 2 s more than the time that passed, but not more than that
        (2.51, 0.51, 0.5, Drop.STRAY_STAMP),
        (2.51, 0.5, 0.5, None),  # the time of the node's clock
        (9.0, 0.51, 7.0, None),
        (-0.5, 0.0, 0.0, Drop.STRAY_STAMP),  # by the node's clock the last image is 0.5 s of the future: clocks differ
        (-0.51, 0.0, 0.0, None),
        (-900.0, 899.5, 0.0, Drop.STRAY_STAMP),
        (-900.0, 899.4, 0.0, None),
    ],
)
def test_a_jump_is_one_of_the_images_and_not_of_the_clock(offset_s, age_s, passed_s, expected):
    assert reason(offset_s, age_s, passed_s, max_frame_age_s=0.0) == expected


@pytest.mark.parametrize(
    ("ahead_s", "is_tai"), [(35.9, False), (36.0, True), (37.0, True), (38.5, True), (38.6, False)]
)
def test_atomic_time_is_told_from_other_differences(ahead_s, is_tai):
    explanation = found(1.0, -ahead_s).explanation
    assert ("TAI" in explanation, "chrony" in explanation) == (is_tai, not is_tai)
    assert explanation.startswith(f"its stamp 1001.000000000 is {ahead_s:.1f} s in the future: ")


@pytest.mark.parametrize(("ahead_s", "is_silent"), [(1001.0, True), (1000.9, False), (1001.1, True)])
def test_a_clock_at_0_is_one_that_nothing_comes_on(ahead_s, is_silent):
    assert ("nothing comes on /clock" in found(1.0, -ahead_s).explanation) == is_silent


def test_the_explanation_says_which_way_a_stamp_strayed():
    assert "its stamp is 900.0 s before the last one" in found(-900.0, 900.1, max_frame_age_s=0.0).explanation
    assert "its stamp is 900.0 s after the last one" in found(900.0, 900.1, max_frame_age_s=0.0).explanation


def test_the_first_image_is_processed_and_makes_no_jump():
    order = Order()
    assert order.rejection(arrival(0.0), RobotConfig(max_rate_hz=1.0)) is None
    order.accept(arrival(0.0))
    assert order.jump == ""


@pytest.mark.parametrize(("back_s", "jumps"), [(0.499, False), (0.5, True)])
def test_a_little_back_is_no_jump(back_s, jumps):
    order = after_last()
    order.accept(arrival(-back_s))
    assert bool(order.jump) == jumps


def test_a_stray_stamp_is_forgotten_with_the_next_image_that_is_processed():
    assert reasons(3600.0, 0.1, 3600.05) == ["stray_stamp", None, "stray_stamp"]
    assert reasons(3600.0, 3600.1, 3600.0) == ["stray_stamp", None, "out_of_order"]


def test_the_rate_counts_only_between_images_in_order():
    order, config = after_last(), RobotConfig(max_rate_hz=2.0, max_frame_age_s=0.0)
    assert order.rejection(arrival(-900.0, 0.1), config) is None, "time started over"
    assert order.rejection(arrival(0.4), config).reason == Drop.RATE_LIMIT
    assert order.rejection(arrival(0.5), config) is None
