# SPDX-License-Identifier: Apache-2.0
"""People who hover over a floor or stand in it, by whole meshes."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.fitting.ground import Soles
from hmr_ros.core.fitting.settling import Settling
from hmr_ros.core.people import Estimates
from test.core.temporal.standing import BODY, GROUND, soles_m, standing

SETTLING = Settling(BODY, Soles.of(BODY))
SEEN, UNSEEN = [True, True], [False, False]
LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 0, 1, 3, 4, 6, 7


def settled(people, seen, placed=True, ground=GROUND):
    count = len(people)
    return SETTLING(people, np.full(count, placed), np.tile(seen, (count, 1)), ground)


def squatting(bend=1.2, above_m=0.0):
    """A person with bent legs, the pelvis as high as if they were straight, and so much more."""
    people = standing([(0, 4)], [1.0], above_m)
    people.body_pose[0, [LEFT_HIP, RIGHT_HIP], 0] = -bend / 2
    people.body_pose[0, [LEFT_KNEE, RIGHT_KNEE], 0] = bend
    people.body_pose[0, [LEFT_ANKLE, RIGHT_ANKLE], 0] = -bend / 2
    return people


def joints(people):
    return BODY.posed(people.global_orient, people.body_pose, people.betas, people.cam_t).joints[0]


@pytest.mark.parametrize("depth_m", [0.02, 0.1])
def test_who_was_placed_on_the_ground_does_not_stand_in_it(depth_m):
    people = standing([(0, 4), (1, 6)], [1.0, 0.8], -depth_m)
    raised = settled(people, SEEN)
    assert (soles_m(people) < -0.9 * depth_m).all()
    assert (soles_m(raised) > -0.35 * depth_m).all()
    assert_array_equal(raised.body_pose, people.body_pose)
    more = raised.root_covariance - people.root_covariance
    assert (GROUND.up @ more @ GROUND.up > (0.2 * depth_m) ** 2).all()


def test_who_was_not_placed_by_feet_that_are_seen_stays():
    people = standing([(0, 4)], [1.0], -0.1)
    assert_array_equal(settled(people, SEEN, placed=False).cam_t, people.cam_t)
    above = standing([(0, 4)], [1.0], 0.1)
    for placed in (True, False):
        assert_array_equal(settled(above, SEEN, placed).cam_t, above.cam_t)
        assert_array_equal(settled(above, SEEN, placed).body_pose, above.body_pose)


def test_a_ground_that_is_hardly_known_raises_nobody():
    people = standing([(0, 4)], [1.0], -0.1)
    vague = dataclasses.replace(GROUND, covariance=1e4 * GROUND.covariance)
    assert_allclose(soles_m(settled(people, SEEN, ground=vague)), -0.1, atol=0.015)


def test_legs_whose_feet_are_not_seen_stretch_to_the_ground():
    people = squatting()
    reached = settled(people, UNSEEN)
    assert soles_m(people)[0] > 0.08
    assert soles_m(reached)[0] == pytest.approx(0, abs=0.015)
    assert_array_equal(reached.cam_t, people.cam_t)
    upper = [j for j in range(24) if j not in (4, 5, 7, 8, 10, 11)]
    assert_allclose(joints(reached)[upper], joints(people)[upper], atol=1e-5)


def test_legs_whose_feet_are_not_seen_bend_out_of_the_ground():
    people = standing([(0, 4)], [1.0], -0.15)
    reached = settled(people, UNSEEN)
    assert soles_m(reached)[0] == pytest.approx(0, abs=0.03)
    assert_array_equal(reached.cam_t, people.cam_t)


def test_of_two_feet_the_seen_one_stays():
    people = squatting()
    reached = settled(people, [True, False])
    assert_allclose(joints(reached)[[4, 7]], joints(people)[[4, 7]], atol=1e-5)


def test_a_swung_foot_that_is_not_seen_stays_in_the_air():
    people = standing([(0, 4)], [1.0])
    people.body_pose[0, LEFT_KNEE, 0] = 1.0
    assert_allclose(settled(people, [False, True]).body_pose, people.body_pose, atol=1e-6)


def test_who_hovers_high_above_does_not_kick_about():
    """Legs that cannot reach the floor are stretched, and no more."""
    reached = settled(squatting(above_m=1.0), UNSEEN)
    assert soles_m(reached)[0] > 0.9
    people = standing([(0, 4)], [1.0], 1.0)
    assert np.abs(joints(settled(people, UNSEEN)) - joints(people)).max() < 0.05


def test_people_who_lie_are_left_as_they_are():
    people = squatting()
    lying = dataclasses.replace(people, global_orient=np.array([[0.0, 0, np.pi / 2]]))
    assert_array_equal(settled(lying, UNSEEN).body_pose, lying.body_pose)


@pytest.mark.parametrize("count", [0, 2])
def test_no_people_and_people_without_a_position_are_normal(count):
    people = Estimates.unknown(count)
    assert settled(people, UNSEEN) is people


def test_others_without_a_position_stay():
    both = Estimates.unknown(2).with_rows(np.array([1]), squatting())
    reached = settled(both, UNSEEN)
    assert_array_equal(reached.body_pose[0], both.body_pose[0])
    assert soles_m(reached.take(np.array([1])))[0] == pytest.approx(0, abs=0.015)
