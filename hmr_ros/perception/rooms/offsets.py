# SPDX-License-Identifier: Apache-2.0
"""The error of a camera's stated pose, estimated from people whom other cameras see, too.

Only differences between cameras can be seen: what all of them are wrong by alike stays. Every estimate is held by its
prior, the deviations that are stated, so that cameras which share no people are where they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.rotation import cross, rotvec_to_rotmat, skew
from hmr_ros.perception.rooms.observation import View
from hmr_ros.perception.rooms.options import FusingOptions

_ALIKE_S = 10.0
"""What people say about a camera's pose is alike for so long: their sizes, and where they stand."""

_FLOOR_M, _FLOOR_RAD = 0.01, 0.005
"""Deviations that remain, however many people are seen."""

_UNLIKELY = 16.0
"""Squared Mahalanobis distance beyond which a person is no evidence of an offset."""


@dataclass(frozen=True, eq=False)
class Offset:
    """A correction of a camera's pose: ``rotation`` (3,) rotvec about the camera and ``aside`` (3,) m, world axes.

    ``covariance`` (6, 6) of both.
    """

    rotation: Floats
    aside: Floats
    covariance: Floats

    @staticmethod
    def stated(options: FusingOptions) -> Offset:
        """None yet, with the deviations that are stated."""
        deviations = [options.angle_deviation_rad] * 3 + [options.position_deviation_m] * 3
        return Offset(np.zeros(3), np.zeros(3), np.diag(np.square(deviations)))

    def corrected(self, view: View) -> View:
        """``view`` as from where the camera probably is."""
        people = view.people.rotated(rotvec_to_rotmat(self.rotation), view.eye, self.aside)
        return View(view.camera, view.stamp_s, view.eye + self.aside, people)

    def covariances(self, lines_of_sight: Floats) -> Floats:
        """(P, 3, 3) m^2: what the pose adds to positions at ``lines_of_sight`` (P, 3) m from the camera."""
        jacobian = _jacobian(lines_of_sight)
        return np.asarray(jacobian @ self.covariance @ jacobian.swapaxes(-1, -2))

    def learnt(self, line_of_sight: Floats, residual: Floats, noise: Floats, elapsed_s: float) -> Offset:
        """After others see a person at ``line_of_sight`` (3,) m ``residual`` (3,) m away from there.

        ``noise`` (3, 3) m^2 is the covariance of both, ``elapsed_s`` the time since the last image.
        """
        jacobian = _jacobian(line_of_sight)
        seen = jacobian @ self.covariance
        expected = seen @ jacobian.T
        if residual @ np.linalg.solve(expected + noise, residual) > _UNLIKELY:
            return self
        fresh = min(max(elapsed_s / _ALIKE_S, 1e-3), 1.0)
        gain = np.linalg.solve(expected + noise / fresh, seen).T
        change = gain @ residual
        covariance = self.covariance - gain @ seen
        return Offset(self.rotation + change[:3], self.aside + change[3:], _floored(covariance))


def centred(offsets: Sequence[Offset], eyes: Floats, fraction: float) -> list[Offset]:
    """``offsets`` of cameras at ``eyes`` (C, 3) m without a ``fraction`` of the movement that they have in common.

    That all cameras are wrong alike cannot be seen, and is less likely than that one is: the median is none.
    """
    rotations, aside = (np.stack([getattr(offset, name) for offset in offsets]) for name in ("rotation", "aside"))
    common = _median(rotations)
    aside = aside - fraction * cross(common, eyes - eyes.mean(0))
    aside = aside - fraction * _median(aside)
    rotations = rotations - fraction * common
    return [Offset(r, a, offset.covariance) for r, a, offset in zip(rotations, aside, offsets, strict=True)]


def _median(vectors: Floats) -> Floats:
    """(C, 3) -> (3,); numpy's takes ten times as long for as few."""
    ordered, middle = np.sort(vectors, axis=0), len(vectors) // 2
    return np.asarray(ordered[middle] if len(vectors) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _jacobian(lines_of_sight: Floats) -> Floats:
    """(..., 3) m -> (..., 3, 6): how positions move with rotation and translation of the camera."""
    jacobian = np.empty((*lines_of_sight.shape, 6))
    jacobian[..., :3], jacobian[..., 3:] = -skew(lines_of_sight), np.eye(3)
    return jacobian


def _floored(covariance: Floats) -> Floats:
    """``covariance`` (6, 6), symmetric, with deviations of at least the floors."""
    low = np.square([_FLOOR_RAD] * 3 + [_FLOOR_M] * 3)
    missing = np.maximum(low - np.diag(covariance), 0)
    return np.asarray((covariance + covariance.T) / 2 + np.diag(missing))
