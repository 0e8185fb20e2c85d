# SPDX-License-Identifier: Apache-2.0
"""The ground: the plane that people stand on, in the camera's optical frame, and how well it is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.records import check_shape

LOWEST_CAMERA_M = 0.05
"""A camera nearer to the ground, or under it, sees no contact with it."""

_OFF_UNIT = 1e-3


@dataclass(frozen=True, eq=False)
class Ground:
    """The plane ``up`` . x = -``height_m``: ``up`` (3,) is its unit normal, towards the camera, which is above it.

    ``covariance`` (3, 3) 1/m^2: of ``up`` / ``height_m``, as the plane's height is known best where it was measured.
    Raises ValueError for a normal that is none, and for a camera that is not above the ground.
    """

    up: Floats
    height_m: float
    covariance: Floats

    def __post_init__(self) -> None:
        check_shape(self, "up", (3,))
        check_shape(self, "covariance", (3, 3))
        if not abs(float(np.linalg.norm(self.up)) - 1) < _OFF_UNIT:
            raise ValueError(f"Ground.up: expected a unit vector, got {self.up.tolist()}")
        _check_height(self.height_m)

    @staticmethod
    def stated(up: Floats, height_m: float, height_deviation_m: float, tilt_deviation_rad: float) -> Ground:
        """A plane whose height below the camera and tilt, about any horizontal axis, have these deviations."""
        _check_height(height_m)
        along = np.outer(up, up)
        tilt, height = (tilt_deviation_rad / height_m) ** 2, (height_deviation_m / height_m**2) ** 2
        return Ground(up, height_m, tilt * (np.eye(3) - along) + height * along)

    @staticmethod
    def of_frame(frame_from_optical: Transform, height_deviation_m: float, tilt_deviation_rad: float) -> Ground:
        """The plane z = 0 of a frame whose z axis is up. Raises ValueError for a camera that is not above it."""
        up, height = frame_from_optical.rotation[2], float(frame_from_optical.translation[2])
        return Ground.stated(up, height, height_deviation_m, tilt_deviation_rad)

    def __str__(self) -> str:
        return f"{self.height_m:.2f} m below the camera, which looks {math.degrees(self.tilt_rad):.1f} degrees down"

    @property
    def tilt_rad(self) -> float:
        """How far the camera looks down: the angle of its optical axis below the horizon."""
        return float(np.arcsin(np.clip(-self.up[2], -1, 1)))

    def elevation(self, points: Floats) -> Floats:
        """(..., 3) m, optical frame -> (...) m above the ground."""
        return np.asarray(points @ self.up + self.height_m)

    def along(self, vectors: Floats) -> Floats:
        """(..., 3), optical axes -> the part of them that is parallel to the ground."""
        return np.asarray(vectors - (vectors @ self.up)[..., None] * self.up)

    def deviation(self, points: Floats) -> Floats:
        """(..., 3) m, near the ground -> (...) m: standard deviation of the ground's height there."""
        variance = ((points @ self.covariance) * points).sum(-1)
        return np.asarray(self.height_m * np.sqrt(variance))


def _check_height(height_m: float) -> None:
    """Raise ValueError for the height of a camera that is not above the ground."""
    if not LOWEST_CAMERA_M <= height_m < math.inf:
        raise ValueError(
            f"Ground: expected a camera at least {LOWEST_CAMERA_M:g} m above it, got {height_m:.3g} m: the ground's "
            "frame must have z up, and its origin on the floor"
        )
