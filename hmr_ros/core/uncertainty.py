# SPDX-License-Identifier: Apache-2.0
"""How wrong an estimate may be: covariances of joints and root, and regions that hold the ground truth as often as they
say.

The networks expect an error of each joint, a length; how far the keypoints fit the body that was lifted from them says
how far to trust it. ``hmr calibrate`` compared both with the errors of people whom training never saw; what it learnt
lies in the manifest as a ``Calibration``. Errors along the line of sight are larger than those across it, as one camera
sees directions well and depth badly: every covariance here has one axis along the bearing of the pelvis and is round
across it. See docs/uncertainty.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.core.forecasts import ForecastCalibration
from hmr_ros.core.skeleton import JOINT_SETS, SMPL

LEVELS = (0.5, 0.9, 0.95)
"""Fractions of the ground truth that the regions are made to hold."""

REFERENCE_ERROR_M = 0.1
"""Mean expected joint error that the root's deviations are stated at."""

REFERENCE_MISFIT = 0.03
"""Mean distance of seen keypoints from the body that was lifted from them, as a fraction of the person's angular size,
at which the deviations are stated: a body of wrong keypoints does not lie on them.
"""

_LEAST_MISFIT = 0.005

_LEAST_SEEN = 0.25
"""Fractions of seen keypoints below this were not calibrated: of people with fewer, hardly any are placed."""

ROOT_DRIFT_M_S = 0.3
"""How fast a person leaves the position that ``core/temporal/coasting`` expects: standard deviation per axis and
second.
"""

JOINT_DRIFT_TIME_S = 0.3
"""Time constant within which a pose becomes another one."""

_PART_DRIFT_M = {
    **{"pelvis": 0.0, "spine1": 0.02, "spine2": 0.03, "spine3": 0.06, "neck": 0.09, "head": 0.11},
    **{"hip": 0.04, "knee": 0.14, "ankle": 0.18, "foot": 0.20},
    **{"collar": 0.08, "shoulder": 0.11, "elbow": 0.16, "wrist": 0.22, "hand": 0.26},
}
JOINT_DRIFT_M = np.array([_PART_DRIFT_M[joint.rpartition("_")[2]] for joint in SMPL.joints])
"""(24,) how far a joint, relative to the pelvis, is in the end from where it was: standard deviation per axis, m."""

_KEYPOINT_OF = {"hand": "wrist", "foot": "toe"}
"""Joints that are seen when another keypoint is."""


@dataclass(frozen=True)
class JointDeviations:
    """Standard deviations of the 24 joints as multiples of their expected errors.

    ``along`` the line of sight, and in each direction ``across`` it.
    """

    along: tuple[float, ...]
    across: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, values in vars(self).items():
            if len(values) != SMPL.size or not all(math.isfinite(v) and v >= 0 for v in values):
                raise ValueError(f"{name}: expected {SMPL.size} finite numbers, none below 0, got {values}")


@dataclass(frozen=True)
class RootDeviation:
    """A standard deviation: ``scale`` times a power of the person's mean expected joint error in REFERENCE_ERROR_M."""

    scale: float
    exponent: float

    def __post_init__(self) -> None:
        if not (0 < self.scale < math.inf and math.isfinite(self.exponent)):
            raise ValueError(f"expected a positive scale and a finite exponent, got {self.scale} and {self.exponent}")

    def __call__(self, mean_error: Floats) -> Floats:
        """(P,) m -> (P,), in the unit of ``scale``."""
        return np.asarray(self.scale * (mean_error / REFERENCE_ERROR_M) ** self.exponent)


@dataclass(frozen=True)
class Calibration:
    """What a network's expected errors mean.

    ``seen`` and ``unseen``: deviations of joints whose keypoint was detected, and of others; ``root_along``: of the
    root along the line of sight, as a fraction of its distance; ``root_across``: in each direction across it, m.
    ``levels``: fractions of the ground truth within ``joint_radii`` and ``root_radii``, which are Mahalanobis
    distances; ``forecast``: the same of forecasts, None: not calibrated. ``joint_doubt``, ``along_doubt`` and
    ``across_doubt``: powers of the keypoints' misfit that the deviations of joints and of the root grow with;
    ``seen_power``: of the fraction of keypoints that are seen, by which those of joints fused over time grow: wrong
    keypoints of the moment pull at them more than they expect, missing ones do not.
    """

    seen: JointDeviations
    unseen: JointDeviations
    root_along: RootDeviation
    root_across: RootDeviation
    levels: tuple[float, ...]
    joint_radii: tuple[float, ...]
    root_radii: tuple[float, ...]
    forecast: ForecastCalibration | None = None
    joint_doubt: float = 0.0
    along_doubt: float = 0.0
    across_doubt: float = 0.0
    seen_power: float = 0.0

    def __post_init__(self) -> None:
        if self.levels != LEVELS:
            raise ValueError(f"levels: expected {LEVELS}, got {self.levels}")
        for name in ("joint_radii", "root_radii"):
            radii = getattr(self, name)
            if len(radii) != len(LEVELS) or not all(a < b for a, b in itertools.pairwise((0, *radii, math.inf))):
                raise ValueError(f"{name}: expected {len(LEVELS)} rising, positive numbers, got {radii}")
        for name in ("joint_doubt", "along_doubt", "across_doubt", "seen_power"):
            if not math.isfinite(power := getattr(self, name)):
                raise ValueError(f"{name}: expected a finite number, got {power}")


