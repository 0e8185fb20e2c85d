# SPDX-License-Identifier: Apache-2.0
"""Feet that stand are held, those that move are not."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.fitting.legs import ANKLES
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Estimates
from hmr_ros.core.temporal import footing
from hmr_ros.core.temporal.root_motion import RootMotion
from hmr_ros.core.temporal.smoothing import BodySmoother

BODY = load_body_model(models_dir() / "open_body.npz")
STATED = np.tile(np.diag([0.03, 0.03, 0.2]) ** 2, (1, 2, 1, 1))


def held(ankles: np.ndarray, rate_hz: float, noise: float = 1.0) -> np.ndarray:
    """(T, 1, 2, 3) m seen -> the same, held."""
    feet, out, dt = footing.unknown_feet(1), [], np.full(1, 1 / rate_hz)
    for now in ankles:
        feet = footing.measured_feet(feet, RootMotion.begun(now, STATED), dt, noise)
        out.append(footing.held(feet))
    return np.array(out)


def step(rate_hz: float, seconds: float = 2.0) -> np.ndarray:
    """(T, 1, 2, 3) m of two feet, 4 m away: the left one stands, the right one is swung to and fro."""
    t = np.arange(0, seconds, 1 / rate_hz)
    ankles = np.zeros((len(t), 1, 2, 3)) + [0.0, 1, 4]
    ankles[:, 0, 1, 0] += 0.5 * np.sin(2 * np.pi * t)
    return ankles


@pytest.mark.parametrize("rate_hz", [5.0, 10.0, 30.0, 60.0])
def test_a_foot_that_stands_is_held_and_one_that_moves_is_not(rate_hz: float):
    truth = step(rate_hz)
    noise = np.random.default_rng(0).normal(size=truth.shape) * [0.01, 0.01, 0.03]
    found = held(truth + noise, rate_hz)[len(truth) // 2 :]
    off, before = found - truth[len(truth) // 2 :], noise[len(truth) // 2 :]
    assert np.square(off[:, 0, 0]).sum() < 0.5 * np.square(before[:, 0, 0]).sum()
    fast = np.abs(np.cos(2 * np.pi * np.arange(len(off)) / rate_hz)) > 0.5
    assert np.abs(off[fast, 0, 1, 0]).max() < 0.05


def test_a_new_foot_and_one_without_noise_are_where_they_are_seen():
    track = step(10) + 0.01 * np.random.default_rng(1).normal(size=(20, 1, 2, 3))
    assert_allclose(held(track, 10)[0], track[0])
    assert_allclose(held(track, 10, noise=0.0), track, atol=1e-9)


def test_a_foot_is_not_held_back_farther_than_it_may():
    track = step(30)
    track[-1, ..., 0] += 1.5
    assert np.linalg.norm(held(track, 30)[-1] - track[-1], axis=-1).max() <= 0.2 + 1e-9


def trembling(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Ankles (T, 2, 3) m, and pelves, of a person who stands while the legs are estimated anew in each image."""
    rng, smoother, found = np.random.default_rng(2), BodySmoother(BODY, SmoothingConfig(position_noise=noise)), []
    for k in range(60):
        pose = np.zeros((1, 23, 3))
        pose[0, [0, 1], 0] = 0.05 * rng.normal(size=2) - 0.2
        pose[0, [3, 4], 0] = 0.4
        person = dataclasses.replace(
            Estimates.unknown(1),
            global_orient=np.array([[np.pi, 0, 0]]),
            body_pose=pose,
            betas=np.zeros((1, 10)),
            cam_t=np.array([[0.0, 0, 4]]),
            joint_covariance=np.tile(0.03**2 * np.eye(3), (1, 24, 1, 1)),
            root_covariance=STATED[:, 0],
            valid=np.ones(1, np.bool_),
        )
        smooth = smoother(np.ones(1, np.int64), person, k / 30)
        joints = BODY.posed_joints(smooth.global_orient, smooth.body_pose, smooth.betas)[0]
        found.append(np.concatenate([(joints - joints[0] + smooth.cam_t)[ANKLES], smooth.cam_t]))
    return np.array(found)[30:, :2], np.array(found)[30:, 2]


def test_a_smoothed_body_stands_on_its_feet():
    (ankles, pelves), (loose, _) = trembling(1.0), trembling(0.0)
    assert np.diff(ankles, axis=0).std() < 0.5 * np.diff(loose, axis=0).std()
    assert_allclose(pelves, np.tile([0.0, 0, 4], (30, 1)), atol=1e-6)
