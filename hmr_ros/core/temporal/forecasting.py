# SPDX-License-Identifier: Apache-2.0
"""Where people will be: the root goes on at a velocity that is trusted as far as it is sure, and slowly stops.

Joints around the pelvis change as the fusion network says, or keep the pose. Positions of single images are no guide:
one keypoint that is far off moves a person along the line of sight by more than a step. So the velocity is that of
filters, and counts the less the smaller it is beside the noise that they met, in both directions apart. Constants were
chosen on synthetic people of the training subjects; measured on others: docs/fusion.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.forecasts import HORIZONS_S, ForecastCalibration, Forecasts, between_horizons
from hmr_ros.core.people import Bodies
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.root_motion import RootMotion, split_by_sight
from hmr_ros.core.uncertainty import ROOT_DRIFT_M_S, joint_drift, stretched

STOPPING_S = 0.7
"""Time constant at which people are expected to come to a stop."""

_DOUBT = 2.0
"""Noise of velocities, 1/s, as a multiple of what surprised of positions in the last images."""

_ROOT_POWER, _LEAST_M_S = 0.6, 0.05
"""The deviation of the root's way grows with this power of the speed in m/s plus the last: who stands may walk."""

_ERROR_POWER, _SPEED_POWER, _SPEED_M_S = 0.8, 0.3, 0.1
"""A joint's deviation grows with these powers of its expected error in m, and of the speed in m/s plus the last."""


@dataclass(frozen=True, eq=False)
class Walks(Record):
    """How N people move: the ``velocity`` (N, 3) m/s to go on with, and the ``speed`` (N,) m/s that doubt grows by.

    The speed has all of the movement across the line of sight in it, and along it what is trusted.
    """

    velocity: Floats
    speed: Floats

    @staticmethod
    def of(positions: RootMotion, velocities: Floats) -> Walks:
        """Of filtered ``positions`` and ``velocities`` (N, 3) m/s of a longer memory: the mean of both velocities.

        Their noise is what the positions showed of it: exact keypoints hardly surprise the filter, gross errors do.
        """
        mean = split_by_sight((positions.velocity + velocities) / 2, positions.value)
        trust = [_trust(part, _DOUBT**2 * positions.surprise[:, k]) for k, part in enumerate(mean)]
        along, across = (share[:, None] * part for share, part in zip(trust, mean, strict=True))
        return Walks(along + across, np.sqrt(_squared(along) + _squared(mean[1])))

    @staticmethod
    def unknown(people: int) -> Walks:
        """Of people who have no track."""
        return Walks(np.full((people, 3), np.nan), np.full(people, np.nan))


@dataclass(frozen=True, eq=False)
class JointChanges(Record):
    """What a network expects of N people at HORIZONS_S: NaN in rows of which it says nothing.

    ``moved`` (N, 3, 24, 3) m, by how much joints will have moved around the pelvis, optical frame; ``error``
    (N, 3, 24) m, the expected distances from where they will be.
    """

    moved: Floats
    error: Floats

    @staticmethod
    def unknown(people: int) -> JointChanges:
        """Nothing is expected."""
        shape = (people, len(HORIZONS_S), SMPL.size)
        return JointChanges(np.full((*shape, 3), np.nan), np.full(shape, np.nan))


def forecasts(
    bodies: Bodies,
    walks: Walks,
    changes: JointChanges,
    calibration: ForecastCalibration | None,
    ahead_s: tuple[float, ...],
) -> Forecasts:
    """Where ``bodies`` are expected at ``ahead_s`` (F,) s after their image; ``walks`` and ``changes`` in their rows.

    Who is not seen now (``unseen_s``) has been stopping since then. Without a ``calibration``, and of joints of which
    ``changes`` say nothing, people stray as while they coast (core/uncertainty.py).
    """
    times, between = np.array(ahead_s), between_horizons(ahead_s)
    moved = np.nan_to_num(np.concatenate([np.zeros_like(changes.moved[:, :1]), changes.moved], 1))
    around = bodies.joints - bodies.cam_t[:, None]
    cam_t = bodies.cam_t[:, None] + _ways(walks.velocity, bodies.unseen_s, times)
    joints = cam_t[:, :, None] + around[:, None] + np.einsum("fh,phjk->pfjk", between, moved)
    return Forecasts(
        cam_t=cam_t,
        joints=joints,
        joint_covariance=_joint_covariances(bodies, walks, changes, calibration, times),
        root_covariance=_root_covariances(bodies, walks, calibration, times),
        ahead_s=ahead_s,
    )


