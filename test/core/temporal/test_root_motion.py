# SPDX-License-Identifier: Apache-2.0
"""Positions and velocities: the filter is Kalman's, each direction by its own noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.camera_motion import Motions
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.temporal import root_motion
from hmr_ros.core.temporal.root_motion import RootMotion
from hmr_ros.core.uncertainty import stretched

AHEAD = np.array([0.0, 0.0, 4.0])
ALONG_M, ACROSS_M = 0.2, 0.03


def stated(positions: np.ndarray, along_m: float = ALONG_M, across_m: float = ACROSS_M) -> np.ndarray:
    """(N, 3, 3) covariances of (N, 3) m."""
    bearing = positions / np.linalg.norm(positions, axis=-1, keepdims=True)
    return stretched(np.full(len(positions), along_m**2), np.full(len(positions), across_m**2), bearing)


def followed(track: np.ndarray, rate_hz: float = 30.0, noise: float = 1.0) -> RootMotion:
    """After (T, N, 3) m."""
    state = RootMotion.begun(track[0], stated(track[0]))
    for raw in track[1:]:
        state = state.measured(raw, stated(raw), np.full(track.shape[1], 1 / rate_hz), noise)
    return state


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_axis_is_filtered_as_the_textbook_has_it(axis, monkeypatch):
    """A person straight ahead who moves along one axis by little: state (position, velocity), matrices in full."""
    monkeypatch.setattr(root_motion, "_ACCELERATION_BY_SPEED", 0.0)
    rng, dt = np.random.default_rng(0), 0.1
    offsets = np.cumsum(0.01 * rng.normal(size=20))
    deviation = 0.25 * ALONG_M if axis == 2 else 0.5 * ACROSS_M
    x, P = np.array([offsets[0], 0.0]), np.diag([deviation**2, 0.49])
    F, Q = np.array([[1, dt], [0, 1]]), 0.001 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    state = RootMotion.begun(AHEAD[None] + offsets[0] * np.eye(3)[axis], stated(AHEAD[None]))
    for offset in offsets[1:]:
        x, P = F @ x, F @ P @ F.T + Q
        gain = P[:, 0] / (P[0, 0] + deviation**2)
        x, P = x + gain * (offset - x[0]), P - np.outer(gain, P[0])
        raw = AHEAD[None] + offset * np.eye(3)[axis]
        state = state.measured(raw, stated(AHEAD[None]), np.full(1, dt), 1.0)
        if axis == 2:
            assert_allclose([state.value[0, 2] - 4, state.velocity[0, 2]], x, atol=1e-9)
            assert_allclose(state.variances[0, 0], [P[0, 0], P[0, 1], P[1, 1]], rtol=1e-9)
        else:
            assert_allclose([state.value[0, axis], state.velocity[0, axis]], x, atol=0.003)


def test_people_who_stand_have_no_velocity_and_walkers_their_own():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(90, 200, 3)) * [0.5 * ACROSS_M, 0.5 * ACROSS_M, 0.25 * ALONG_M]
    standing = followed(AHEAD + noise)
    assert np.median(np.linalg.norm(standing.velocity, axis=1)) < 0.1
    steps = (np.arange(90) / 30 - 1.5)[:, None, None] * np.array([1.2, 0, -0.5])
    walking = followed(AHEAD + steps + 0.2 * noise)
    assert_allclose(walking.velocity.mean(0), [1.2, 0, -0.5], atol=0.05)


def test_a_larger_deviation_is_filtered_more():
    raw, there = np.stack([AHEAD, AHEAD]), np.stack([AHEAD, AHEAD]) + [0, 0, 0.3]
    covariance = np.concatenate([stated(raw[:1], 0.05), stated(raw[1:], 0.5)])
    state = RootMotion.begun(raw, covariance)
    for _ in range(30):
        state = state.measured(raw, covariance, np.full(2, 0.1), 1.0)
    moved = state.measured(there, covariance, np.full(2, 0.1), 1.0).value[:, 2] - 4
    assert moved[0] > 2 * moved[1] > 0


def test_without_a_covariance_a_usual_one_is_assumed():
    unknown = np.full((1, 3, 3), np.nan)
    usual = stated(AHEAD[None], 0.07 * 4, 0.014)
    begun = [RootMotion.begun(AHEAD[None], c) for c in (unknown, usual)]
    assert_allclose(begun[0].variances, begun[1].variances)
    moved = [s.measured(AHEAD[None] + 0.1, unknown, np.full(1, 0.1), 1.0).value for s in begun]
    assert_allclose(*moved)


def test_without_noise_positions_are_as_measured_and_again_smooth_afterwards():
    track = AHEAD + np.random.default_rng(2).normal(size=(10, 2, 3)) * 0.05
    state = followed(track, noise=0.0)
    assert_allclose(state.value, track[-1], atol=1e-9)
    assert np.isfinite(state.variances).all()
    after = state.measured(track[0], stated(track[0]), np.full(2, 0.1), 1.0)
    assert np.isfinite(after.value).all()


def test_carried_people_are_filtered_as_if_the_camera_had_stood_still():
    turn = Motions(rotvec_to_rotmat(np.array([[0.2, -0.4, 0.1]])), np.zeros((1, 3)))
    state = followed((AHEAD + np.arange(20)[:, None] * [0.04, 0, 0.01])[:, None])
    raw = state.value + [0.1, 0.05, -0.2]
    here = state.measured(raw, stated(raw), np.full(1, 0.1), 1.0)
    there = state.carried(turn).measured(turn.points(raw), stated(turn.points(raw)), np.full(1, 0.1), 1.0)
    assert_allclose(there.value, turn.points(here.value), atol=1e-9)
    assert_allclose(there.velocity, turn.directions(here.velocity), atol=1e-9)


def test_rows_are_replaced_whole():
    one, two = followed(AHEAD + np.zeros((5, 2, 3))), followed(AHEAD + np.ones((5, 2, 3)))
    mixed = one.replaced(np.array([True, False]), two)
    for name in ("value", "velocity", "raw", "variances", "surprise"):
        assert_allclose(getattr(mixed, name), [getattr(two, name)[0], getattr(one, name)[1]])


def test_what_surprises_is_summed_in_both_directions_and_forgotten():
    state = RootMotion.begun(AHEAD[None], stated(AHEAD[None]))
    assert not state.surprise.any()
    there = AHEAD[None] + [0.03, 0.04, 0]
    once = state.measured(there, stated(there), np.full(1, 0.1), 1.0)
    assert_allclose(once.surprise, [[0, 0.05**2]], atol=1e-4)
    expected = once.value + 0.7 * once.velocity
    again = once.measured(expected, stated(expected), np.full(1, 0.7), 1.0)
    assert_allclose(again.surprise, once.surprise / np.e, rtol=1e-6)


def test_no_people_are_a_normal_value():
    assert len(followed(np.zeros((3, 0, 3)))) == 0
