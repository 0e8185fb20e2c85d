# SPDX-License-Identifier: Apache-2.0
"""Cameras that are not where they are said to be are refused, not averaged in."""

import numpy as np
import pytest

from hmr_ros.core.geometry.frames import Transform
from test.perception.rooms.rooms import EAST, NORTH, SOUTH, Eye, Room, fuse, turned

PEOPLE = (lambda t: (-1.2 + 0.6 * t, 0.4), lambda t: (0.8, -1.2 + 0.5 * t))
SECONDS, RATE_HZ = 3.4, 5.0


def outcome(*eyes, people=PEOPLE, seconds=SECONDS):
    fuser, shown = fuse(Room(people, eyes, noise=1), seconds, RATE_HZ)
    return fuser.agreement.problems, shown


def test_good_cameras_are_not_refused():
    problems, shown = outcome(Eye(EAST), Eye(SOUTH), Eye(NORTH))
    assert problems == {}
    assert len(shown[-1].people) == 2


@pytest.mark.parametrize(
    ("axis", "error_m"), [((0, 0, 1), 0.15), pytest.param((0, 1, 0), 0.25, marks=pytest.mark.slow)]
)
def test_a_camera_that_is_turned_by_20_degrees_is_named_and_its_people_vanish(axis, error_m):
    """About its line of sight, people are nearly where they were: they count until the camera is refused."""
    problems, shown = outcome(Eye(EAST), Eye(SOUTH, turned(SOUTH, 20, axis)), Eye(NORTH))
    assert list(problems) == ["1"]
    assert "TF" in problems["1"]
    assert len(shown[-1].people) == 2
    assert shown[-1].error_m < error_m


def test_of_two_cameras_that_disagree_the_first_is_kept():
    problems, shown = outcome(Eye(EAST), Eye(SOUTH, turned(SOUTH, 20)))
    assert list(problems) == ["1"]
    assert "20 degrees" in problems["1"] or "19 degrees" in problems["1"]
    assert len(shown[-1].people) == 2


@pytest.mark.slow
def test_cameras_that_have_swapped_names_are_refused():
    """Two of four: the others agree with each other."""
    west = turned(EAST, 180, aside=(-8, 0, 0))
    problems, shown = outcome(Eye(EAST), Eye(NORTH), Eye(SOUTH, west), Eye(west, SOUTH), seconds=4.4)
    assert set(problems) == {"2", "3"}
    assert len(shown[-1].people) == 2


def test_a_camera_that_is_upside_down_is_refused_at_once():
    around = EAST.rotation[:, 2]
    problems, shown = outcome(Eye(EAST, turned(EAST, 180, around)), Eye(SOUTH), seconds=1.6)
    assert list(problems) == ["0"]
    assert "upside down" in problems["0"]
    assert len(shown[-1].people) == 2


@pytest.mark.slow
def test_distances_that_lie_are_found_by_two_others():
    """As of a ground frame that is too high, which is believed: everyone is 15 % too far away."""
    liar = Eye(SOUTH, factor=1.3, along=0.01)
    problems, shown = outcome(Eye(EAST), liar, Eye(NORTH), seconds=4.4)
    assert list(problems) == ["1"]
    assert len(shown[-1].people) == 2


def test_cameras_that_share_nobody_are_not_compared():
    """Different people, who walk differently, before cameras whose views do not overlap."""
    people = (PEOPLE[0], lambda t: (20.0 - 1.1 * t, 3.0))
    far = Transform(EAST.rotation, EAST.translation + [20.0, 0, 0])
    eyes = (Eye(EAST, sees=lambda p, t: p == 0), Eye(far, sees=lambda p, t: p == 1))
    problems, shown = outcome(*eyes, people=people)
    assert problems == {}
    assert len(shown[-1].people) == 2


@pytest.mark.slow
def test_a_camera_that_is_put_right_is_fused_again():
    wrong = Room(PEOPLE, (Eye(EAST), Eye(SOUTH, turned(SOUTH, 20)), Eye(NORTH)), noise=1)
    fuser, _ = fuse(wrong, SECONDS, RATE_HZ)
    assert fuser.agreement.refused("1")
    right = Room(PEOPLE, (Eye(EAST), Eye(SOUTH), Eye(NORTH)), noise=1)
    _, shown = fuse(right, 9.0, RATE_HZ, fuser=fuser, begin_s=SECONDS)
    assert not fuser.agreement.refused("1")
    assert len(shown[-1].people) == 2
    np.testing.assert_array_less(shown[-1].error_m, 0.15)
