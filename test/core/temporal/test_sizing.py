# SPDX-License-Identifier: Apache-2.0
"""People taken for larger or smaller than they are, and what the ground makes of them over time."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Estimates
from hmr_ros.core.temporal.sizing import Evidence, Sizing
from test.core.temporal.standing import BODY, CAMERA, GROUND, mistaken, sizes_of, soles_m, standing

ONE = np.array([4])
HZ = 10


def see(sizing, people, stamp_s, ground=GROUND, feet=True, ids=None):
    feet_seen = np.full((len(people), 2), feet)
    ids = np.arange(len(people)) if ids is None else ids
    return sizing(ids, people, CAMERA, feet_seen, Evidence(stamp_s, None, ground))


def watch(sizing, people, seconds, start_s=0.0, **options):
    """The last of so many seconds in which ``people`` stand still."""
    for image in range(round(seconds * HZ)):
        measured = see(sizing, people, start_s + image / HZ, **options)
    return measured


def distances(people):
    return np.linalg.norm(people.cam_t, axis=1)


def uncertainty(people):
    """Standard deviation of the distance of the first one, as a fraction of it."""
    root = people.cam_t[0].astype(float)
    return np.sqrt(root @ people.root_covariance[0] @ root) / (root @ root)


def test_without_ground_or_depth_people_are_as_they_were():
    people = standing([(0, 4)], [1.0])
    measured = see(Sizing(BODY), people, 0.0, ground=None)
    assert measured.estimates is people
    assert not np.concatenate([measured.by_depth, measured.by_ground, measured.sized]).any()


@pytest.mark.parametrize("factor", [0.88, 1.0, 1.15])
def test_feet_on_the_ground_give_distance_and_size(factor):
    people = standing([(0.3, 3), (-1, 5)], [1.0, 0.9])
    measured = watch(Sizing(BODY), mistaken(people, [factor, factor]), 2)
    assert measured.by_ground.all()
    assert measured.sized.all()
    assert_allclose(distances(measured.estimates), distances(people), rtol=0.03)
    assert_allclose(sizes_of(measured.estimates), sizes_of(people), rtol=0.03)
    assert np.abs(soles_m(measured.estimates)).max() < 0.03


def test_a_child_taken_for_an_adult_is_found_within_two_seconds():
    child = standing([(0, 4)], [0.7])
    sizing, guess = Sizing(BODY), mistaken(child, [1.4])
    measured = watch(sizing, guess, 2)
    assert_allclose(distances(measured.estimates), distances(child), rtol=0.03)
    assert_allclose(sizes_of(measured.estimates), 0.7, rtol=0.03)


def test_a_person_on_the_ground_is_more_certain_of_the_distance():
    people = standing([(0, 4)], [1.0])
    measured = watch(Sizing(BODY), people, 1).estimates
    bearing = people.cam_t[0] / distances(people)[0]
    along = [np.sqrt(bearing @ e.root_covariance[0] @ bearing) for e in (people, measured)]
    assert along[0] == pytest.approx(0.08 * distances(people)[0])
    assert along[1] < 0.5 * along[0]
    sideways = np.cross(bearing, GROUND.up) / np.linalg.norm(np.cross(bearing, GROUND.up))
    assert np.sqrt(sideways @ measured.root_covariance[0] @ sideways) == pytest.approx(0.02, rel=0.05)


def test_a_ground_that_is_hardly_known_says_hardly_anything():
    people = mistaken(standing([(0, 5)], [1.0]), [1.1])
    vague = dataclasses.replace(GROUND, covariance=1e4 * GROUND.covariance)
    measured = watch(Sizing(BODY), people, 2, ground=vague).estimates
    assert_allclose(measured.cam_t, people.cam_t, rtol=0.02)


def test_nobody_jumps_when_the_feet_leave_the_image_or_the_ground_is_lost():
    people, sizing = standing([(0, 4)], [1.0]), Sizing(BODY)
    guess = mistaken(people, [1.12])
    on_ground = watch(sizing, guess, 2).estimates
    for options in ({"feet": False}, {"ground": None}):
        without = see(sizing, guess, 2.5, **options)
        assert not without.by_ground.any()
        assert without.sized.all()
        assert_allclose(without.estimates.cam_t, on_ground.cam_t, rtol=0.02)
        assert_allclose(sizes_of(without.estimates), sizes_of(on_ground), rtol=0.02)


@pytest.mark.parametrize("above_m", [0.3, 0.5, 1.0])
def test_steps_seats_and_ladders_are_refused(above_m):
    sizing = Sizing(BODY)
    watch(sizing, standing([(0, 4)], [1.0]), 2)
    raised = standing([(0, 4)], [1.0], above_m)
    measured = watch(sizing, raised, 3, 2.0)
    assert not measured.by_ground.any()
    assert_allclose(measured.estimates.cam_t, raised.cam_t, rtol=0.03)
    assert_allclose(sizes_of(measured.estimates), 1.0, rtol=0.03)


def test_who_jumps_when_first_seen_is_not_taken_for_a_giant():
    sizing = Sizing(BODY)
    for image in range(6):
        height = 4 * 0.4 * (image / 5) * (1 - image / 5)
        measured = see(sizing, standing([(0, 4)], [1.0], height), image / HZ)
    assert_allclose(sizes_of(measured.estimates), 1.0, atol=0.06)


def test_a_wrong_size_is_given_up_when_the_evidence_lasts():
    """A child on a chair was taken for an adult, then stands on the floor."""
    sizing = Sizing(BODY)
    on_chair = mistaken(standing([(0, 4)], [0.75], 0.35), [1.3])
    watch(sizing, on_chair, 2)
    measured = watch(sizing, mistaken(standing([(0, 4)], [0.75]), [1.3]), 3, 2.0)
    assert_allclose(sizes_of(measured.estimates), 0.75, rtol=0.04)


def test_a_body_under_a_known_floor_is_raised():
    people, sizing = standing([(0, 4)], [1.0]), Sizing(BODY)
    lower = dataclasses.replace(people, cam_t=people.cam_t - 0.04 * GROUND.up)
    measured = see(sizing, lower, 0.0)
    assert soles_m(lower)[0] < -0.035
    settled = sizing.settled(lower, measured.by_ground, measured.feet_seen, GROUND)
    assert soles_m(settled)[0] > -0.01
    assert sizing.settled(lower, measured.by_ground, measured.feet_seen, None) is lower


@pytest.mark.parametrize("factor", [0.95, 1.2])
def test_feet_that_are_not_seen_say_something_but_never_more_with_time(factor):
    people = standing([(0, 4)], [1.0])
    guess = mistaken(people, [factor])
    first, last = (watch(Sizing(BODY), guess, seconds, feet=False) for seconds in (0.1, 5))
    assert not last.by_ground.any()
    off = distances(last.estimates) / distances(people) - 1
    assert 0.5 < off / (factor - 1) < 0.9
    assert_allclose(last.estimates.cam_t, first.estimates.cam_t, rtol=0.01)
    assert_allclose(last.estimates.root_covariance, first.estimates.root_covariance, rtol=0.1)
    assert 0.6 < uncertainty(last.estimates) / uncertainty(guess) < 0.98


def test_feet_that_were_seen_are_worth_more_than_feet_that_are_not():
    people, sizing = standing([(0, 4)], [1.0]), Sizing(BODY)
    known = watch(sizing, people, 2)
    higher = standing([(0, 4)], [1.0], 0.2)
    measured = watch(sizing, higher, 5, 2.0, feet=False)
    assert_allclose(distances(measured.estimates), distances(higher), rtol=0.02)
    assert_allclose(sizes_of(measured.estimates), sizes_of(known.estimates), rtol=0.02)


def test_one_foot_in_view_is_enough_if_it_is_the_lower_one():
    people = standing([(0, 4)], [1.0])
    people.body_pose[0, 1] = [-0.8, 0, 0]  # the right hip: that foot is in the air
    for seen, used in ([[True, False]], True), ([[False, True]], False):
        measured = Sizing(BODY)(ONE, people, CAMERA, np.array(seen), Evidence(0.0, None, GROUND))
        assert measured.by_ground[0] == used


def test_shapes_take_the_known_sizes_and_others_stay():
    sizing, people = Sizing(BODY), standing([(0, 4), (1, 4)], [1.0, 0.9])
    watch(sizing, people.take(np.array([0])), 2, ids=ONE)
    ids = np.array([9, 4])
    shaped = sizing.resized(ids, mistaken(people, [1.1, 1.1]))
    assert_array_equal(shaped.betas[0], mistaken(people, [1.1, 1.1]).betas[0])
    assert sizes_of(shaped)[1] == pytest.approx(1.0, rel=0.02)
    sizing.forget([4])
    assert sizing.resized(ids, people) is people


def test_a_body_is_compared_with_the_size_that_is_known():
    sizing, people = Sizing(BODY), standing([(0, 4), (1, 4)], [1.0, 1.0])
    watch(sizing, people.take(np.array([0])), 2, ids=ONE)
    assert_allclose(sizing.growth(np.array([4, 9]), mistaken(people, [1.2, 1.2])), [1.2, np.nan], rtol=0.02)
    assert len(sizing.growth(ONE[:0], people.take(ONE[:0]))) == 0


def test_depth_and_ground_feed_one_size():
    """A wall through a person's front at 4 m says how far; later the ground agrees, and nothing jumps."""
    people = standing([(0, 4)], [1.0])
    sizing, guess = Sizing(BODY), mistaken(people, [1.1])
    wall = DepthImage(np.full((720, 1280), 3.92))
    feet = np.ones((1, 2), np.bool_)
    for image in range(10):
        by_depth = sizing(ONE, guess, CAMERA, feet, Evidence(image / HZ, wall, GROUND))
    assert by_depth.by_depth.all()
    assert not by_depth.by_ground.any()
    by_ground = sizing(ONE, guess, CAMERA, feet, Evidence(1.1, None, GROUND))
    assert by_ground.by_ground.all()
    assert_allclose(distances(by_ground.estimates), distances(by_depth.estimates), rtol=0.03)
    assert_allclose(sizes_of(by_ground.estimates), sizes_of(by_depth.estimates), rtol=0.03)


def test_people_under_the_horizon_alone_touch_the_ground():
    """A body upside down above the camera has its feet there: they say nothing."""
    people = standing([(0, 4)], [1.0], above_m=3.0)
    assert not see(Sizing(BODY), people, 0.0).by_ground.any()


@pytest.mark.parametrize("count", [0, 2])
def test_no_people_and_people_without_a_position_are_normal(count):
    measured = see(Sizing(BODY), Estimates.unknown(count), 0.0)
    assert len(measured.estimates) == len(measured.by_ground) == len(measured.sized) == count
    assert not measured.sized.any()
