# SPDX-License-Identifier: Apache-2.0
"""The motion of one person by all cameras: an extended Kalman filter of position, velocity and each camera's own error.

A camera sees a person along a line, and guesses the distance by their size; and it is not exactly where it is said to
be: ``measured = eye + (1 + s) (root - eye) + e``. Both errors hardly change over time, and the first is partly shared
by cameras, as they guess from the same body. Were they taken for noise, the filter would average them out and believe
it. As states, with their correlation, they stay as uncertain as they are: two cameras that look from two sides tell the
size, and one of them alone goes on with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.rooms.options import SHARED_SIZE_ERROR

_ACCELERATION, _ACCELERATION_BY_SPEED = 0.05, 4.0
"""Spectral density of the acceleration, m^2/s^3, of people who stand; what is added by their squared speed, 1/s."""

_FIRST_M_S = 1.0
"""Standard deviation of the velocity per axis of a person who was seen once."""

_QUICK = 0.25
"""Fraction of the deviation along the line of sight that changes from image to image; the rest is the size."""

_LEAST_M = 0.01
_LEAST_SIZE_ERROR, _MOST_SIZE_ERROR = 0.015, 0.3
"""Of a person whom the ground or depth measured, which may be wrong, too; of a child taken for an adult."""

_SIZE_CHANGES_S = 20.0
"""Time constant at which errors of sizes change: people turn, and the ground comes into view."""

_BLOCK = 4
"""States of one camera: the error of the size, and of the position by the camera's pose, m."""

_SIZE_RANGE = (-0.6, 1.2)

_ALIKE_S = 0.3
"""Errors of a camera's images are alike for so long: smoothing, and keypoints that stay wrong."""

_POSE_CHANGES_S = 5.0
"""Time constant at which what a camera's pose does to a person changes, as they walk."""

_SURPRISING = 16.0
"""Squared Mahalanobis distance beyond which a measurement counts less."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A position as one camera measures it: ``root`` (3,) m along ``line_of_sight`` (3,) m from ``eye`` (3,) m.

    ``along`` and ``across`` m: deviations; ``pose_covariance`` (3, 3) m^2: what the camera's pose and clock add;
    ``elapsed_s`` since the camera's last image.
    """

    camera: str
    stamp_s: float
    eye: Floats
    root: Floats
    along: float
    across: float
    pose_covariance: Floats
    elapsed_s: float

    @property
    def line_of_sight(self) -> Floats:
        """(3,) m from the camera to the person."""
        return np.asarray(self.root - self.eye)

    @property
    def size_error(self) -> float:
        """Standard deviation of the logarithm of the size."""
        distance = max(math.dist(self.root, self.eye), 0.1)
        return min(max(self.along / distance, _LEAST_SIZE_ERROR), _MOST_SIZE_ERROR)

    @property
    def noise(self) -> Floats:
        """(3, 3) m^2 of one image, without the error of the size."""
        sight = self.line_of_sight
        sight = sight / max(math.sqrt(sight @ sight), 1e-6)
        along, across = max(_QUICK * self.along, _LEAST_M), max(self.across, _LEAST_M)
        return np.asarray(across**2 * _EYE + (along**2 - across**2) * sight[:, None] * sight)


_EYE = np.eye(3)


