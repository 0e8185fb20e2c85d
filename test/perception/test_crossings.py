# SPDX-License-Identifier: Apache-2.0
"""Ids survive being hidden, and crossings in space."""

from __future__ import annotations

import pytest

from hmr_ros.perception.tracker import Tracker
from test.perception.crossings import Outcome, Scene, crossing, follow, passing, pillar, queue, scenes


@pytest.mark.parametrize("rate_hz", [10, 30])
@pytest.mark.parametrize("speed", [0.7, 1.2, 2.0])
@pytest.mark.parametrize(("near_m", "far_m"), [(3.0, 4.5), (3.0, 3.6)])
def test_people_at_two_distances_cross(near_m: float, far_m: float, speed: float, rate_hz: float) -> None:
    assert follow(Tracker(), crossing(near_m, far_m, speed), rate_hz, seed=0) == Outcome(switches=0, ids=2)


@pytest.mark.parametrize("scene", [passing(1.2), pillar(0.5, 1.2), pillar(0.8, 1.2), pillar(0.8, 0.7, turn=0.35)])
def test_a_person_hidden_for_most_of_a_second_keeps_the_id(scene: Scene) -> None:
    assert follow(Tracker(), scene, 15, seed=0) == Outcome(switches=0, ids=2)


def test_a_file_of_people_is_crossed() -> None:
    assert follow(Tracker(), queue(1.2), 15, seed=0) == Outcome(switches=0, ids=4)


@pytest.mark.slow
def test_switches_are_rare_in_all_scenes() -> None:
    """docs/tracking.md has the table."""
    outcomes = [
        follow(Tracker(), scene, rate_hz, seed) for _, scene in scenes() for rate_hz in (10, 30) for seed in (0, 1)
    ]
    assert sum(outcome.switches > 0 for outcome in outcomes) <= 0.06 * len(outcomes)
