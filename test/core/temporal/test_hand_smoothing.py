# SPDX-License-Identifier: Apache-2.0
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import UNTRACKED
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.hand_smoothing import DOUBT_S, HOLD_S, HandPosture, HandSmoother

IDS = np.array([7])
STEP_S = 0.05


def hand(weight: float, flexion: float = 0.0, turn: float = 0.0, people: int = 1) -> HandPosture:
    """The left hand of each person; the right one is not seen."""
    angles = np.zeros((people, 2, 15, 2))
    angles[:, 0, :, 0] = flexion
    wrists = np.tile(np.eye(3), (people, 2, 1, 1))
    wrists[:, 0] = rotvec_to_rotmat(np.array([turn, 0, 0]))
    return HandPosture(angles, wrists, np.array([[weight, 0.0]] * people))


def turn_of(found: HandPosture) -> float:
    return float(rotmat_to_rotvec(found.wrists[0, 0])[0])


def test_a_new_hand_is_as_it_is_seen_and_an_unseen_one_rests():
    found = HandSmoother()(IDS, hand(0.9, 0.5, 0.3), 10.0)
    assert_allclose(found.weights, [[0.9, 0]])
    assert_allclose(found.angles[0, 0, :, 0], 0.5)
    assert_allclose(turn_of(found), 0.3)


def test_noise_is_smoothed_and_a_movement_is_followed():
    rng, smoother = np.random.default_rng(0), HandSmoother()
    noisy = [smoother(IDS, hand(1, 0.5 + 0.1 * rng.normal()), k * STEP_S).angles[0, 0, 0, 0] for k in range(60)]
    assert np.std(noisy[20:]) < 0.06
    moving = [smoother(IDS, hand(1, 0.5 + 2 * k * STEP_S), 3 + k * STEP_S).angles[0, 0, 0, 0] for k in range(10)]
    assert_allclose(moving[-1], 0.5 + 2 * 9 * STEP_S, atol=0.1)


def test_without_smoothing_measurements_pass():
    smoother = HandSmoother(SmoothingConfig(min_cutoff=0))
    smoother(IDS, hand(1, 0.1, 0.1), 0.0)
    found = smoother(IDS, hand(1, 0.9, 0.4), STEP_S)
    assert_allclose(found.angles[0, 0, :, 0], 0.9)
    assert_allclose(turn_of(found), 0.4)


def test_a_wrist_that_flips_for_an_image_is_not_followed():
    smoother = HandSmoother()
    for k in range(10):
        smoother(IDS, hand(1, 0.5, 0.2), k * STEP_S)
    flipped = smoother(IDS, hand(1, 0.0, 2.0), 10 * STEP_S)
    assert_allclose(turn_of(flipped), 0.2)
    assert_allclose(flipped.angles[0, 0, :, 0], 0.5)
    assert_allclose(flipped.weights, [[1, 0]])
    assert_allclose(turn_of(smoother(IDS, hand(1, 0.5, 0.2), 11 * STEP_S)), 0.2)


def test_a_wrist_that_stays_where_it_jumped_is_believed():
    smoother = HandSmoother()
    smoother(IDS, hand(1, 0.5, 0.2), 0.0)
    turns = [turn_of(smoother(IDS, hand(1, 0.5, 2.0), t)) for t in (DOUBT_S / 2, DOUBT_S - 0.01, DOUBT_S + 0.01)]
    assert_allclose(turns, [0.2, 0.2, 2.0])


def test_a_lost_hand_holds_then_relaxes_to_rest_exactly():
    smoother = HandSmoother()
    smoother(IDS, hand(1, 0.5, 0.2), 0.0)
    held = smoother(IDS, hand(0), HOLD_S - 0.01)
    assert_allclose(held.weights, [[1, 0]])
    assert_allclose(held.angles[0, 0, :, 0], 0.5)
    relaxing = smoother(IDS, hand(0), HOLD_S + 0.2).weights[0, 0]
    assert 0.3 < relaxing < 0.7
    for k in range(40):
        last = smoother(IDS, hand(0), HOLD_S + 0.2 + k * STEP_S)
    assert_array_equal(last.weights, [[0, 0]])


def test_relaxing_does_not_depend_on_the_rate_of_images():
    ends = []
    for step in (0.01, 0.1):
        smoother = HandSmoother()
        smoother(IDS, hand(1, 0.5), 0.0)
        for k in range(round(0.6 / step)):
            last = smoother(IDS, hand(0), (k + 1) * step)
        ends.append(last.weights[0, 0])
    assert_allclose(ends[0], ends[1], atol=1e-6)


def test_a_hand_that_comes_into_view_takes_over_gradually():
    smoother = HandSmoother()
    smoother(IDS, hand(0), 0.0)
    weights = [smoother(IDS, hand(1, 0.5), (k + 1) * STEP_S).weights[0, 0] for k in range(20)]
    assert 0.2 < weights[0] < 0.6
    assert np.all(np.diff(weights) > 0)
    assert weights[-1] > 0.99


def test_hands_follow_their_person_and_side():
    smoother = HandSmoother(SmoothingConfig(min_cutoff=0.01, beta=0))
    both = join_rows([hand(1, 0.1), hand(1, 0.9)])
    smoother(np.array([3, 5]), both, 0.0)
    found = smoother(np.array([5, 3]), hand(0, people=2), STEP_S)
    assert_allclose(found.angles[:, 0, 0, 0], [0.9, 0.1])


def test_untracked_and_absent_people_are_forgotten_and_time_that_goes_back_begins_again():
    smoother = HandSmoother()
    smoother(np.array([UNTRACKED]), hand(1, 0.5), 0.0)
    assert_array_equal(smoother(np.array([UNTRACKED]), hand(0), STEP_S).weights, [[0, 0]])
    smoother(IDS, hand(1, 0.5), 1.0)
    smoother(np.zeros(0, np.int64), hand(0, people=0), 1.1)
    assert_array_equal(smoother(IDS, hand(0), 1.2).weights, [[0, 0]])
    smoother(IDS, hand(1, 0.5), 2.0)
    assert_array_equal(smoother(IDS, hand(0), 1.0).weights, [[0, 0]])
