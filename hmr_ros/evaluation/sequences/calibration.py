# SPDX-License-Identifier: Apache-2.0
"""Calibration of the fusion over time, and of its forecasts: how many standard deviations the truth is away.

A forecast's deviations are fitted so that nine in ten errors are within those of a normal distribution; the radii make
good what its form leaves. docs/uncertainty.md has the coverage.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.forecasts import HORIZONS_S, ForecastCalibration
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.temporal.forecasting import joint_unit, root_unit
from hmr_ros.core.temporal.root_motion import split_by_sight
from hmr_ros.core.uncertainty import LEVELS, Calibration, seen_growth
from hmr_ros.evaluation.sequences.ahead import Ahead
from hmr_ros.evaluation.sequences.scores import joint_distances
from hmr_ros.evaluation.sequences.trial import FUSED, Case

_LEAST = 1e-6
"""Below it a number counts as 0."""

_STEEPEST = 0.5
"""Steeper powers of the fraction of keypoints seen come of too few people."""


@dataclass(frozen=True, eq=False)
class FusedDistances(Record):
    """Mahalanobis ``distance`` (N, 23) of the joints but the pelvis in N images; ``clip`` (N,) of the motion.

    Their deviations do not depend on the fraction of keypoints ``seen`` (N,) yet.
    """

    distance: Floats
    clip: Ints
    seen: Floats

    def fitted(self, calibration: Calibration) -> Calibration:
        """``calibration`` with the power of the fraction seen that distances grow with, and radii for all joints."""
        powered = dataclasses.replace(calibration, seen_power=self._power())
        radii = np.quantile(self._within(powered), LEVELS)
        return dataclasses.replace(powered, joint_radii=tuple(round(float(radius), 4) for radius in radii))

    def coverage(self, calibration: Calibration) -> tuple[float, ...]:
        """Percent of the joints within each of the radii of ``calibration``."""
        distance = self._within(calibration)
        return tuple(100 * float((distance <= radius).mean()) for radius in calibration.joint_radii)

    def _power(self) -> float:
        """Slope of a straight line through the logarithms of both, within _STEEPEST; 0 where all see alike many."""
        seen, distance = np.log(self.seen), np.log(np.maximum(self.distance, _LEAST)).mean(1)
        away = seen - seen.mean()
        slope = float((away * distance).sum() / max((away * away).sum(), _LEAST))
        return round(min(max(slope, -_STEEPEST), _STEEPEST), 4)

    def _within(self, calibration: Calibration) -> Floats:
        return np.asarray(self.distance / seen_growth(self.seen, calibration.seen_power)[:, None])


def fused_distances(cases: Iterable[Case]) -> FusedDistances:
    """The distances of all fused poses of ``cases``."""
    return join_rows([_of_case(case) for case in cases])


def _of_case(case: Case) -> FusedDistances:
    output, truth = case.outputs[FUSED], case.truth
    known, distance = joint_distances(output, truth, _after_the_first(output.known))
    seen = (truth.score > 0).mean(-1)[known]
    grown = seen_growth(seen, case.calibration.seen_power if case.calibration else 0.0)
    return FusedDistances(distance * grown[:, None], np.broadcast_to(truth.clip[:, None], known.shape)[known], seen)


def _after_the_first(known: Bools) -> Bools:
    """(S, T) images that are fused with an earlier one of those ``known``."""
    return np.asarray(known & (np.cumsum(known, axis=1) > 1))


@dataclass(frozen=True, eq=False)
class AheadDistances(Record):
    """Mahalanobis distances at HORIZONS_S of ``joints`` (N, 3, 23) and ``roots`` (N, 3) in N images, with the radii."""

    joints: Floats
    roots: Floats
    joint_radii: tuple[tuple[float, ...], ...]
    root_radii: tuple[tuple[float, ...], ...]

    def covered(self, used: Bools, horizon: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Percent of joints, and of roots, within the regions of each level at the ``horizon``, of images ``used``."""
        pairs = ((self.joints, self.joint_radii), (self.roots, self.root_radii))
        return tuple(
            tuple(round(100 * float((d[used, horizon] <= radius).mean()), 1) for radius in radii[horizon])
            for d, radii in pairs
        )  # type: ignore[return-value]


def ahead_distances(ahead: Ahead, calibration: Calibration | None) -> AheadDistances | None:
    """The distances of all forecasts of ``ahead``; None where there is no calibration of forecasts."""
    if calibration is None or calibration.forecast is None:
        return None
    of_forecast = calibration.forecast
    return AheadDistances(*_distances(ahead, of_forecast), of_forecast.joint_radii, of_forecast.root_radii)


def _distances(ahead: Ahead, calibration: ForecastCalibration) -> tuple[Floats, Floats]:
    found = ahead.forecasts(calibration)
    joints = ahead.joint_errors()["forecast"][:, :, 1:]
    roots = found.cam_t - ahead.later
    return _mahalanobis(joints, found.joint_covariance[:, :, 1:]), _mahalanobis(roots, found.root_covariance)


def _mahalanobis(errors: Floats, covariances: Floats) -> Floats:
    solved = np.linalg.solve(covariances, errors[..., None])[..., 0]
    return np.asarray(np.sqrt((errors * solved).sum(-1)))


_NORMAL_90 = (1.6449, 2.1460, 2.5003)
"""Lengths that nine in ten normal vectors of 1, 2 and 3 components of unit deviation are below."""


def fitted_forecasts(ahead: Ahead) -> ForecastCalibration:
    """Deviations and radii of the forecasts in ``ahead``. Raises ValueError where the truth is too short for them."""
    if not ahead.known.any(0).all():
        raise ValueError(f"forecasts: no take goes on for {HORIZONS_S[-1]:g} s; give a --motion with longer ones")
    roots, joints = ahead.root_errors()["forecast"], ahead.joint_errors()["forecast"]
    unit, units = root_unit(ahead.walks.speed), joint_unit(ahead.changes.error, ahead.walks.speed)
    along, across, of_joints = [], [], []
    for k in range(len(HORIZONS_S)):
        known = ahead.known[:, k]
        parts = split_by_sight(roots[known, k], ahead.bodies.cam_t[known])
        a, c = (_ninth(np.linalg.norm(part, axis=-1) / unit[known]) for part in parts)
        along.append(round(a / _NORMAL_90[0], 4))
        across.append(round(c / _NORMAL_90[1], 4))
        scaled = np.linalg.norm(joints[known, k], axis=-1) / units[known, k]
        of_joints.append((0.0, *(round(_ninth(scaled[:, j]) / _NORMAL_90[2], 4) for j in range(1, scaled.shape[1]))))
    open_radii = tuple(itertools.repeat((1.0, 2.0, 3.0), len(HORIZONS_S)))
    fitted = ForecastCalibration(tuple(along), tuple(across), tuple(of_joints), open_radii, open_radii)
    return _with_radii(ahead, fitted)


def _with_radii(ahead: Ahead, fitted: ForecastCalibration) -> ForecastCalibration:
    joints, roots = _distances(ahead, fitted)

    def radii(distances: Floats) -> tuple[tuple[float, ...], ...]:
        levels = (np.quantile(distances[ahead.known[:, k], k], LEVELS) for k in range(len(HORIZONS_S)))
        return tuple(tuple(round(float(radius), 4) for radius in of_horizon) for of_horizon in levels)

    return dataclasses.replace(fitted, joint_radii=radii(joints), root_radii=radii(roots))


def _ninth(lengths: Floats) -> float:
    """Nine in ten are below it."""
    return float(np.quantile(lengths, LEVELS[1]))
