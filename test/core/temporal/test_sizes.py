# SPDX-License-Identifier: Apache-2.0
"""The size of a person: guesses that never average out, measurements that do, up to a limit."""

import numpy as np
import pytest

from hmr_ros.core.temporal.sizes import Size, is_possible


def test_many_guesses_are_as_uncertain_as_one():
    size = Size()
    for guess in (0.9, 1.0, 1.1):
        size = size.with_guess(guess, 0.08)
    assert size.mean == pytest.approx(1.0)
    assert size.deviation == pytest.approx(0.08)


def test_a_sure_guess_counts_for_more():
    size = Size().with_guess(1.0, 0.05).with_guess(1.3, 0.15)
    assert size.mean == pytest.approx((1.0 * 400 + 1.3 * 400 / 9) / (400 + 400 / 9))
    assert 0.05 < size.deviation < 0.06


def test_guesses_of_long_ago_fade():
    size = Size()
    for guess in [0.8] * 100 + [1.0] * 100:
        size = size.with_guess(guess, 0.08)
    assert size.mean > 0.98


def test_measurements_average_and_the_guess_yields_to_them():
    size = Size().with_guess(1.0, 0.1)
    for measured in (0.78, 0.82) * 4:
        size = size.with_measurement(measured, 1 / 0.04**2, 1 / 0.01**2)
    assert size.mean == pytest.approx(0.8, abs=2e-3)
    assert size.deviation == pytest.approx(0.04 / np.sqrt(8), rel=0.02)


def test_evidence_knows_no_size_better_than_its_kind_can():
    size = Size()
    for _ in range(1000):
        size = size.with_measurement(0.9, 1 / 0.04**2, 1 / 0.012**2)
    assert size.deviation == pytest.approx(0.012)
    better = size.with_measurement(0.9, 1 / 0.005**2, 1 / 0.004**2)
    assert better.with_measurement(0.9, 1 / 0.04**2, 1 / 0.012**2).deviation == pytest.approx(better.deviation)


def test_a_measurement_without_new_information_changes_nothing():
    size = Size().with_guess(1.0, 0.1).with_measurement(0.9, 600.0, 7000.0)
    assert size.with_measurement(0.5, 0.0, 7000.0) == size
    assert Size().with_measurement(0.5, 0.0, 7000.0) == Size()


def test_people_are_neither_dolls_nor_giants():
    assert [is_possible(size) for size in (0.4, 0.45, 1.0, 1.25, 1.3)] == [False, True, True, True, False]
