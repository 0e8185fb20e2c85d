# SPDX-License-Identifier: Apache-2.0
"""Cameras: metric points of the optical frame (x right, y down, z forward) to pixels and back, with lens distortion.

The models are those of sensor_msgs/CameraInfo, with OpenCV's formulas: "plumb_bob" (k1 k2 p1 p2 [k3]),
"rational_polynomial" (k1 k2 p1 p2 k3 k4 k5 k6, with thin prism s1 s2 s3 s4, and with tilt of the sensor taux tauy) and
"equidistant", also called "fisheye" (k1 k2 k3 k4; Kannala and Brandt, 2006).

*Normalized image coordinates* are (x/z, y/z), points of the plane z = 1. Results are NaN for points at or behind the
camera, and for points or pixels beyond the angle at which the distortion polynomial stops growing, since there a lens
model folds the world back into the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial import Polynomial

from hmr_ros.core.arrays import Floats
from hmr_ros.core.camera import Camera
from hmr_ros.core.camera import focal_length as focal_length
from hmr_ros.core.geometry.rotation import rotation_between

_WIDEST_ANGLE = np.deg2rad(89)
"""Largest angle off the axis: at 90 degrees x/z has no value."""

_TABLE_SIZE = 512
_NEWTON_STEPS = 10
_CONVERGED = 1e-10
"""Newton's method, started from a table of 512 angles, is there after 2 to 4 steps, except close to the rim."""

_NO_COEFFICIENT = 1e-30
"""A leading coefficient of a polynomial below this is none: numpy divides by it to find roots."""

_NEARLY_BEHIND = -0.5
"""Cosine to the optical axis from which on ``looking_at`` has a short formula that is exact to rounding."""


ASSUMED_FIELD_OF_VIEW_DEG = 60.0
"""Of the longer side of an image that comes without a calibration: between a webcam (about 55) and a phone held upright
(about 65)."""


def project(points: Floats, camera: Camera) -> Floats:
    """(..., 3) m, optical frame -> (..., 2) px."""
    z = points[..., 2:]
    normalized = points[..., :2] / np.where(z > 0, z, np.nan)
    return distort(normalized, camera) @ camera.K[:2, :2].T + camera.K[:2, 2]


def undistort_points(pixels: Floats, camera: Camera) -> Floats:
    """(..., 2) px -> (..., 2) normalized image coordinates, undistorted."""
    inverse = np.linalg.inv(camera.K)
    return undistort(pixels @ inverse[:2, :2].T + inverse[:2, 2], camera)


def unproject(pixels: Floats, depth: Floats, camera: Camera) -> Floats:
    """(..., 2) px and (...) z in m -> (..., 3) m, optical frame."""
    normalized = undistort_points(pixels, camera)
    return np.concatenate([normalized, np.ones_like(normalized[..., :1])], -1) * depth[..., None]