@dataclass(frozen=True, eq=False)
class Covariances:
    """Of P people, m^2, optical frame; NaN where nothing is known.

    ``joints`` (P, 24, 3, 3): of each joint relative to the pelvis, whose own is 0; ``root`` (P, 3, 3): of the pelvis.
    """

    joints: Floats
    root: Floats

    @staticmethod
    def unknown(people: int) -> Covariances:
        """Nothing is known of ``people``."""
        return Covariances(np.full((people, SMPL.size, 3, 3), np.nan), np.full((people, 3, 3), np.nan))


class Uncertainty:
    """Expected errors -> covariances, for people with keypoints of one joint set."""

    def __init__(self, calibration: Calibration | None, joint_set: str) -> None:
        """Without a ``calibration``, nothing is known."""
        self.calibration = calibration
        self._keypoints = keypoint_of_joint(joint_set)
        if calibration:
            self._seen, self._unseen = map(_deviations, (calibration.seen, calibration.unseen))

    def __call__(
        self, expected_error: Floats, score: Floats, cam_t: Floats, misfit: Floats | None = None
    ) -> Covariances:
        """``expected_error`` (P, 24) m; ``score`` (P, J) of the keypoints that placed them; ``cam_t`` (P, 3) m.

        ``misfit`` (P,) of the keypoints and the body that was lifted from them; None, NaN: unknown, as of networks that
        see the image. Nothing is known of people without any keypoint: how well those are placed was never measured.
        """
        if self.calibration is None:
            return Covariances.unknown(len(cam_t))
        doubt = relative_misfit(np.full(len(cam_t), np.nan) if misfit is None else misfit)
        placed, own = (score > 0).any(1), self.calibration
        distance = np.sqrt((cam_t * cam_t).sum(1))
        bearing = cam_t / np.where(placed, distance, np.nan)[:, None]
        deviation = np.where(joints_seen(score, self._keypoints)[:, None], self._seen, self._unseen)
        error = (doubt**own.joint_doubt)[:, None] * expected_error
        along, across = np.moveaxis((deviation * error[:, None]) ** 2, 1, 0)
        mean_error = expected_error[:, 1:].mean(1)
        root_along = (distance * own.root_along(mean_error) * doubt**own.along_doubt) ** 2
        root_across = (own.root_across(mean_error) * doubt**own.across_doubt) ** 2
        return Covariances(stretched(along, across, bearing[:, None]), stretched(root_along, root_across, bearing))


def relative_misfit(misfit: Floats) -> Floats:
    """(P,) in units of REFERENCE_MISFIT, of which exact keypoints leave a little; 1 where it is unknown."""
    return (np.where(np.isfinite(misfit), misfit, REFERENCE_MISFIT) + _LEAST_MISFIT) / (
        REFERENCE_MISFIT + _LEAST_MISFIT
    )


def seen_growth(fraction_seen: Floats, power: float) -> Floats:
    """(P,) factors of the deviations of fused joints, by the ``fraction_seen`` (P,) of the keypoints; 1 where all are.

    ``power``: a calibration's ``seen_power``.
    """
    return np.asarray(np.maximum(fraction_seen, _LEAST_SEEN) ** power)


def _deviations(deviations: JointDeviations) -> Floats:
    """(2, 24) along and across."""
    return np.array([deviations.along, deviations.across])


def stretched(along: Floats, across: Floats, bearing: Floats) -> Floats:
    """Covariances (..., 3, 3) of variance ``along`` (...) the unit vector ``bearing`` (..., 3) and ``across`` it."""
    outer = bearing[..., :, None] * bearing[..., None, :]
    return np.asarray(across[..., None, None] * np.eye(3) + (along - across)[..., None, None] * outer)


def keypoint_of_joint(joint_set: str) -> Int64s:
    """(24,) the keypoint that shows each SMPL joint; -1 for those that no keypoint shows, as in the spine."""
    names = JOINT_SETS[joint_set].joints

    def index(joint: str) -> int:
        side, _, part = joint.rpartition("_")
        shown = f"{side}_{_KEYPOINT_OF.get(part, part)}"
        return next((names.index(name) for name in (joint, shown) if name in names), -1)

    return np.array([index(joint) for joint in SMPL.joints])


def joints_seen(score: Floats, keypoints: Int64s) -> Bools:
    """(P, J) scores -> (P, 24) whether the keypoint of each joint was detected; True for joints that have none."""
    return np.asarray((score[:, keypoints] > 0) | (keypoints < 0))


def joint_drift(age_s: Floats) -> Floats:
    """(P,) s -> (P, 24) m, standard deviation per axis of a joint from where it was, relative to the pelvis."""
    return np.asarray(JOINT_DRIFT_M * -np.expm1(-age_s / JOINT_DRIFT_TIME_S)[:, None])


def grown(covariances: Covariances, age_s: Floats) -> Covariances:
    """What is known of people ``age_s`` (P,) s after they were last seen.

    Their root coasts (core/temporal/coasting.py) and strays by ROOT_DRIFT_M_S; their pose is held, from which joints
    stray as ``joint_drift`` says. Measured on motion capture: ``hmr calibrate`` prints the figures.
    """
    root, joints = ROOT_DRIFT_M_S * age_s, joint_drift(age_s)
    return dataclasses.replace(
        covariances,
        root=covariances.root + (root**2)[:, None, None] * np.eye(3),
        joints=covariances.joints + (joints**2)[..., None, None] * np.eye(3),
    )
