# SPDX-License-Identifier: Apache-2.0
"""The space that people may take up until a while from now, as capsules: what a planner keeps clear while it moves.

To the capsules of now come those at each time of the forecasts, moved as the nearest joints are expected to move and
larger by the part of the covariances that the time adds. Where people are now is as sure, or unsure, as without: most
of that error, their distance, stays the same while they move.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.capsules import Capsules
from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.people import Bodies
from hmr_ros.core.temporal.forecasting import forecast_radii
from hmr_ros.core.uncertainty import LEVELS, Calibration

_NORMAL_RADII = (1.5382, 2.5003, 2.7955)
"""Of a normal distribution in space, at LEVELS: where no calibration is known."""

_STEP_M = 0.05
"""Margins are multiples of it, rounded up: a planner is sent other shapes when they change."""


def swept(capsules: Capsules, bodies: Bodies, level: float, calibration: Calibration | None) -> Capsules:
    """The C ``capsules`` of P ``bodies`` with those of their F forecasts, (P, C (1 + F)), all in the optical frame.

    ``level``: the fraction of people, one of LEVELS, who are in the part that is added at each time. Without forecasts,
    the capsules themselves.
    """
    ahead = bodies.forecasts
    if ahead is None or not ahead.ahead_s:
        return capsules
    margins = _margins(bodies, ahead, level, calibration)
    ways = np.nan_to_num(ahead.joints - bodies.joints[:, None])
    near_start, near_end = (_nearest(bodies.joints, points) for points in (capsules.starts, capsules.ends))
    rows, taken_up = np.arange(len(bodies))[:, None], capsules
    for k in range(len(ahead.ahead_s)):
        margin = np.maximum(margins[rows, k, near_start], margins[rows, k, near_end])
        starts, ends = capsules.starts + ways[rows, k, near_start], capsules.ends + ways[rows, k, near_end]
        taken_up = taken_up.joined(Capsules(starts, ends, capsules.radii + margin))
    return taken_up


def _nearest(joints: Floats, points: Floats) -> Floats:
    """(P, C): which of the joints (P, 24, 3) is nearest to each of the points (P, C, 3)."""
    return np.asarray(np.linalg.norm(points[:, :, None] - joints[:, None], axis=-1).argmin(-1))


def _margins(bodies: Bodies, ahead: Forecasts, level: float, calibration: Calibration | None) -> Floats:
    """(P, F, 24) m around each joint; 0 where nothing is known."""
    added = (ahead.root_covariance - bodies.root_covariance[:, None])[:, :, None] + ahead.joint_covariance
    largest = np.linalg.eigvalsh(np.nan_to_num(added))[..., -1]
    margins = _radii(ahead.ahead_s, level, calibration)[:, None] * np.sqrt(np.maximum(largest, 0))
    return np.asarray(_STEP_M * np.ceil(margins / _STEP_M - 1e-6))


def _radii(ahead_s: tuple[float, ...], level: float, calibration: Calibration | None) -> Floats:
    """(F,) the larger of the radii of joints and of roots."""
    row = LEVELS.index(level)
    if calibration is None or calibration.forecast is None:
        return np.full(len(ahead_s), _NORMAL_RADII[row])
    now, of = calibration, calibration.forecast
    pairs = ((now.joint_radii, of.joint_radii), (now.root_radii, of.root_radii))
    return np.asarray(np.maximum(*(forecast_radii(*pair, ahead_s)[:, row] for pair in pairs)))