def looking_at(direction: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3) ``virtual_from_optical``: rotates a direction onto the optical axis, without roll.

    It is the smallest such rotation, so that what is upright stays as upright as it can.
    """
    length = np.sqrt((direction * direction).sum(-1))
    if not (direction[..., 2] > _NEARLY_BEHIND * length).all():
        return rotation_between(direction, np.array([0.0, 0.0, 1.0], direction.dtype))
    x, y, z = (direction[..., k] / length for k in range(3))
    twist = -x * y / (1 + z)
    entries = [1 - x * x / (1 + z), twist, -x, twist, 1 - y * y / (1 + z), -y, x, y, z]
    return np.stack(entries, -1).reshape(*direction.shape, 3)


def distort(normalized: Floats, camera: Camera) -> Floats:
    """(..., 2) normalized image coordinates, undistorted -> distorted by the lens."""
    lens = _lens(camera.distortion_model, tuple(camera.D.tolist()))
    return lens.distort(normalized) if lens else normalized


def undistort(normalized: Floats, camera: Camera) -> Floats:
    """(..., 2) normalized image coordinates, distorted -> undistorted; the inverse of ``distort``."""
    lens = _lens(camera.distortion_model, tuple(camera.D.tolist()))
    return lens.undistort(normalized) if lens else normalized


@dataclass(frozen=True, eq=False)
class _PolynomialLens:
    """Brown's model: a radial factor, a (rational) polynomial of the squared radius s, and decentring by ``p``.

    The thin prism shifts by two ``prism`` polynomials of s.
    """

    numerator: Polynomial
    denominator: Polynomial
    p: tuple[float, float]
    prism: tuple[Polynomial, Polynomial]

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """Radii from 0 to the end of the valid range, and their distorted values, both growing."""
        s, n, d = Polynomial([0, 1]), self.numerator, self.denominator
        growth = (n + 2 * s * n.deriv()) * d - 2 * s * n * d.deriv()
        widest = np.sqrt(_first_root(growth, d, limit=np.tan(_WIDEST_ANGLE) ** 2)) * (1 - 1e-9)  # finite before a pole
        radius = np.tan(np.linspace(0, np.arctan(widest), _TABLE_SIZE))
        return radius, radius * n(radius**2) / d(radius**2)

    def distort(self, normalized: Floats) -> Floats:
        """(..., 2) normalized image coordinates, undistorted -> distorted; NaN beyond the valid range."""
        s = (normalized * normalized).sum(-1, keepdims=True)
        normalized = np.where(s <= self.table[0][-1] ** 2, normalized, np.nan)
        (x, y), (p1, p2) = (normalized[..., :1], normalized[..., 1:]), self.p
        shift = np.concatenate([2 * p1 * x * y + p2 * (s + 2 * x * x), p1 * (s + 2 * y * y) + 2 * p2 * x * y], -1)
        shift = shift + np.concatenate([part(s) for part in self.prism], -1)
        out: Floats = normalized * self.numerator(s) / self.denominator(s) + shift
        return out

    def undistort(self, seen: Floats) -> Floats:
        """(..., 2) normalized image coordinates, distorted -> undistorted; NaN where none exist."""
        normalized, step = seen * _interpolated_ratio(seen, *self.table), np.zeros_like(seen)
        for _ in range(_NEWTON_STEPS):
            step = self._newton_step(normalized, self.distort(normalized) - seen)
            normalized = normalized - np.clip(
                step, -0.2, 0.2
            )  # the last digits before the rim are found in small steps
            if not (np.abs(step) > _CONVERGED).any():
                break
        return np.where(np.abs(step).max(-1, keepdims=True) < 1e-6, normalized, np.nan)

    def _newton_step(self, normalized: Floats, error: Floats) -> Floats:
        """(..., 2) the inverse Jacobian of ``distort`` times ``error``; NaN where the lens folds."""
        (x, y), (p1, p2) = np.moveaxis(normalized, -1, 0), self.p
        s, n, d = x * x + y * y, self.numerator, self.denominator
        factor = n(s) / d(s)
        slope = 2 * (n.deriv()(s) - factor * d.deriv()(s)) / d(s)
        xx = factor + slope * x * x + 2 * p1 * y + 6 * p2 * x
        xy = slope * x * y + 2 * (p1 * x + p2 * y)
        yy = factor + slope * y * y + 6 * p1 * y + 2 * p2 * x
        prism_x, prism_y = (2 * part.deriv()(s) for part in self.prism)
        xx, xy, yx, yy = xx + prism_x * x, xy + prism_x * y, xy + prism_y * x, yy + prism_y * y
        determinant = xx * yy - xy * yx
        determinant = np.where(determinant > 0, determinant, np.nan)
        ex, ey = np.moveaxis(error, -1, 0)
        return np.stack([yy * ex - xy * ey, xx * ey - yx * ex], -1) / determinant[..., None]


@dataclass(frozen=True, eq=False)
class _FisheyeLens:
    """The distorted radius is theta (1 + k1 theta^2 + ...), with theta the angle off the axis."""

    factor: Polynomial

    @cached_property
    def growth(self) -> Polynomial:
        """Derivative of the distorted radius by theta, as a polynomial of theta^2."""
        return self.factor + 2 * Polynomial([0, 1]) * self.factor.deriv()

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """Angles from 0 to the end of the valid range, and their distorted radii, both growing."""
        widest = np.sqrt(_first_root(self.growth, limit=_WIDEST_ANGLE**2))
        theta = np.linspace(0, widest, _TABLE_SIZE)
        return theta, theta * self.factor(theta**2)

    def distort(self, normalized: Floats) -> Floats:
        """(..., 2) normalized image coordinates, undistorted -> distorted; NaN beyond the valid range."""
        radius = np.sqrt((normalized * normalized).sum(-1, keepdims=True))
        theta = np.arctan(radius)
        theta = np.where(theta <= self.table[0][-1], theta, np.nan)
        return normalized * self.factor(theta**2) * _ratio(theta, radius)

    def undistort(self, seen: Floats) -> Floats:
        """(..., 2) normalized image coordinates, distorted -> undistorted; NaN where none exist."""
        radius = np.sqrt((seen * seen).sum(-1, keepdims=True))
        theta = radius * _interpolated_ratio(seen, *self.table)
        for _ in range(_NEWTON_STEPS):
            growth = np.maximum(self.growth(theta**2), 1e-3)  # it vanishes at the rim
            step = (theta * self.factor(theta**2) - radius) / growth
            theta = np.clip(theta - step, 0, _WIDEST_ANGLE)
            if not (np.abs(step) > _CONVERGED).any():
                break
        return seen * _ratio(np.tan(theta), radius)


@dataclass(frozen=True, eq=False)
class _TiltedLens:
    """A lens before a sensor that is tilted (Scheimpflug); ``H`` (3, 3) maps what it sees onto the sensor."""

    lens: _PolynomialLens
    H: Floats

    @staticmethod
    def of(lens: _PolynomialLens, tau_x: float, tau_y: float) -> _TiltedLens:
        """Tilted by ``tau_x`` and then ``tau_y``, rad, as in OpenCV's computeTiltProjectionMatrix."""
        (cx, cy), (sx, sy) = np.cos([tau_x, tau_y]), np.sin([tau_x, tau_y])
        R = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
        onto_sensor = np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1]])
        return _TiltedLens(lens, onto_sensor @ R)

    def distort(self, normalized: Floats) -> Floats:
        """(..., 2) normalized image coordinates, undistorted -> distorted; NaN beyond the valid range."""
        return _mapped(self.lens.distort(normalized), self.H)

    def undistort(self, seen: Floats) -> Floats:
        """(..., 2) normalized image coordinates, distorted -> undistorted; NaN where none exist."""
        return self.lens.undistort(_mapped(seen, np.linalg.inv(self.H)))


