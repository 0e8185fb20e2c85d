# SPDX-License-Identifier: Apache-2.0
"""From a body to a person in the world: where the root stands, from 2D keypoints and what depth there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats

MIN_KEYPOINTS = 4
"""Fewer than this cannot show that one of them is wrong."""

NEAREST_M = 0.1
"""No part of a person is nearer to the camera."""

SMALLEST_RAD = 2e-3
"""The keypoints of people of a smaller angular size (rms radius) do not tell their distance."""

SURFACE_OFFSET_M = 0.07
"""Keypoints lie inside the body, about this far behind the skin that a depth camera sees."""

EXPECTED_DEVIATION = 0.1
"""Standard deviation of a distance that a network expects, as a part of it."""

_DEPTH_DEVIATION_M = 0.06
_FINEST = 0.01
"""Keypoints are never trusted beyond this part of a person's angular size."""

_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class TranslationFit:
    """Where people stand.

    ``translation`` (P, 3) m of the root, optical frame; ``residual`` (P,) rad, root mean square angle between keypoints
    and body, weighted as in the fit; ``ok`` (P,): rows that are not hold NaN.
    """

    translation: Floats
    residual: Floats
    ok: Bools


def fit_translation(
    points: Floats, normalized: Floats, weight: Floats, depth: Floats | None = None, expected_z: Floats | None = None
) -> TranslationFit:
    """Where a body must stand for its keypoints to be seen under the given rays.

    ``points`` (P, J, 3) m: keypoints relative to the root, in optical axes; ``normalized`` (P, J, 2): x/z, y/z where
    they are seen; ``weight`` (P, J) >= 0, 0 for unseen keypoints (so are those with a NaN ray); ``depth`` (P, J) m: z
    of the surface measured there, NaN where missing; ``expected_z`` (P,) m: z of the root from elsewhere, which decides
    where the keypoints hardly tell it.

    A keypoint (X, Y, Z) on the ray (u, v) asks for X + t_x = u (Z + t_z) and Y + t_y = v (Z + t_z): linear least
    squares, repeated with the weights of a Geman-McClure estimator on the viewing angle, whose scale is twice the
    median angle. Without depth, the distance is wrong by the same factor as the size of the body: a child taken for an
    adult is put too far away.
    """
    seen = np.isfinite(normalized[..., 0]) & np.isfinite(normalized[..., 1])
    u, weight = np.where(seen[..., None], normalized, 0), np.where(seen, weight, 0)
    depth = np.full_like(weight, np.nan) if depth is None else depth
    measured = np.isfinite(depth) & (weight > 0)
    root_z = np.where(measured, depth + SURFACE_OFFSET_M - points[..., 2], 0)
    prior_z: Floats = np.zeros((len(points), 1))
    prior_weight: Floats = prior_z
    if expected_z is not None:
        prior_z, prior_weight = expected_z[:, None], (EXPECTED_DEVIATION * expected_z[:, None]) ** -2.0

    size = angular_size(u, weight)
    t = _first_translation(points, u, weight, root_z, measured)
    confidence, angle = weight, np.zeros_like(weight)
    for _ in range(_ROUNDS):
        position = points + t[:, None]
        distance = np.sqrt((position * position).sum(-1))
        angle = np.linalg.norm(position[..., :2] - u * position[..., 2:], axis=-1) / distance
        scale = _positive(np.maximum(2 * _median(angle, weight > 0), _FINEST * size))[:, None]
        confidence = weight * _geman_mcclure(angle / scale)
        off = (root_z - t[:, 2:]) / _DEPTH_DEVIATION_M
        confidence_z = np.where(measured, weight * _geman_mcclure(off / 3), 0) / _DEPTH_DEVIATION_M**2
        known_z, weight_z = (np.concatenate(pair, 1) for pair in ((root_z, prior_z), (confidence_z, prior_weight)))
        t = _solve(points, u, confidence / (scale * distance) ** 2, known_z, weight_z)

    ok = ((weight > 0).sum(1) >= MIN_KEYPOINTS) & ((size > SMALLEST_RAD) | measured.any(1))
    ok &= points[..., 2].min(1, initial=np.inf) + t[:, 2] > NEAREST_M
    residual = np.sqrt((confidence * angle**2).sum(1) / _positive(confidence.sum(1)))
    return TranslationFit(np.where(ok[:, None], t, np.nan), np.where(ok, residual, np.nan), ok)


def _solve(points: Floats, u: Floats, weight: Floats, root_z: Floats, weight_z: Floats) -> Floats:
    """(P, 3): weighted least squares of t_xy - u t_z = u Z - XY over the keypoints, and of t_z = root_z."""
    a = u * points[..., 2:] - points[..., :2]
    total = _positive(weight.sum(1))[:, None]
    mean_u, mean_a = ((weight[..., None] * x).sum(1) / total for x in (u, a))
    du, da = u - mean_u[:, None], a - mean_a[:, None]
    target = (weight_z * root_z).sum(1) - (weight * (du * da).sum(-1)).sum(1)
    t_z = target / _positive((weight * (du * du).sum(-1)).sum(1) + weight_z.sum(1))
    return np.concatenate([mean_a + mean_u * t_z[:, None], t_z[:, None]], -1)


def _first_translation(points: Floats, u: Floats, weight: Floats, root_z: Floats, measured: Bools) -> Floats:
    """Start from the median depth where there is any: it stands up to a background seen past a limb."""
    median_z = np.where(measured.any(1), _median(root_z, measured), 0)[:, None]
    certain = np.where(measured, 1e6, 0)
    return _solve(points, u, weight, np.broadcast_to(median_z, root_z.shape), certain)


def _median(values: Floats, chosen: Bools) -> Floats:
    """(P, J) -> (P,) lower median of the chosen; 0 where none is."""
    ordered = np.sort(np.where(chosen, values, np.inf), axis=1)
    middle = np.maximum(chosen.sum(1) - 1, 0)[:, None] // 2
    median = np.take_along_axis(ordered, middle, 1)[:, 0]
    return np.where(np.isfinite(median), median, 0)


def angular_size(u: Floats, weight: Floats) -> Floats:
    """(P,) root mean square distance of the rays from their mean."""
    fraction = weight / _positive(weight.sum(1))[:, None]
    centred = u - (fraction[..., None] * u).sum(1, keepdims=True)
    out: Floats = np.sqrt((fraction * (centred * centred).sum(-1)).sum(1))
    return out


def _geman_mcclure(x: Floats) -> Floats:
    return 1 / (1 + x * x) ** 2


def _positive(x: Floats) -> Floats:
    """Make what is >= 0 safe to divide by."""
    return np.maximum(x, 1e-9)
