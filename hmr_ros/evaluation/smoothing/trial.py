# SPDX-License-Identifier: Apache-2.0
"""People who move before a still camera, smoothed at several frame rates by several filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Bools, Floats, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.people import Estimates
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.evaluation.ground.scenes import Walk, sample_view, sample_walk
from hmr_ros.evaluation.smoothing.one_euro import filter_positions, positions_at_rest
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.training.datasets.motion import Motion

RATES_HZ = (5, 10, 15, 30)
FILTERS = ("none", "one-euro", "Kalman")
"""Of positions: as estimated, with the mean shape; the baseline; what the robot runs."""

_FULL_HZ, _SECONDS = 30.0, 4.0
_SETTLING_S = 0.5
_FEET = [SMPL.index(f"{side}_ankle") for side in ("left", "right")]
_BATCH = 16
_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Outcomes(Record):
    """N people in images. What is constant in a track, such as a wrong size, is taken out of all errors.

    ``error`` (N, 3) m of the root and its true ``velocity`` (N, 3) m/s; ``acceleration`` and ``jerkiness`` (N,) m per
    squared image: second difference of the root, and that of its error; ``feet`` (N, 2) m/s of the estimated ankles and
    ``true_feet`` of the true ones; ``filter`` and ``rate_hz`` (N,).
    """

    error: Floats
    velocity: Floats
    acceleration: Floats
    jerkiness: Floats
    feet: Floats
    true_feet: Floats
    filter: Strings
    rate_hz: Floats


class Trial:
    """Smooths people whom one method estimated."""

    def __init__(self, estimator: BodyEstimator, body: BodyModel) -> None:
        self._estimator = estimator
        self._body = body

    def __call__(self, motion: Motion, people: int, seed: int) -> Iterator[Outcomes]:
        """The outcomes of each person, half of them children."""
        for person in range(people):
            rng = default_rng((seed, person))
            view = sample_view(rng)
            walk = sample_walk(motion, self._body, view, person % 2 == 1, rng, _FULL_HZ, _SECONDS)
            parts = [walk.detections.take(slice(k, k + _BATCH)) for k in range(0, len(walk.joints), _BATCH)]
            estimates = join_rows([self._estimator.estimate(_NO_IMAGE, part, view.camera) for part in parts])
            if estimates.valid.all():
                yield join_rows([self._outcomes(walk, estimates, rate) for rate in RATES_HZ])

    def _outcomes(self, walk: Walk, estimates: Estimates, rate_hz: int) -> Outcomes:
        """Of one person at one rate, by each filter; poses are smoothed in all, feet are held in the last alone."""
        rows = slice(0, None, round(_FULL_HZ / rate_hz))
        truth, seen = walk.joints[rows].astype(np.float64), estimates.take(rows)
        smoothed = _smoothed(BodySmoother(self._body), seen, rate_hz)
        loose = _smoothed(BodySmoother(self._body, SmoothingConfig(position_noise=0)), seen, rate_hz)
        raw, ankles = loose.cam_t.astype(np.float64), self._ankles(loose)
        cases = (
            (raw, ankles),
            (_one_euro(raw, rate_hz), ankles),
            (smoothed.cam_t.astype(np.float64), self._ankles(smoothed)),
        )
        compared = (_compared(name, *case, truth, rate_hz) for name, case in zip(FILTERS, cases, strict=True))
        return join_rows(list(compared))

    def _ankles(self, people: Estimates) -> Floats:
        """(T, 2, 3) m around the pelvis."""
        pose = self._body.posed_joints(people.global_orient, people.body_pose, people.betas)
        return (pose - pose[:, :1])[:, _FEET]


def _smoothed(smoother: BodySmoother, seen: Estimates, rate_hz: int) -> Estimates:
    """``seen`` (T,) of one person, image by image."""
    ids = np.ones(1, np.int64)
    return join_rows([smoother(ids, seen.take(slice(k, k + 1)), k / rate_hz) for k in range(len(seen))])


def _one_euro(raw: Floats, rate_hz: int) -> Floats:
    """(T, 3) m."""
    state, dt_s, config = positions_at_rest(raw[:1]), np.full(1, 1 / rate_hz), SmoothingConfig()
    values = [raw[:1]] + [(state := filter_positions(state, row[None], dt_s, config)).value for row in raw[1:]]
    return np.concatenate(values)


def _compared(name: str, root: Floats, ankles: Floats, truth: Floats, rate_hz: int) -> Outcomes:
    """Roots (T, 3) m, with ankles (T, 2, 3) m relative to them, of settled tracks against joints (T, 24, 3) m."""
    scale = np.median(np.linalg.norm(root, axis=1)) / np.median(np.linalg.norm(truth[:, 0], axis=1))
    true_root = scale * truth[:, 0]
    error = root - true_root
    settled = slice(round(_SETTLING_S * rate_hz) + 1, -1)
    count = len(root[settled])
    return Outcomes(
        error=(error - error[settled].mean(0))[settled],
        velocity=_velocity(true_root, rate_hz)[settled],
        acceleration=np.linalg.norm(_bend(root), axis=-1)[settled],
        jerkiness=np.linalg.norm(_bend(error), axis=-1)[settled],
        feet=np.linalg.norm(_velocity(root[:, None] + ankles, rate_hz), axis=-1)[settled],
        true_feet=np.linalg.norm(_velocity(truth[:, _FEET], rate_hz), axis=-1)[settled],
        filter=np.full(count, name),
        rate_hz=np.full(count, float(rate_hz)),
    )


def _velocity(points: Floats, rate_hz: int) -> Floats:
    """(T, ..., 3) m -> m/s, by central differences."""
    return np.asarray(np.gradient(points, 1 / rate_hz, axis=0))


def _bend(points: Floats) -> Floats:
    """(T, 3) m -> second differences, m, 0 at both ends."""
    bend = np.zeros_like(points)
    bend[1:-1] = np.diff(points, 2, axis=0)
    return bend


def chosen(people: Outcomes, name: str, rate_hz: float) -> Outcomes:
    """Those of one filter and rate."""
    rows: Bools = np.asarray((people.filter == name) & (people.rate_hz == rate_hz))
    return people.take(rows)