def _mapped(points: Floats, H: Floats) -> Floats:
    """(..., 2) by the homography ``H`` (3, 3)."""
    out = points @ H[:, :2].T + H[:, 2]
    return np.asarray(out[..., :2] / out[..., 2:])


@lru_cache(maxsize=16)
def _lens(model: str, D: tuple[float, ...]) -> _PolynomialLens | _FisheyeLens | _TiltedLens | None:
    """The lens of a camera, None for a camera without distortion."""
    if not D:
        return None
    if model in ("equidistant", "fisheye"):
        return _FisheyeLens(Polynomial([1, *D]))
    if not any(D):
        return None
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y = (*D, *(0.0,) * (14 - len(D)))
    prism = Polynomial([0, s1, s2]), Polynomial([0, s3, s4])
    lens = _PolynomialLens(Polynomial([1, k1, k2, k3]), Polynomial([1, k4, k5, k6]), (p1, p2), prism)
    return _TiltedLens.of(lens, tau_x, tau_y) if tau_x or tau_y else lens


def _first_root(*polynomials: Polynomial, limit: float) -> float:
    """The smallest positive real root of any of ``polynomials`` that lies below ``limit``, else ``limit``."""
    roots = np.concatenate([p.trim(_NO_COEFFICIENT).roots() for p in polynomials])
    real = roots[np.abs(roots.imag) < 1e-9].real
    return float(min(real[(real > 0) & (real < limit)], default=limit))


def _interpolated_ratio(seen: Floats, source: Floats, distorted: Floats) -> Floats:
    """(..., 1) source / distorted at the radii of ``seen`` (..., 2), from a table; NaN beyond its end."""
    radius = np.sqrt((seen * seen).sum(-1, keepdims=True))
    return _ratio(np.interp(radius, distorted, source, right=np.nan), radius)


def _ratio(a: Floats, b: Floats) -> Floats:
    """Quotient, with the limit 1 where ``b`` is 0."""
    return np.where(b > 0, a / np.where(b > 0, b, 1), 1)