class PersonMotion:
    """The filter's state at ``stamp_s``, the last measurement: position, velocity, and ``s, e`` of each camera."""

    def __init__(self, first: Sighting) -> None:
        self.stamp_s = first.stamp_s
        self._blocks: dict[str, int] = {}
        self._size_errors: list[float] = []
        self._pose_covariances: list[Floats] = []
        self._state = np.concatenate([first.root, np.zeros(3)])
        self._covariance = np.diag(np.r_[np.zeros(3), np.full(3, _FIRST_M_S**2)])
        block = self._block(first)
        # The measured position is off by both errors: they are correlated with it from the start.
        self._covariance[:3, :3] = first.noise
        to_root = np.zeros((len(self._state), len(self._state)))
        to_root[:3, block] = -np.column_stack([first.line_of_sight, np.eye(3)])
        step = np.eye(len(self._state)) + to_root
        self._covariance = step @ self._covariance @ step.T

    @property
    def position(self) -> Floats:
        """(3,) m."""
        return self._state[:3].copy()

    @property
    def velocity(self) -> Floats:
        """(3,) m/s."""
        return self._state[3:6].copy()

    def size_factor(self, camera: str) -> float:
        """How many times as large as they are, and as far away, ``camera`` takes the person for."""
        block = self._blocks.get(camera)
        return 1.0 if block is None else 1.0 + float(self._state[block])

    def expected(self, stamp_s: float) -> tuple[Floats, Floats]:
        """Position (3,) m and its covariance (3, 3) m^2 at ``stamp_s``, which may be before the last measurement."""
        dt = stamp_s - self.stamp_s
        p, pv, v = self._covariance[:3, :3], self._covariance[:3, 3:6], self._covariance[3:6, 3:6]
        grown = p + dt * (pv + pv.T) + dt**2 * v + self._density() * abs(dt) ** 3 / 3 * _EYE
        return self._position_at(stamp_s), np.asarray(grown)

    def _position_at(self, stamp_s: float) -> Floats:
        """(3,) m."""
        return np.asarray(self._state[:3] + (stamp_s - self.stamp_s) * self._state[3:6])

    def _residual(self, sighting: Sighting, sight: Floats) -> Floats:
        """(3,) m: the sighting from where it is expected of a person at ``sight`` (3,) m from the camera."""
        return np.asarray(sighting.root - sighting.eye - self.size_factor(sighting.camera) * sight)

    def predict(self, stamp_s: float) -> None:
        """Go on to ``stamp_s``; nothing where that is past."""
        dt = stamp_s - self.stamp_s
        if dt <= 0:
            return
        self.stamp_s = stamp_s
        held = np.ones(len(self._state))
        held[6:] = np.tile(np.exp(-dt / np.array([_SIZE_CHANGES_S] + [_POSE_CHANGES_S] * 3)), len(self._blocks))
        step = np.diag(held)
        step[:3, 3:6] = dt * _EYE
        self._state = step @ self._state
        self._covariance = step @ self._covariance @ step.T + self._added(dt, held)

    def innovation(self, sighting: Sighting) -> tuple[Floats, Floats]:
        """How far (3,) m the sighting is from where it is expected by all but the error of the camera's pose.

        And the covariance (3, 3) m^2 of that, without that error: whoever asks for it adds it.
        """
        block = self._block(sighting)
        sight = self._position_at(sighting.stamp_s) - sighting.eye
        jacobian = self._jacobian(block, sight)
        jacobian[:, block.start + 1 : block.stop] = 0
        covariance = jacobian @ self._covariance @ jacobian.T + sighting.noise
        return self._residual(sighting, sight), np.asarray(covariance)

    def measure(self, sighting: Sighting) -> None:
        """Take a sighting into account, also one that is a little older than the last."""
        self.predict(sighting.stamp_s)
        block = self._block(sighting)
        self._pose_covariances[(block.start - 6) // _BLOCK] = sighting.pose_covariance
        sight = self._position_at(sighting.stamp_s) - sighting.eye
        jacobian = self._jacobian(block, sight)
        residual = self._residual(sighting, sight) - self._state[block.start + 1 : block.stop]
        noise = max(_ALIKE_S / max(sighting.elapsed_s, 1e-3), 1.0) * sighting.noise
        known = jacobian @ self._covariance @ jacobian.T
        surprise = float(residual @ np.linalg.solve(known + noise, residual)) / _SURPRISING
        gain = np.linalg.solve(known + noise * max(surprise, 1.0), jacobian @ self._covariance).T
        self._state = self._state + gain @ residual
        left = self._covariance - gain @ jacobian @ self._covariance
        self._covariance = (left + left.T) / 2
        self._state[6::_BLOCK] = np.clip(self._state[6::_BLOCK], *_SIZE_RANGE)

    def _added(self, dt: float, held: Floats) -> Floats:
        """(S, S): what becomes uncertain in ``dt`` s, in which states keep the fractions ``held`` (S,)."""
        added, density = np.zeros((len(held), len(held))), self._density()
        added[:3, :3], added[3:6, 3:6] = density * dt**3 / 3 * _EYE, density * dt * _EYE
        added[:3, 3:6] = added[3:6, :3] = density * dt**2 / 2 * _EYE
        added[6:, 6:] = (1 - held[6:, None] * held[6:]) * self._prior()
        return added

    def _density(self) -> float:
        """Spectral density of the acceleration, m^2/s^3. The variance of the velocity is no speed."""
        speed2 = float(self._state[3:6] @ self._state[3:6]) - float(np.trace(self._covariance[3:6, 3:6]))
        return _ACCELERATION + _ACCELERATION_BY_SPEED * max(speed2, 0.0)

    def _prior(self) -> Floats:
        """(4 C, 4 C): covariance of the errors of C cameras where nothing is measured."""
        count, deviations = len(self._size_errors), np.array(self._size_errors)
        correlation = SHARED_SIZE_ERROR + (1 - SHARED_SIZE_ERROR) * np.eye(count)
        prior = np.zeros((_BLOCK * count, _BLOCK * count))
        prior[::_BLOCK, ::_BLOCK] = correlation * np.outer(deviations, deviations)
        for number, covariance in enumerate(self._pose_covariances):
            rows = slice(_BLOCK * number + 1, _BLOCK * (number + 1))
            prior[rows, rows] = covariance
        return prior

    def _jacobian(self, block: slice, sight: Floats) -> Floats:
        """(3, S) of a measurement by the camera in ``block``."""
        jacobian = np.zeros((3, len(self._state)))
        jacobian[:, :3] = (1 + self._state[block.start]) * _EYE
        jacobian[:, block.start] = sight
        jacobian[:, block.start + 1 : block.stop] = _EYE
        return jacobian

    def _block(self, sighting: Sighting) -> slice:
        """The states of the camera's errors, which are new where the camera is."""
        if sighting.camera not in self._blocks:
            self._blocks[sighting.camera] = len(self._state)
            self._append(sighting)
        first = self._blocks[sighting.camera]
        return slice(first, first + _BLOCK)

    def _append(self, sighting: Sighting) -> None:
        """One more camera: its size error is as those that are known, as far as they are shared."""
        size, cameras = len(self._state), len(self._size_errors)
        shared = SHARED_SIZE_ERROR if cameras else 0.0
        like = np.zeros((_BLOCK, size))
        like[0, 6::_BLOCK] = shared / max(cameras, 1)
        cross = like @ self._covariance
        own = cross @ like.T
        own[0, 0] += (1 - shared**2) * sighting.size_error**2
        own[1:, 1:] += sighting.pose_covariance
        self._state = np.append(self._state, like @ self._state)
        self._covariance = np.block([[self._covariance, cross.T], [cross, own]])
        self._size_errors.append(sighting.size_error)
        self._pose_covariances.append(sighting.pose_covariance)
