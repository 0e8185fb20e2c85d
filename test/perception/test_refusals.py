# SPDX-License-Identifier: Apache-2.0
"""Places where a search has found nobody."""

from __future__ import annotations

import numpy as np

from hmr_ros.perception.refusals import Refusals

BUSH = np.array([[100.0, 100, 120, 140]])
BESIDE = BUSH + [8, 0, 8, 0]


def test_a_refused_place_is_left_alone_for_some_searches() -> None:
    refusals = Refusals()
    assert refusals.are_new(BUSH).tolist() == [True]
    refusals.add(BUSH)
    assert [bool(refusals.are_new(BUSH)[0]) for _ in range(6)] == [False] * 4 + [True] * 2


def test_who_moves_is_looked_at() -> None:
    refusals = Refusals()
    refusals.are_new(BUSH)
    refusals.add(BUSH)
    assert refusals.are_new(np.concatenate([BUSH + 1, BESIDE])).tolist() == [False, True]


def test_places_are_refused_one_by_one() -> None:
    refusals = Refusals()
    refusals.are_new(BUSH)
    refusals.add(BUSH)
    refusals.are_new(BESIDE)
    refusals.add(BESIDE)
    both = np.concatenate([BUSH, BESIDE])
    assert [refusals.are_new(both).tolist() for _ in range(5)] == [[False, False]] * 3 + [[True, False], [True, True]]


def test_nothing_found_is_a_normal_value() -> None:
    refusals = Refusals()
    assert refusals.are_new(np.zeros((0, 4))).tolist() == []
    refusals.add(np.zeros((0, 4)))
    assert refusals.are_new(BUSH).tolist() == [True]
