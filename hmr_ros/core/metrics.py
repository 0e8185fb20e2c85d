# SPDX-License-Identifier: Apache-2.0
"""Errors of 3D bodies, one definition for training, evaluation and benchmarks.

Points are in metres and errors in millimetres. Each function gives one figure per sample, so that means, medians and
confidence intervals are the caller's choice. Definitions: Pose2Mesh (ECCV 2020), FreiHAND (ICCV 2019) and VIBE
(CVPR 2020) as their evaluation codes have them, except that alignment never mirrors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints

MM = 1000.0


def mpjpe(predicted: Floats, ground_truth: Floats, root: int = 0, joints: Ints | None = None) -> Floats:
    """(N, J, 3), (N, J, 3) m -> (N,) mm: mean joint error, both relative to their own ``root`` joint.

    The mean is over ``joints``, or all: protocols often leave out the root itself.
    """
    chosen = slice(None) if joints is None else joints
    return _mean_distance(
        (predicted - predicted[:, [root]])[:, chosen], (ground_truth - ground_truth[:, [root]])[:, chosen]
    )


def pa_mpjpe(predicted: Floats, ground_truth: Floats) -> Floats:
    """(N, J, 3), (N, J, 3) m -> (N,) mm: mean joint error after the best similarity transform of each sample."""
    return _mean_distance(similarity_aligned(predicted, ground_truth), ground_truth)


def mpvpe(predicted: Floats, ground_truth: Floats, predicted_root: Floats, ground_truth_root: Floats) -> Floats:
    """(N, V, 3), (N, V, 3) m and the pelvis joints (N, 3), (N, 3) m -> (N,) mm: mean vertex error, pelves aligned."""
    return _mean_distance(predicted - predicted_root[:, None], ground_truth - ground_truth_root[:, None])


def similarity_aligned(predicted: Floats, ground_truth: Floats) -> Floats:
    """(N, J, 3), (N, J, 3) -> (N, J, 3): ``predicted`` scaled, rotated and moved to the least squared distance.

    Umeyama (PAMI 1991): a rotation, never a reflection.
    """
    centre, target = predicted.mean(1, keepdims=True), ground_truth.mean(1, keepdims=True)
    p, t = predicted - centre, ground_truth - target
    u, singular, vt = np.linalg.svd(t.swapaxes(1, 2) @ p)
    sign = np.ones_like(singular)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = u * sign[:, None] @ vt
    size = (p * p).sum((1, 2))
    scale = (singular * sign).sum(1) / np.where(size > 0, size, 1)
    out: Floats = scale[:, None, None] * p @ rotation.swapaxes(1, 2) + target
    return out


def f_score(predicted: Floats, ground_truth: Floats, threshold_mm: float) -> Floats:
    """(N, V, 3), (N, W, 3) m -> (N,) 0..1: harmonic mean of precision and recall of the point sets.

    A point counts when the other set has one nearer than the threshold. FreiHAND reports 5 and 15 mm after
    ``similarity_aligned``.
    """
    precision, recall = np.zeros(len(predicted)), np.zeros(len(predicted))
    for i, (p, t) in enumerate(zip(predicted, ground_truth, strict=True)):
        hit, found = [], np.zeros(len(t), np.bool_)
        for rows in np.array_split(p, 1 + len(p) // 1024):  # all V x W distances at once need not fit in memory
            near = _squared_distances(rows, t) < (threshold_mm / MM) ** 2
            hit.append(near.any(1))
            found |= near.any(0)
        precision[i], recall[i] = np.concatenate(hit).mean(), found.mean()
    total = precision + recall
    out: Floats = 2 * precision * recall / np.where(total > 0, total, 1)
    return out


def accel_error(predicted: Floats, ground_truth: Floats, visible: Bools | None = None) -> Floats:
    """(T, J, 3), (T, J, 3) m of one person, root-relative -> (T - 2,) mm/frame^2.

    Mean over joints of the difference of the second differences. A frame that is not ``visible`` (T,) voids the three
    figures it takes part in: NaN.
    """
    error = predicted - ground_truth
    acceleration = error[:-2] - 2 * error[1:-1] + error[2:]
    out: Floats = np.linalg.norm(acceleration, axis=-1).mean(-1) * MM
    if visible is not None:
        out = np.where(visible[:-2] & visible[1:-1] & visible[2:], out, np.nan)
    return out


def coverage(error: Floats, joint_error: Floats, multiple: float) -> Floats:
    """(N, J, 3) m and the expected length of each error (N, J) m -> (N,) 0..1: fraction within ``multiple`` times that.

    Compare its mean with ``expected_coverage(multiple)``: a larger one means that the expected errors are too large.
    """
    out: Floats = (np.linalg.norm(error, axis=-1) <= multiple * joint_error).mean(-1)
    return out


def expected_coverage(multiple: float) -> float:
    """Fraction of exponentially distributed lengths below ``multiple`` times their mean, as a network's errors are."""
    return 1 - math.exp(-multiple)


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, in the unit of the samples."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} [{self.low:.1f}, {self.high:.1f}]"


def bootstrap_mean(
    values: Floats,
    groups: Ints | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """(N,) samples -> their mean with its percentile bootstrap interval (Efron, 1979), the same for the same seed.

    ``groups`` (N,) names the clip or person each sample is from. Frames of one clip are much alike, so whole groups are
    drawn; intervals that draw frames are far too narrow.
    """
    if not (len(values) and np.isfinite(values).all()):
        raise ValueError(f"expected at least one sample, all of them finite, got {len(values)}")
    index = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = np.bincount(index)
    total = np.bincount(index, weights=values)
    rng = np.random.default_rng(seed)
    means = np.zeros(resamples)
    for some in np.array_split(means, 1 + resamples * len(count) // 2**20):  # all draws at once need not fit in memory
        drawn = rng.integers(len(count), size=(len(some), len(count)))
        some[:] = total[drawn].sum(1) / count[drawn].sum(1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def _mean_distance(a: Floats, b: Floats) -> Floats:
    """(N, J, 3), (N, J, 3) m -> (N,) mm."""
    out: Floats = np.linalg.norm(a - b, axis=-1).mean(-1) * MM
    return out


def _squared_distances(a: Floats, b: Floats) -> Floats:
    """(V, 3), (W, 3) -> (V, W)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    out: Floats = (a * a).sum(-1)[:, None] + (b * b).sum(-1) - 2 * a @ b.T
    return out
