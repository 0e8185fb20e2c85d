# SPDX-License-Identifier: Apache-2.0
"""Which images are processed, by stamp, age and rate. In a running node: test_clocks.py."""

import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.node.admission import rejection, too_late
from hmr_ros.ros.node.operation import longest_silence_s
from hmr_ros.ros.wire.cdr import Stamp

LAST = Stamp(100, 0)


def at(offset_s):
    """The stamp that is ``offset_s`` later than LAST."""
    return Stamp(*divmod(LAST.nanoseconds + round(offset_s * 1e9), 10**9))


def reason(offset_s, age_s=0.0, **settings):
    found = rejection(at(offset_s), LAST, age_s, RobotConfig(**settings))
    return None if found is None else found.reason


@pytest.mark.parametrize(
    ("offset_s", "expected"),
    [
        (-3600.0, None),  # a bag that is played again
        (-0.5, None),
        (-0.499, Drop.OUT_OF_ORDER),
        (-0.001, Drop.OUT_OF_ORDER),
        (0.0, None),
        (0.033, None),
        (3600.0, None),
    ],
)
def test_an_image_that_was_overtaken_is_rejected_and_a_jump_of_time_is_not(offset_s, expected):
    assert reason(offset_s) == expected


@pytest.mark.parametrize(
    ("offset_s", "expected"),
    [
        (0.0, Drop.RATE_LIMIT),
        (0.099, Drop.RATE_LIMIT),
        (0.1, None),
        (0.101, None),
        (60.0, None),  # after a pause the first image is processed at once
        (-60.0, None),  # and after a jump back, too
    ],
)
def test_the_rate_is_limited_from_the_last_processed_image_on(offset_s, expected):
    assert reason(offset_s, max_rate_hz=10.0) == expected


@pytest.mark.parametrize(
    ("age_s", "limit_s", "expected"),
    [(0.51, 0.5, Drop.TOO_OLD), (0.5, 0.5, None), (-1.0, 0.5, None), (99.0, 0.0, None)],
)
def test_an_image_older_than_the_limit_is_rejected(age_s, limit_s, expected):
    assert reason(1.0, age_s, max_frame_age_s=limit_s) == expected


def test_a_rejection_is_explained_unless_the_user_asked_for_it():
    old = rejection(at(1.0), LAST, 2.0, RobotConfig(max_frame_age_s=0.5))
    assert old.explanation.startswith("image is 2.00 s old, max_frame_age_s is 0.5")
    late = rejection(at(-0.02), LAST, 0.0, RobotConfig())
    assert late.explanation == "image is 0.020 s older than the one before it"
    assert rejection(at(0.01), LAST, 0.0, RobotConfig(max_rate_hz=10.0)).explanation == ""


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
