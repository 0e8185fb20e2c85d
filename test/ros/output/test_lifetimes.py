# SPDX-License-Identifier: Apache-2.0
"""Markers are sent no more often than asked for, neither flicker between slow images nor stay long after fast ones."""

import numpy as np
import pytest

from hmr_ros.ros.output.lifetimes import FIRST_LIFETIME_S, MIN_LIFETIME_S, MarkerLifetime, Pace


@pytest.mark.parametrize("rate_hz", [0.1, 0.5, 1, 2, 5, 30])
def test_markers_outlive_an_image_that_is_missing(rate_hz):
    lifetime, now_s = MarkerLifetime(), 1.8e9
    lived = [lifetime(now_s + k / rate_hz) for k in range(20)]
    assert min(lived[:1]) == FIRST_LIFETIME_S
    assert all(2 / rate_hz < s <= max(3 / rate_hz, MIN_LIFETIME_S) for s in lived[1:])


def test_a_longer_interval_counts_for_a_while():
    lifetime = MarkerLifetime()
    stamps = np.cumsum([0, 0.1, 0.1, 3.0, *[0.1] * 10])
    lived = [lifetime(float(s)) for s in stamps]
    assert lived[2] == MIN_LIFETIME_S
    assert lived[3] == lived[10] == pytest.approx(7.5)
    assert lived[11] == MIN_LIFETIME_S


@pytest.mark.parametrize("jump_s", [-100.0, 3600.0])
def test_a_pause_and_a_clock_that_is_set_back_are_no_rate(jump_s):
    lifetime = MarkerLifetime()
    before = [lifetime(1000 + 0.1 * k) for k in range(5)]
    after = [lifetime(1000 + jump_s + 0.1 * k) for k in range(5)]
    assert before == after
    assert after == [FIRST_LIFETIME_S] + [MIN_LIFETIME_S] * 4


def test_the_same_stamp_twice_changes_nothing():
    lifetime = MarkerLifetime()
    assert [lifetime(s) for s in (5.0, 6.0, 6.0)] == [FIRST_LIFETIME_S, 2.5, 2.5]


def shows(pace, stamp_s, rate_hz):
    pace.follow(stamp_s)
    return pace.is_due(stamp_s, rate_hz)


@pytest.mark.parametrize(
    ("camera_hz", "wanted_hz", "shown_hz"), [(30, 15, 15), (60, 15, 15), (10, 15, 10), (30, 0, 30)]
)
def test_a_fast_camera_is_shown_at_the_rate_that_is_wanted(camera_hz, wanted_hz, shown_hz, rng):
    pace, jitter_s = Pace(), rng.uniform(-0.002, 0.002, 10 * camera_hz)
    shown = sum(shows(pace, k / camera_hz + jitter_s[k], wanted_hz) for k in range(10 * camera_hz))
    assert shown == pytest.approx(10 * shown_hz, abs=1)


def test_a_clock_that_is_set_back_does_not_stop_the_showing():
    pace = Pace()
    assert [shows(pace, s, 15.0) for s in (100.0, 100.01, 3.0, 3.01)] == [True, False, True, False]
