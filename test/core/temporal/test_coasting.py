# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.temporal.coasting import coasted, pose_drift
from hmr_ros.core.uncertainty import joint_drift


def test_people_come_to_a_stop():
    places, velocities = np.zeros((4, 3)), np.tile([1.0, 0, -2.0], (4, 1))
    moved = coasted(places, velocities, np.array([0.0, 0.1, 1.0, 60.0]))
    assert np.array_equal(moved[0], places[0])
    assert moved[1] == pytest.approx(velocities[1] * 0.1, abs=0.025)
    assert moved[3] == pytest.approx(velocities[3] * 0.5)
    assert (np.diff(moved[:, 0]) > 0).all()


def test_a_pose_drifts_to_another_one():
    """Means over joints as measured: see the table in docs/tracking.md."""
    drift = pose_drift(np.array([0.0, 0.1, 0.3, 0.5, 1.0]))
    assert drift.shape == (5, 24)
    assert (drift[:, 0] == 0).all()  # the pelvis is where joints are told from
    assert drift.mean(1) == pytest.approx([0, 0.044, 0.112, 0.15, 0.18], abs=0.035)


def test_no_people():
    none = np.zeros(0)
    assert coasted(np.zeros((0, 3)), np.zeros((0, 3)), none).shape == (0, 3)
    assert pose_drift(none).shape == (0, 24)


def test_the_way_is_that_of_a_velocity_that_halves_again_and_again():
    """After 0.5 ln 2 s half of the way is done, after twice that three quarters; a mean distance is 1.6 deviations."""
    moved = coasted(np.ones((2, 3)), np.array([[2.0, 0, -4]] * 2), 0.5 * np.log([2.0, 4.0]))
    assert moved == pytest.approx(1 + np.array([[0.5, 0, -1.0], [0.75, 0, -1.5]]))
    draws = np.linalg.norm(np.random.default_rng(0).normal(size=(100_000, 3)), axis=1).mean()
    assert pose_drift(np.array([0.2]))[0] == pytest.approx(draws * joint_drift(np.array([0.2]))[0], rel=0.01)
