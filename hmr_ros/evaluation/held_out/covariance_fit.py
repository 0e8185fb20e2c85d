# SPDX-License-Identifier: Apache-2.0
"""Fit a calibration to residuals: standard deviations first, then the radii of regions on other people.

How deviations grow with what the robot knows, the powers of expected error and misfit, is a linear regression of
logarithms, which no outlier rules. Their scales are root mean squares, so that covariances are second
moments, however heavy the tails are. The radii account for the tails: split conformal prediction (Vovk et al., 2005;
Lei et al., 2018), whose coverage assumes no distribution.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.uncertainty import (
    LEVELS,
    REFERENCE_ERROR_M,
    Calibration,
    JointDeviations,
    RootDeviation,
    Uncertainty,
    joints_seen,
    keypoint_of_joint,
    relative_misfit,
)
from hmr_ros.evaluation.held_out.residuals import Residuals, distances

_DIGITS = 4
_TINY = 1e-6
"""Errors of less are as good, for logarithms."""
_PROVISIONAL = (1.0, 2.0, 3.0)
"""Radii of a calibration before they are fitted."""


def fit(residuals: Residuals, joint_set: str) -> Calibration:
    """People with even numbers give the deviations, the others the radii.

    Raises ValueError for a network without expected errors, such as Pose2Mesh in its published form.
    """
    if not np.isfinite(residuals.expected_error).all():
        raise ValueError("the network predicts no expected errors: there is nothing to calibrate")
    even = residuals.person % 2 == 0
    fitted = _with_deviations(residuals.take(even), joint_set)
    found = distances(residuals.take(~even), Uncertainty(fitted, joint_set))
    joints, root = (conformal_radii(d.ravel()) for d in (found.joints, found.root))
    return dataclasses.replace(fitted, joint_radii=joints, root_radii=root)


def conformal_radii(found: Floats) -> tuple[float, ...]:
    """(N,) Mahalanobis distances -> a radius for each of LEVELS; ValueError where there are too few."""
    count = len(found)
    ranks = [math.ceil((count + 1) * level) for level in LEVELS]
    if max(ranks) > count:
        raise ValueError(f"expected at least {math.ceil(1 / (1 - max(LEVELS)))} people to calibrate on, got {count}")
    ordered = np.sort(found)
    return tuple(round(float(ordered[rank - 1]), _DIGITS) for rank in ranks)


def _with_deviations(residuals: Residuals, joint_set: str) -> Calibration:
    distance = np.linalg.norm(residuals.cam_t, axis=1)
    sight = residuals.cam_t / distance[:, None]
    joint_along, joint_across = _split(residuals.joints, sight[:, None])
    root_along, root_across = _split(residuals.root, sight)
    error = residuals.expected_error
    seen = joints_seen(residuals.score, keypoint_of_joint(joint_set))
    ratios = tuple((x / np.where(error > 0, error, 1)) ** 2 for x in (joint_along, joint_across))
    joint_doubt = _joint_doubt(residuals)
    doubted = relative_misfit(residuals.misfit)[:, None] ** (2 * joint_doubt)
    ratios = tuple(ratio / doubted for ratio in ratios)
    along, along_doubt = _root_deviation(root_along / distance, residuals)
    across, across_doubt = _root_deviation(root_across, residuals)
    # Joints that no keypoint shows always count as seen.
    unseen = ~seen | seen.all(0)
    return Calibration(
        seen=JointDeviations(*(_deviations(ratio, seen) for ratio in ratios)),
        unseen=JointDeviations(*(_deviations(ratio, unseen) for ratio in ratios)),
        root_along=along,
        root_across=across,
        levels=LEVELS,
        joint_radii=_PROVISIONAL,
        root_radii=_PROVISIONAL,
        joint_doubt=joint_doubt,
        along_doubt=along_doubt,
        across_doubt=across_doubt,
    )


def _split(error: Floats, sight: Floats) -> tuple[Floats, Floats]:
    """(..., 3) -> (...) along the unit vector ``sight`` (..., 3), and (...) root mean square of both axes across it."""
    along = (error * sight).sum(-1)
    across = np.linalg.norm(error - along[..., None] * sight, axis=-1) / np.sqrt(2)
    return along, across


def _deviations(squared: Floats, chosen: Bools) -> tuple[float, ...]:
    """Squared ratios (N, 24) of error to expected error -> root means (24,) over ``chosen``, left and right pooled."""
    total, count = (squared * chosen).sum(0), chosen.sum(0)
    mean = (total + total[SMPL.mirror]) / np.maximum(count + count[SMPL.mirror], 1)
    mean[0] = 0  # the pelvis relative to itself
    return tuple(round(float(x), _DIGITS) for x in np.sqrt(mean))


def _joint_doubt(residuals: Residuals) -> float:
    """The power of the misfit that errors of joints beside the expected ones grow with."""
    ratio = np.linalg.norm(residuals.joints[:, 1:], axis=-1) / residuals.expected_error[:, 1:]
    return _powers(ratio.mean(1), [relative_misfit(residuals.misfit)])[0]


def _root_deviation(error: Floats, residuals: Residuals) -> tuple[RootDeviation, float]:
    """What ``error`` (N,) is a multiple of: a power of the mean expected error, and one of the misfit."""
    relative, misfit = residuals.expected_error[:, 1:].mean(1) / REFERENCE_ERROR_M, relative_misfit(residuals.misfit)
    exponent, doubt = _powers(error, [relative, misfit])
    unit = relative**exponent * misfit**doubt
    return RootDeviation(round(float(np.sqrt(((error / unit) ** 2).mean())), _DIGITS), exponent), doubt


def _powers(error: Floats, units: list[Floats]) -> tuple[float, ...]:
    """Powers of ``units`` (N,) that ``error`` (N,) grows with, by least squares of logarithms; 0: it is constant."""
    columns = np.log(np.stack(units, 1))
    varies = np.ptp(columns, axis=0) > 0
    design = np.column_stack([np.ones(len(error)), columns[:, varies]])
    found = np.zeros(len(units))
    found[varies] = np.linalg.lstsq(design, np.log(np.maximum(np.abs(error), _TINY)), rcond=None)[0][1:]
    return tuple(round(float(power), _DIGITS) for power in found)