def forecast_radii(
    now: tuple[float, ...], of_horizons: tuple[tuple[float, ...], ...], ahead_s: tuple[float, ...]
) -> Floats:
    """(F, 3) radii of regions at ``ahead_s`` s, by those of ``now`` (3,) and of HORIZONS_S (3, 3)."""
    return np.asarray(between_horizons(ahead_s) @ np.array([now, *of_horizons]))


def _ways(velocity: Floats, unseen_s: Floats, times: Floats) -> Floats:
    """(P, F, 3) m that people go within ``times`` (F,) s from now, who stop since ``unseen_s`` (P,) s."""
    left = np.exp(-unseen_s / STOPPING_S)[:, None] * velocity
    return np.asarray(left[:, None] * (-STOPPING_S * np.expm1(-times / STOPPING_S))[:, None])


def _root_covariances(bodies: Bodies, walks: Walks, calibration: ForecastCalibration | None, times: Floats) -> Floats:
    """(P, F, 3, 3) m^2."""
    if calibration is None:
        strayed = ((ROOT_DRIFT_M_S * times) ** 2)[:, None, None] * np.eye(3)
        return np.asarray(bodies.root_covariance[:, None] + strayed)
    between = between_horizons(tuple(times.tolist()))[:, 1:]
    speed = root_unit(walks.speed)[:, None]
    along, across = (
        (speed * (between @ np.array(rate))) ** 2 for rate in (calibration.root_along, calibration.root_across)
    )
    bearing = bodies.cam_t / np.maximum(np.linalg.norm(bodies.cam_t, axis=-1, keepdims=True), 1e-9)
    return np.asarray(bodies.root_covariance[:, None] + stretched(along, across, bearing[:, None]))


def _joint_covariances(
    bodies: Bodies, walks: Walks, changes: JointChanges, calibration: ForecastCalibration | None, times: Floats
) -> Floats:
    """(P, F, 24, 3, 3) m^2."""
    known = np.zeros(len(bodies), np.bool_) if calibration is None else _known(changes)
    if calibration is None or not known.any():
        return _held(bodies, times)
    deviation = np.array(calibration.joints) * joint_unit(changes.error, walks.speed)
    between = between_horizons(tuple(times.tolist()))
    fused = np.einsum("fh,phj->pfj", between[:, 1:], deviation**2)
    covariances = between[:, 0, None, None, None] * bodies.joint_covariance[:, None] + _rounded(fused)
    return covariances if known.all() else np.where(known[:, None, None, None, None], covariances, _held(bodies, times))


def _held(bodies: Bodies, times: Floats) -> Floats:
    """(P, F, 24, 3, 3) m^2 of joints whose pose is held."""
    now, age_s = bodies.joint_covariance[:, None], bodies.unseen_s[:, None]
    return np.asarray(now + _rounded(_drift2(age_s + times) - _drift2(age_s + 0 * times)))


def joint_unit(error: Floats, speed: Floats) -> Floats:
    """(P, 3, 24): what the calibrated deviations of joints are multiples of, by ``changes`` and ``walks``."""
    return np.asarray(error**_ERROR_POWER * (speed + _SPEED_M_S)[:, None, None] ** _SPEED_POWER)


def root_unit(speed: Floats) -> Floats:
    """(P,): what the calibrated deviations of roots are multiples of."""
    return np.asarray((speed + _LEAST_M_S) ** _ROOT_POWER)


def _known(changes: JointChanges) -> Bools:
    return np.asarray(np.isfinite(changes.error).all((1, 2)))


def _drift2(age_s: Floats) -> Floats:
    """(P, F) s -> (P, F, 24) m^2: the variance per axis of a joint whose pose is held."""
    return np.asarray(joint_drift(age_s.ravel()).reshape(*age_s.shape, SMPL.size) ** 2)


def _rounded(variance: Floats) -> Floats:
    """(...) -> (..., 3, 3): the same in every direction."""
    return np.asarray(variance[..., None, None] * np.eye(3))


def _squared(vectors: Floats) -> Floats:
    return np.asarray((vectors * vectors).sum(-1))


def _trust(velocity: Floats, noise2: Floats) -> Floats:
    """(N,) 0..1: the share of ``velocity`` (N, 3) that is left beside noise of the variance ``noise2`` (N,)."""
    speed2 = _squared(velocity)
    return np.asarray(speed2 / np.maximum(speed2 + noise2, 1e-12))
