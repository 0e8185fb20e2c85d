# SPDX-License-Identifier: Apache-2.0
import dataclasses
import hashlib

import numpy as np
import pytest

from hmr_ros.bench.ros_case import CLIP, Case, Measured, Timing, drops_between, file_hash, median, timing


def measured(latency_ms=10.0, rate_hz=30.0, **drops):
    return Measured(
        Timing(latency_ms, 2 * latency_ms, 3 * latency_ms, 4 * latency_ms, 1.0),
        30.0,
        rate_hz,
        2,
        3,
        5,
        0.5,
        200,
        1,
        drops,
    )


def test_a_case_has_a_name():
    assert Case(30.0, 4, ("tf", "mesh")).name == "4 people, 30 Hz, tf + mesh"
    assert Case(10.0, CLIP, ()).name == "the clip, 10 Hz, bodies alone"


def test_rendered_people_stand_for_those_who_move_unless_the_case_is_about_standing():
    standing = Case(30.0, 8, (), standing=True)
    assert (standing.name, standing.still_people) == ("8 people who stand, 30 Hz, bodies alone", "auto")
    assert Case(30.0, 8, ()).still_people == "every_image"
    assert {Case(30.0, people, ()).still_people for people in (CLIP, 0, 1)} == {"auto"}


def test_latency_and_jitter_of_a_window():
    latencies_s = np.arange(1, 1001) * 1e-3
    bodies_at_s = 1e9 + np.array([0.0, 0.030, 0.070])
    t = timing(latencies_s, bodies_at_s)
    assert (t.latency_p50_ms, t.latency_p99_ms, t.latency_max_ms) == pytest.approx((500.5, 990, 1000), abs=0.1)
    assert 999 <= t.latency_p999_ms <= 1000
    assert t.jitter_ms == pytest.approx(5, abs=1e-3)


def test_nothing_came():
    assert np.isnan(dataclasses.astuple(timing(np.zeros(0), np.zeros(0)))).all()


def test_drops_are_counted_from_the_first_report_on():
    before = {"dropped: too_old": "3", "people": "1"}
    after = {"dropped: too_old": "3", "dropped: replaced_by_newer": "7", "people": "1"}
    assert drops_between(before, after) == {"replaced_by_newer": 7}


def test_medians_over_windows_and_all_drops():
    m = median([measured(10, too_old=1), measured(30, 20.0), measured(20, 10.0, too_old=2)])
    assert dataclasses.astuple(m.timing) == (20, 40, 60, 80, 1)
    assert (m.rate_hz, m.overhead_p99_ms, m.memory_mib) == (20, 3, 200)
    assert m.drops == {"too_old": 3}


def test_a_directory_has_one_hash(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"b")
    (tmp_path / "a.txt").write_bytes(b"a")
    assert file_hash(tmp_path) == hashlib.sha256(b"ab").hexdigest()
    assert file_hash(tmp_path / "a.txt") == hashlib.sha256(b"a").hexdigest()
