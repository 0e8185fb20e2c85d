# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.temporal.velocity import VelocityFilter, filtered_velocity

IDS = np.array([3])
SEEN = np.array([True])


def test_velocity_is_a_low_pass_of_what_people_move():
    velocity = np.zeros((1, 3))
    for _ in range(100):
        velocity = filtered_velocity(velocity, np.array([[0.1, 0, 0]]), 0.1, memory_s=0.5)
    assert velocity == pytest.approx(np.array([[1.0, 0, 0]]))
    dt_s = np.array([[0.5 * np.log(2)], [0.5 * np.log(4)]])
    fractions = filtered_velocity(np.zeros((2, 3)), dt_s * [1.0, 0, 0], dt_s, memory_s=0.5)
    assert fractions == pytest.approx(np.array([[0.5, 0, 0], [0.75, 0, 0]]))


def test_a_steady_walk_has_its_speed():
    velocities = VelocityFilter()
    for k in range(60):
        velocity = velocities(IDS, np.array([[1.2 * k / 30, 0, 0.3 * k / 30]]), SEEN, k / 30)
    assert np.allclose(velocity, [[1.2, 0, 0.3]], atol=1e-2)


def test_noise_is_smoothed(rng):
    velocities = VelocityFilter()
    places = 0.01 * rng.normal(size=(300, 1, 3))
    speeds = [velocities(IDS, place, SEEN, k / 30) for k, place in enumerate(places)]
    assert np.std(speeds[50:]) < 0.4 * np.std(np.diff(places, axis=0) * 30)


def test_newcomers_and_returners_stand_still():
    velocities = VelocityFilter()
    assert np.array_equal(velocities(IDS, np.ones((1, 3)), SEEN, 0.0), np.zeros((1, 3)))
    velocities(IDS, np.full((1, 3), 2.0), SEEN, 0.1)
    assert np.array_equal(velocities(IDS, np.ones((1, 3)), SEEN, 2.0), np.zeros((1, 3)))
    velocities.forget([3])
    assert np.array_equal(velocities(IDS, np.zeros((1, 3)), SEEN, 2.1), np.zeros((1, 3)))


def test_a_track_seen_again_did_not_jump_there():
    velocities = VelocityFilter()
    for k in range(60):
        walking = velocities(IDS, np.array([[1.2 * k / 30, 0, 0]]), SEEN, k / 30)
    coasting = velocities(IDS, np.array([[1.2 * 2, 0, 0]]), ~SEEN, 2.0)
    again = velocities(IDS, np.array([[2.9, 0, 0]]), SEEN, 2 + 1 / 30)
    assert np.allclose(coasting, walking, atol=1e-2)
    assert np.array_equal(again, coasting)


def test_no_people():
    assert VelocityFilter()(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0, np.bool_), 0.0).shape == (0, 3)


@pytest.mark.parametrize(("gap_s", "moves"), [(0.5, True), (0.51, False), (0.0, False), (-0.1, False)])
def test_a_gap_longer_than_half_a_second_or_backwards_ends_a_velocity(gap_s, moves):
    velocities = VelocityFilter()
    velocities(IDS, np.zeros((1, 3)), SEEN, 10.0)
    assert velocities(IDS, np.array([[0.3, 0, 0]]), SEEN, 10.0 + gap_s).any() == moves


def test_a_walking_velocity_follows_within_a_quarter_of_a_second():
    """The first step of 1 m/s after 0.25 ln 2 s at rest: half of it."""
    velocities = VelocityFilter()
    velocities(IDS, np.zeros((1, 3)), SEEN, 0.0)
    dt_s = 0.25 * np.log(2)
    assert velocities(IDS, np.array([[0, dt_s, 0]]), SEEN, dt_s) == pytest.approx(np.array([[0, 0.5, 0]]))


def test_people_are_known_by_their_ids_and_expected_positions_are_movement():
    velocities = VelocityFilter()
    velocities(np.array([3, 5]), np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([True, True]), 0.0)
    found = velocities(np.array([5, 3]), np.array([[1.0, 0, 0], [0.1, 0, 0]]), np.array([True, False]), 0.1)
    assert found[0] == pytest.approx(np.zeros(3))
    assert found[1, 0] > 0.1
    velocities.forget([5, 99])
    kept = velocities(np.array([5, 3]), np.array([[2.0, 0, 0], [0.2, 0, 0]]), np.array([True, False]), 0.2)
    assert kept[0] == pytest.approx(np.zeros(3))
    assert kept[1, 0] > found[1, 0]
