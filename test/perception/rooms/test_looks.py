# SPDX-License-Identifier: Apache-2.0
"""People of a room are told apart by their clothes, before cameras with another exposure and white balance."""

import numpy as np
import pytest

from hmr_ros.perception.appearance import evidence
from hmr_ros.perception.rooms.lights import Lights
from hmr_ros.perception.rooms.matching import by_nats
from hmr_ros.perception.rooms.options import FusingOptions
from test.perception.rooms.rooms import EAST, SOUTH, Eye, Room, fuse, turned, worn

RED = np.array([(5.5, 0.35, 0.2)] * 2 + [(4.9, 0.0, -0.25)] * 2)
BLUE = np.array([(5.0, -0.1, -0.3)] * 2 + [(6.0, 0.05, 0.1)] * 2)
GREEN = np.array([(5.8, -0.25, 0.1)] * 2 + [(4.5, 0.0, 0.0)] * 2)
WARM = (-0.5, 0.08, 0.12)
"""A camera that is darker by a third, and balanced for another lamp."""

ALIKE = (RED, RED, RED)
DIFFERENT = (RED, BLUE, GREEN)


def test_the_light_of_two_cameras_is_learnt_from_people_whom_both_see():
    lights, unknown = Lights(), Lights()
    for _ in range(60):
        for clothes in (BLUE, GREEN):
            lights.learn("warm", "cold", (worn([clothes + WARM]), worn([clothes])), 0.1)
    known = lights.between("warm", "cold")
    np.testing.assert_allclose(known.shift, WARM, atol=0.1)
    np.testing.assert_allclose(lights.between("cold", "warm").shift, -known.shift)
    assert (known.variance < unknown.between("warm", "cold").variance).all()
    same = [evidence(worn([RED + WARM]), worn([RED]), each.between("warm", "cold"))[0, 0] for each in (lights, unknown)]
    assert same[0] > same[1] + 0.5
    assert evidence(worn([RED + WARM]), worn([BLUE]), known)[0, 0] < -3


def test_a_pair_that_is_no_person_teaches_nothing_and_one_camera_has_one_light():
    lights = Lights()
    for _ in range(30):
        lights.learn("a", "b", (worn([RED]), worn([RED])), 0.1)
    before = lights.between("a", "b").shift
    lights.learn("a", "b", (worn([RED + 1.5]), worn([RED])), 0.1)
    np.testing.assert_allclose(lights.between("a", "b").shift, before, atol=1e-4)
    np.testing.assert_array_equal(lights.between("a", "a").shift, np.zeros(3))
    through_a_third = lights.between("b", "c").variance
    assert (through_a_third > lights.between("a", "b").variance).all()


def test_clothes_that_all_wear_say_nothing_and_rare_ones_say_much():
    alike, rare = np.full((3, 3), 4.0), 4.0 * np.eye(3) - 4.0 * (1 - np.eye(3))
    assert np.abs(by_nats(alike)).max() < 1.5
    assert np.diag(by_nats(rare)).max() < -5
    assert (by_nats(rare)[~np.eye(3, dtype=bool)] > 5).all()
    assert (by_nats(np.zeros((2, 3))) == 0).all()
    assert by_nats(np.zeros((0, 2))).shape == (0, 2)


def members(fuser):
    """The people (numbers) of each fused person's tracks."""
    return sorted(tuple(sorted({track % 10 for track in person.members.values()})) for person in fuser.people)


NEAR = (lambda t: (0.0, -0.6 + 0.6 * t), lambda t: (0.55, -0.6 + 0.6 * t))
"""Two who walk side by side."""


@pytest.mark.parametrize(("clothes", "is_told"), [(DIFFERENT, True), (ALIKE, False), ((), False)])
def test_whom_a_wrong_camera_puts_in_anothers_place_is_told_from_them_by_clothes(clothes, is_told):
    """The second camera, which does not see the other one, is wrong by most of what is between the two."""
    wrong = turned(SOUTH, 0, aside=(0.4, 0, 0))
    one = Eye(SOUTH, wrong, sees=lambda person, time_s: person == 0, light=WARM)
    fuser, shown = fuse(Room(NEAR, (Eye(EAST), one), clothes=clothes), 1.5, options=FusingOptions(learns=False))
    assert members(fuser) == ([(0,), (1,)] if is_told else [(0,), (0, 1)])
    assert {person for each in shown for person in each.people} == {1, 2}


def leaves(at, speed):
    return lambda t: (at, -1.0 + speed * t)


def comes_back(gap_s, clothes, shown_s=1.4):
    """Two people whom the first camera sees, then none for ``gap_s``, then the second one; their ids."""
    begin_s = shown_s + gap_s
    eyes = (
        Eye(EAST, sees=lambda person, t: t < shown_s),
        Eye(SOUTH, sees=lambda person, t: t > begin_s, light=WARM),
    )
    people = (
        lambda t: (0.7 if t < shown_s else -0.7, 0.1 * t - 1.0),
        lambda t: (-0.7 if t < shown_s else 0.7, 0.1 * t - 1.0),
    )
    room = Room(people, eyes, clothes=clothes)
    fuser, first = fuse(room, shown_s, options=FusingOptions(timeout_s=1.0))
    before = {track % 10: person.id for person in fuser.people for track in person.members.values()}
    fuse(room, begin_s + 1.6 - shown_s, fuser=fuser, begin_s=shown_s)
    after = {track % 10: person.id for person in fuser.people for track in person.members.values()}
    assert len(first[-1].people) == len(after) == 2
    return [before[0], before[1]], [after[0], after[1]], fuser


@pytest.mark.parametrize("gap_s", [3.0, 8.0])
def test_who_comes_back_before_another_camera_has_the_same_id(gap_s):
    """They change places while no camera sees them, so place says the contrary."""
    before, after, fuser = comes_back(gap_s, (RED, BLUE))
    assert after == before
    assert not set(fuser.ended()) & set(after)


@pytest.mark.parametrize(("gap_s", "clothes"), [(3.0, ()), (3.0, (RED, RED)), (12.0, (RED, BLUE))])
def test_who_may_be_someone_else_has_a_new_id(gap_s, clothes):
    """Without looks, in like clothes, and after the time for which people are remembered."""
    before, after, _ = comes_back(gap_s, clothes)
    assert not set(before) & set(after)


def test_who_is_reset_is_forgotten():
    _, after, fuser = comes_back(3.0, (RED, BLUE))
    fuser.reset()
    assert fuser.people == []
    room = Room((leaves(0.7, 0.1),), (Eye(SOUTH, light=WARM),), clothes=(RED,))
    fuse(room, 1.5, fuser=fuser, begin_s=8.0)
    assert not {person.id for person in fuser.people} & set(after)
