# SPDX-License-Identifier: Apache-2.0
"""People who are smoothed at several rates, and the table about them."""

import dataclasses

import numpy as np
import pytest
from numpy.random import default_rng

from hmr_ros.core.people import Detections, Estimates
from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.ground.scenes import Walk
from hmr_ros.evaluation.smoothing import report, trial
from hmr_ros.evaluation.smoothing.trial import FILTERS, RATES_HZ, Outcomes, Trial
from hmr_ros.perception.body_estimator import BodyEstimator
from test.core.temporal.standing import BODY

IMAGES = 46
SCALE = 1.1


class Estimator(BodyEstimator):
    """Estimates a person ``SCALE`` times as far away as in truth, with noise."""

    method = "simulated"
    calibration = None

    def __init__(self, roots, noise_m):
        self.roots, self.noise_m, self.done = roots, noise_m, 0

    def estimate(self, image, detections, camera, shed=None):
        count = len(detections)
        roots = SCALE * self.roots[self.done : self.done + count]
        rng = default_rng(self.done)
        self.done += count
        return dataclasses.replace(
            Estimates.unknown(count),
            global_orient=np.tile([np.pi, 0, 0], (count, 1)),
            body_pose=np.zeros((count, 23, 3)),
            betas=np.zeros((count, 10)),
            cam_t=roots + self.noise_m * rng.normal(size=roots.shape),
            valid=np.ones(count, np.bool_),
        )


def outcomes(monkeypatch, velocity, noise_m=0.0):
    """Of a person who moves steadily."""
    roots = np.array([-1.0, 0.2, 4.0]) + np.arange(IMAGES)[:, None] / 30 * np.array(velocity)
    upright = np.tile([np.pi, 0, 0], (IMAGES, 1))
    joints = BODY.posed_joints(upright, np.zeros((IMAGES, 23, 3)), np.zeros((IMAGES, 10)))
    joints = joints - joints[:, :1] + roots[:, None]
    detections = Detections.of_boxes(np.zeros((IMAGES, 4)))
    walk = Walk(detections, joints, np.ones(IMAGES, bool), 1.7, "walk")
    monkeypatch.setattr(trial, "sample_walk", lambda *arguments: walk)
    return join_rows(list(Trial(Estimator(roots, noise_m), BODY)("motion", 1, seed=0)))


def test_a_wrong_size_is_no_error_and_a_steady_walk_trails_by_the_baseline_alone(monkeypatch):
    found = {(row.filter, row.rate_hz): row for row in report.rows(outcomes(monkeypatch, (0.5, 0.0, 0.0)))}
    assert {name for name, _ in found} == set(FILTERS)
    assert {rate for _, rate in found} == set(RATES_HZ)
    assert all(found["none", rate].error_mm < 5 for rate in RATES_HZ)
    assert abs(found["Kalman", 30].lag_ms) < 5
    assert found["Kalman", 30].images == 29


def test_noise_is_smoothed_and_feet_skate_less(monkeypatch):
    found = {row.filter: row for row in report.rows(outcomes(monkeypatch, (0, 0, 0), 0.01)) if row.rate_hz == 30}
    for name in FILTERS[1:]:
        for column in ("trembling_mm", "jerkiness_mm", "error_mm", "skating_mm_s"):
            assert getattr(found[name], column) < 0.7 * getattr(found["none"], column)
    assert np.isnan(found["Kalman"].lag_ms) or found["Kalman"].lag_ms == 0


def test_lag_and_trailing_are_how_far_people_are_behind_themselves():
    velocity = np.array([[1.0, 0, 0], [0, 0, 2.0], [0.05, 0, 0]])
    people = Outcomes(
        error=-0.02 * velocity,
        velocity=velocity,
        acceleration=np.array([0.1, 0.1, 0.004]),
        jerkiness=np.array([0.01, 0.02, 0.03]),
        feet=np.array([[1.0, 0.3], [1.0, 1.0], [1.0, 1.0]]),
        true_feet=np.array([[1.0, 0.05], [1.0, 1.0], [1.0, 1.0]]),
        filter=np.full(3, "Kalman"),
        rate_hz=np.full(3, 30.0),
    )
    row = report._row("Kalman", 30.0, people)
    assert row.lag_ms == pytest.approx(20)
    assert row.trailing_mm == pytest.approx(30)
    assert row.trembling_mm == pytest.approx(4)
    assert row.jerkiness_mm == pytest.approx(20)
    assert row.skating_mm_s == pytest.approx(300)
    assert "Kalman  30  3       20.0" in report.table([row])
