# SPDX-License-Identifier: Apache-2.0
"""The contact of a body with the ground, against whole meshes and against least squares written out."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.fitting.ground import (
    CONTACT_M,
    IMAGE_SCALE,
    RISING_S,
    Contact,
    Soles,
    contact,
    fit_ground,
    guessed_deviation,
    standing,
)
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Estimates
from test.core.temporal.standing import BODY

UP = np.array([0.0, -0.98, -((1 - 0.98**2) ** 0.5)])
GROUND = Ground.stated(UP, 1.2, 0.02, 0.01)
SURE = np.tile(1e-4 * np.eye(3), (24, 1, 1))


def people(count, seed=0, bend=0.3):
    rng = np.random.default_rng(seed)
    return dataclasses.replace(
        Estimates.unknown(count),
        global_orient=np.tile([np.pi, 0, 0], (count, 1)) + 0.1 * rng.normal(size=(count, 3)),
        body_pose=bend * rng.normal(size=(count, 23, 3)),
        betas=rng.normal(size=(count, 10)),
        cam_t=np.zeros((count, 3)),
        valid=np.ones(count, np.bool_),
    )


def test_the_lowest_point_of_the_soles_is_the_lowest_of_the_whole_body():
    walking = people(20)
    posed = BODY.posed(walking.global_orient, walking.body_pose, walking.betas, walking.cam_t)
    lowest = (posed.vertices @ UP).min(1)
    soles = Soles.of(BODY)(walking)
    assert soles.shape[:2] == (20, 2)
    assert_allclose((soles @ UP).min((1, 2)), lowest, atol=0.006)
    left, right = soles.mean(2).transpose(1, 0, 2)
    ankles = posed.joints[:, [7, 8]].transpose(1, 0, 2)
    assert np.linalg.norm(left - ankles[0], axis=1).max() < 0.2
    assert np.linalg.norm(right - ankles[1], axis=1).max() < 0.2


def soles(left_m, right_m):
    """Two soles of two points, so high along UP; the feet are 0.3 m apart."""
    flat = np.array([[[-0.15, 0, 0], [-0.15, 0, 0.1]], [[0.15, 0, 0], [0.15, 0, 0.1]]])
    flat -= (flat @ UP)[..., None] * UP
    return flat + np.array([left_m, right_m])[:, None, None] * UP


@pytest.mark.parametrize(
    ("left_m", "right_m", "seen", "x"),
    [
        (0.0, 0.0, (True, True), 0.0),
        (0.0, 0.3, (True, True), -0.15),
        (0.3, 0.0, (True, True), 0.15),
        (0.0, 0.3, (True, False), -0.15),
        (0.0, 0.01, (True, False), -0.15),
    ],
)
def test_the_lower_foot_has_the_contact_and_both_where_they_share_it(left_m, right_m, seen, x):
    found = contact(soles(left_m, right_m), SURE, UP, np.array(seen))
    assert found.seen
    assert found.point[0] == pytest.approx(x, abs=1e-3)
    assert found.point @ UP == pytest.approx(0, abs=1e-9)
    assert found.deviation_m == pytest.approx(0.01)


@pytest.mark.parametrize(("right_m", "seen"), [(0.0, (False, True)), (0.3, (False, True)), (0.3, (False, False))])
def test_a_lower_foot_that_is_not_seen_is_expected_to_touch(right_m, seen):
    found = contact(soles(0.0, right_m), SURE, UP, np.array(seen))
    assert not found.seen
    assert found.point[0] == pytest.approx(-0.15)
    assert found.deviation_m == pytest.approx(np.hypot(0.2, 0.01))


def test_a_leg_of_unknown_pose_is_not_trusted():
    assert contact(soles(0, 0), np.full((24, 3, 3), np.nan), UP, np.ones(2, bool)).deviation_m == pytest.approx(0.05)


def person(scale=1.0, deviation=0.1):
    cam_t = np.array([0.3, 0.1, 4.0])
    bearing = cam_t / np.linalg.norm(cam_t)
    covariance = 0.02**2 * np.eye(3) + 0.3**2 * np.outer(bearing, bearing)
    return standing(cam_t, covariance, scale, deviation)


TOUCHING = Contact(np.array([0.1, 0.9, 0.05]), 0.03)


@pytest.mark.parametrize("scale", [0.9, 1.1])
@pytest.mark.parametrize("rising_m_s", [0.0, 0.5])
def test_the_update_is_the_weighted_least_squares_of_all_equations(scale, rising_m_s):
    """Unknowns scale and shift; equations: what is known of both, and the contact."""
    before = person(scale)
    start = before.cam_t + TOUCHING.point
    above = 1.2 + scale * UP @ start
    variance = CONTACT_M**2 + (scale * 0.03) ** 2 + GROUND.deviation(scale * start) ** 2 + (RISING_S * rising_m_s) ** 2
    noise = np.sqrt(UP @ before.shift @ UP + variance)
    variance += (0.5 * max(above - noise, 0)) ** 2
    prior = np.zeros((4, 4))
    prior[0, 0], prior[1:, 1:] = 0.1**2, before.shift
    row = np.concatenate([[UP @ start], UP])
    information = np.linalg.inv(prior) + np.outer(row, row) / variance
    solved = np.linalg.solve(information, np.linalg.inv(prior) @ [scale, 0, 0, 0] - row * 1.2 / variance)
    fit = fit_ground(before, TOUCHING, GROUND, rising_m_s)
    assert fit.scale == pytest.approx(solved[0])
    assert_allclose(fit.cam_t, solved[0] * before.cam_t + solved[1:])
    to_root = np.concatenate([before.cam_t[:, None], np.eye(3)], 1)
    bearing = before.cam_t / np.linalg.norm(before.cam_t)
    exact = to_root @ np.linalg.inv(information) @ to_root.T
    assert bearing @ fit.covariance @ bearing == pytest.approx(bearing @ exact @ bearing)
    assert fit.measured == pytest.approx(-1.2 / (UP @ start))


def test_a_residual_tells_contact_from_none():
    low, high = (fit_ground(person(scale, 0.02), TOUCHING, GROUND, 0.0) for scale in (1.0, 0.5))
    assert low.is_contact == (abs(low.residual) <= 3)
    assert not high.is_contact
    assert high.residual > 3, "so much nearer, the feet are in the air"


def test_feet_above_the_camera_touch_no_ground():
    above = Contact(np.array([0.0, -2, 0]), 0.03)
    assert fit_ground(person(), above, GROUND, 0.0) is None


def test_what_a_network_states_is_divided_between_size_and_image():
    cam_t = np.array([0.0, 0, 5])
    covariance = np.diag([0.02, 0.02, 0.4]) ** 2
    deviation = guessed_deviation(cam_t, covariance)
    assert deviation == pytest.approx(np.sqrt(0.08**2 - IMAGE_SCALE**2))
    assert_allclose(standing(cam_t, covariance, 1.0, deviation).covariance, covariance)
    assert guessed_deviation(cam_t, np.diag([0.02, 0.02, 0.01]) ** 2) == IMAGE_SCALE
    unknown = np.full((3, 3), np.nan)
    assert guessed_deviation(cam_t, unknown) == 0.1
    assert np.isfinite(standing(cam_t, unknown, 1.0, 0.1).covariance).all()
