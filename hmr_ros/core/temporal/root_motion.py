# SPDX-License-Identifier: Apache-2.0
"""Positions and velocities of people's roots: a Kalman filter with constant velocity and random accelerations.

A model that moves along does not trail behind, as a low-pass filter does. One image measures a position well across the
line of sight and badly along it, by the covariances of the estimates; both directions are filtered apart, so that the
noise of the depth does not make the image position tremble. Time enters through the model alone, so any frame rate will
do. Measured: docs/tracking.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.geometry.camera_motion import Motions
from hmr_ros.core.records import Record

_ACCELERATION, _ACCELERATION_BY_SPEED = 0.001, 12.0
"""Spectral density of the acceleration, m^2/s^3, of people who stand; what is added by their squared speed, 1/s."""

_NOISE = np.array([0.25, 0.5])
"""What changes from image to image, along the line of sight and across it, as a fraction of the deviations that are
stated: most of those is the size of the person, which is wrong by the same factor in every image."""

_ALONG_FRACTION, _ACROSS_M = 0.07, 0.014
"""Deviations where none are stated, as a fraction of the distance, and m: what Pose2Mesh states in the median."""

_SURPRISE_S = 0.7
"""Time constant with which surprises are forgotten: of a second, as many steps as a person makes."""

_FIRST_M_S = 0.7
"""Standard deviation of the velocity per axis of a person who was seen once."""


@dataclass(frozen=True, eq=False)
class RootMotion(Record):
    """The motion of N people in the optical frame: ``value`` (N, 3) m, ``velocity`` (N, 3) m/s, ``raw`` (N, 3) m.

    ``raw`` is the position measured last; ``variances`` (N, 2, 3): of position, of both together, of velocity; along
    the line of sight and across it. ``surprise`` (N, 2) m^2: the sum of the squared distances at which people were
    measured from where they were expected, of the last images; 0: nothing has surprised yet. Several points of each
    person are (N, K, 3), their variances (N, K, 2, 3), their surprise (N, K, 2).
    """

    value: Floats
    velocity: Floats
    raw: Floats
    variances: Floats
    surprise: Floats

    @staticmethod
    def begun(raw: Floats, covariance: Floats) -> RootMotion:
        """People at rest at ``raw`` (N, 3) m, measured with ``covariance`` (N, 3, 3) m^2; NaN: not known."""
        variances = np.zeros((*raw.shape[:-1], 2, 3))
        variances[..., 0], variances[..., 2] = _noise(raw, covariance), _FIRST_M_S**2
        return RootMotion(raw, np.zeros_like(raw), raw, variances, np.zeros((*raw.shape[:-1], 2)))

    def replaced(self, rows: Bools, others: RootMotion) -> RootMotion:
        """These people, but for those in ``rows`` (N,), who are as in ``others``."""
        if not rows.any():
            return self
        return self.with_rows(rows, others.take(rows))

    def carried(self, motions: Motions) -> RootMotion:
        """The same people in the optical frames of other images."""
        value, raw = motions.points(self.value), motions.points(self.raw)
        return RootMotion(value, motions.directions(self.velocity), raw, self.variances, self.surprise)

    def measured(self, raw: Floats, covariance: Floats, dt_s: Floats, noise: float) -> RootMotion:
        """After a measurement ``raw`` (N, 3) m with ``covariance`` (N, 3, 3) m^2, ``dt_s`` (N,) s after the last one.

        ``noise`` is a factor of the standard deviations of measurements; 0: they are taken as they are.
        """
        return self.after(RootMotion.begun(raw, covariance), dt_s, noise)

    def after(self, now: RootMotion, dt_s: Floats, noise: float) -> RootMotion:
        """The same as ``measured``, of a measurement that people would begin at."""
        p, pv, v = self._predicted(dt_s)
        expected = self.value + dt_s[..., None] * self.velocity
        gain = p / np.maximum(p + noise**2 * now.variances[..., 0], 1e-12)
        velocity_gain = gain * pv / p
        along, across = split_by_sight(now.raw - expected, now.raw)
        return RootMotion(
            expected + gain[..., :1] * along + gain[..., 1:] * across,
            self.velocity + velocity_gain[..., :1] * along + velocity_gain[..., 1:] * across,
            now.raw,
            np.stack([p * (1 - gain), pv * (1 - gain), v - velocity_gain * pv], -1),
            np.exp(-dt_s / _SURPRISE_S)[..., None] * self.surprise + np.stack([_squared(along), _squared(across)], -1),
        )

    def _predicted(self, dt_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Variances (N, 2) of position, of both, and of velocity, ``dt_s`` (N,) s later.

        Who moves also turns and stops. The variance of the velocity is no speed.
        """
        p, pv, v = (self.variances[..., k] for k in range(3))
        parts = np.stack(split_by_sight(self.velocity, self.value), -2)
        speed2 = np.maximum((parts * parts).sum(-1) - v * [1, 2], 0)
        density, dt = _ACCELERATION + _ACCELERATION_BY_SPEED * speed2, dt_s[..., None]
        return p + 2 * dt * pv + dt**2 * v + density * dt**3 / 3, pv + dt * v + density * dt**2 / 2, v + density * dt


def _noise(raw: Floats, covariance: Floats) -> Floats:
    """(N, 2) m^2: variance from image to image of positions (N, 3) m, along the line of sight and across it."""
    return np.asarray(_NOISE**2 * stated_variances(raw, covariance))


def stated_variances(raw: Floats, covariance: Floats) -> Floats:
    """(N, 2) m^2 of positions (N, 3) m, along the line of sight and across it; the usual ones where NaN is stated."""
    distance2 = (raw * raw).sum(-1)
    stated = np.empty((*distance2.shape, 2))
    stated[..., 0] = ((raw[..., None, :] @ covariance)[..., 0, :] * raw).sum(-1) / np.maximum(distance2, 1e-12)
    trace = covariance[..., 0, 0] + covariance[..., 1, 1] + covariance[..., 2, 2]
    stated[..., 1] = (trace - stated[..., 0]) / 2
    is_stated = np.isfinite(stated) & (stated > 0)
    if is_stated.all():
        return stated
    assumed = np.stack([_ALONG_FRACTION**2 * distance2, np.full_like(distance2, _ACROSS_M**2)], -1)
    return np.where(is_stated, stated, assumed)


def _squared(vectors: Floats) -> Floats:
    return np.asarray((vectors * vectors).sum(-1))


def split_by_sight(vectors: Floats, sight: Floats) -> tuple[Floats, Floats]:
    """(N, 3) along the directions ``sight`` (N, 3), and the rest."""
    unit = sight / np.maximum(np.sqrt((sight * sight).sum(-1, keepdims=True)), 1e-9)
    along = (vectors * unit).sum(-1, keepdims=True) * unit
    return along, vectors - along
