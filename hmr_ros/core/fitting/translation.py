# SPDX-License-Identifier: Apache-2.0
"""The root translation of bodies, from 2D keypoints and, where it was measured, depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS, Keypoints

NEAREST_M = 0.1
"""A body with a keypoint nearer to the camera than this is refused."""

SMALLEST_RAD = 2e-3
"""The keypoints of people of a smaller angular size (rms radius) do not determine their distance."""

SURFACE_OFFSET_M = 0.07
"""Keypoints lie inside the body, about this far behind the skin that a depth camera sees."""

EXPECTED_DEVIATION = 0.1
"""Standard deviation of a distance that a network estimates, as a fraction of it."""

_DEPTH_DEVIATION_M = 0.06
_FINEST = 0.01
"""Lower bound of the robust scale, as a fraction of a person's angular size: keypoints are no better than this."""

_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class TranslationFit:
    """Root translations of P people.

    ``translation`` (P, 3) m of the root, optical frame; ``residual`` (P,) rad, root mean square angle between keypoints
    and body, weighted as in the fit; ``ok`` (P,): rows that are not hold NaN.
    """

    translation: Floats
    residual: Floats
    ok: Bools


def fit_translation(
    points: Floats, keypoints: Keypoints, depth: Floats | None = None, expected_z: Floats | None = None
) -> TranslationFit:
    """The root translation that projects ``points`` onto ``keypoints``, of P people.

    ``points`` (P, J, 3) m: keypoints of the body relative to its root, in optical axes; ``keypoints``: where they are
    seen, weighted by their scores; ``depth`` (P, J) m: z of the surface measured there, NaN where missing;
    ``expected_z`` (P,) m: z of the root by another estimate, which decides where the keypoints hardly determine it. Not
    ``ok`` are people with fewer than MIN_KEYPOINTS, too small ones, and those behind or in the camera.

    A point (X, Y, Z) seen at (u, v) requires X + t_x = u (Z + t_z) and Y + t_y = v (Z + t_z): linear least squares,
    repeated with the weights of a Geman-McClure estimator on the viewing angle, whose scale is twice the median angle.
    Without depth, the distance is wrong by the same factor as the size of the body: a child taken for an adult is put
    too far away.
    """
    u, weight = keypoints.normalized, keypoints.score
    depth = np.full_like(weight, np.nan) if depth is None else depth
    measured = np.isfinite(depth) & (weight > 0)
    root_z = np.where(measured, depth + SURFACE_OFFSET_M - points[..., 2], 0)
    prior_z: Floats = np.zeros((len(points), 1))
    prior_weight: Floats = prior_z
    if expected_z is not None:
        prior_z, prior_weight = expected_z[:, None], (EXPECTED_DEVIATION * expected_z[:, None]) ** -2.0

    size, by_depth = keypoints.angular_size(), bool(measured.any())
    t = _first_translation(points, u, weight, root_z, measured)
    confidence, angle = weight, np.zeros_like(weight)
    for _ in range(_ROUNDS):
        position = points + t[:, None]
        distance = np.sqrt((position * position).sum(-1))
        off_axis = position[..., :2] - u * position[..., 2:]
        angle = np.sqrt((off_axis * off_axis).sum(-1)) / distance
        scale = _positive(np.maximum(2 * _median(angle, weight > 0), _FINEST * size))[:, None]
        confidence = weight * _geman_mcclure(angle / scale)
        known_z, weight_z = prior_z, prior_weight
        if by_depth:
            off = (root_z - t[:, 2:]) / _DEPTH_DEVIATION_M
            confidence_z = np.where(measured, weight * _geman_mcclure(off / 3), 0) / _DEPTH_DEVIATION_M**2
            known_z, weight_z = np.concatenate([root_z, prior_z], 1), np.concatenate([confidence_z, prior_weight], 1)
        t = _solve(points, u, confidence / (scale * distance) ** 2, known_z, weight_z)

    ok = (keypoints.count >= MIN_KEYPOINTS) & ((size > SMALLEST_RAD) | measured.any(1))
    ok &= points[..., 2].min(1, initial=np.inf) + t[:, 2] > NEAREST_M
    residual = np.sqrt((confidence * angle**2).sum(1) / _positive(confidence.sum(1)))
    return TranslationFit(np.where(ok[:, None], t, np.nan), np.where(ok, residual, np.nan), ok)


def _solve(points: Floats, u: Floats, weight: Floats, root_z: Floats, weight_z: Floats) -> Floats:
    """(P, 3) m: weighted least squares of t_xy - u t_z = u Z - XY over the keypoints, and of t_z = root_z.

    ``points`` (P, J, 3) m; ``u`` (P, J, 2) and its ``weight`` (P, J); ``root_z`` (P, N) m and its ``weight_z`` (P, N).
    """
    a = u * points[..., 2:] - points[..., :2]
    total = _positive(weight.sum(1))[:, None]
    mean_u, mean_a = ((weight[..., None] * x).sum(1) / total for x in (u, a))
    du, da = u - mean_u[:, None], a - mean_a[:, None]
    target = (weight_z * root_z).sum(1) - (weight * (du * da).sum(-1)).sum(1)
    t_z = target / _positive((weight * (du * du).sum(-1)).sum(1) + weight_z.sum(1))
    return np.concatenate([mean_a + mean_u * t_z[:, None], t_z[:, None]], -1)


def _first_translation(points: Floats, u: Floats, weight: Floats, root_z: Floats, measured: Bools) -> Floats:
    """(P, 3) m to start from: by the median depth, where any was ``measured`` (P, J), as it resists the background.

    ``points`` (P, J, 3) m, ``u`` (P, J, 2), ``weight`` (P, J), ``root_z`` (P, J) m.
    """
    median_z = np.where(measured.any(1), _median(root_z, measured), 0)[:, None]
    certain = np.where(measured, 1e6, 0)
    return _solve(points, u, weight, np.broadcast_to(median_z, root_z.shape), certain)


def _median(values: Floats, chosen: Bools) -> Floats:
    """(P, J) -> (P,) lower median of the chosen; 0 where none is."""
    ordered = np.sort(np.where(chosen, values, np.inf), axis=1)
    median = ordered[np.arange(len(values)), np.maximum(chosen.sum(1) - 1, 0) // 2]
    return np.where(np.isfinite(median), median, 0)


def _geman_mcclure(x: Floats) -> Floats:
    """Weight 0..1 of a residual ``x``, in units of its scale (Geman and McClure, 1987)."""
    return 1 / (1 + x * x) ** 2


def _positive(x: Floats) -> Floats:
    """``x`` >= 0, made safe to divide by."""
    return np.maximum(x, 1e-9)
