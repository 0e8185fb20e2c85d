# SPDX-License-Identifier: Apache-2.0
"""Similarity of two people in images: overlap of boxes, distance of keypoints, size."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats

TOLERANCE = 0.1
"""Standard deviation of a keypoint in body sizes: wider than COCO's (0.025 to 0.107), as people move between images."""

SIZE_TOLERANCE = 0.15
"""Standard deviation of the logarithm of a person's size between images: the detector's noise, and a bending body."""


def box_iou(a: Floats, b: Floats) -> Floats:
    """(A, B) intersection over union of boxes (A, 4) and (B, 4), x1 y1 x2 y2 px; 0 for empty boxes.

    >>> print(box_iou(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([[1.0, 0.0, 2.0, 1.0], [5.0, 5.0, 6.0, 6.0]])))
    [[0.5 0. ]]
    """
    overlap = box_overlap(a, b)
    union = box_area(a)[:, None] + box_area(b)[None] - overlap
    return np.asarray(overlap / np.maximum(union, 1e-9))


def box_overlap(a: Floats, b: Floats) -> Floats:
    """(A, B) px^2 that boxes (A, 4) and (B, 4), x1 y1 x2 y2 px, have in common."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2))


def box_area(boxes: Floats) -> Floats:
    """(N,) px^2 of boxes (N, 4), x1 y1 x2 y2 px; 0 for empty ones."""
    return np.asarray(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1))


def keypoint_similarity(a: Floats, b: Floats, a_weight: Floats, b_weight: Floats, size: Floats) -> Floats:
    """(A, B) object keypoint similarity, 0..1, of keypoints (A, J, 2) and (B, J, 2) px.

    ``a_weight`` (A, J) and ``b_weight`` (B, J) >= 0 are the weights of keypoints; two people without a common one have
    similarity 0. ``size`` (A,) px is the body's extent, whose fraction TOLERANCE is one standard deviation.
    Source: COCO keypoint evaluation, with one tolerance for all joints.
    """
    distance2 = np.square(a[:, None] - b[None]).sum(-1)
    variance2 = 2 * np.square(TOLERANCE * np.maximum(size, 1e-6))[:, None, None]
    weight = a_weight[:, None] * b_weight[None]
    agreement = (weight * np.exp(-distance2 / variance2)).sum(-1)
    return np.asarray(agreement / np.maximum(weight.sum(-1), 1e-9))


def size_similarity(a: Floats, b: Floats, a_weight: Floats, b_weight: Floats, tolerance: Floats) -> Floats:
    """(A, B) 0..1 similarity of the size of keypoints (A, J, 2) and (B, J, 2) px, whatever their positions.

    Only keypoints that both show count, by weights ``a_weight`` (A, J) and ``b_weight`` (B, J) >= 0, so that a person
    half hidden keeps their size. ``tolerance`` (A,): standard deviation of the logarithm of the ratio of sizes.
    """
    ratio = log_size_ratio(a, b, a_weight, b_weight)
    return np.asarray(np.exp(-np.square(ratio / tolerance[:, None]) / 2))


def log_size_ratio(a: Floats, b: Floats, a_weight: Floats, b_weight: Floats) -> Floats:
    """(A, B) logarithm of the size of ``a`` over that of ``b``, by the keypoints of both; as in size_similarity.

    0 for people without a common keypoint.
    """
    variances = _variance(a, a_weight, b_weight), _variance(b, b_weight, a_weight).T
    return np.asarray(np.log(np.maximum(variances[0], 1) / np.maximum(variances[1], 1)) / 2)


def _variance(points: Floats, weight: Floats, other_weight: Floats) -> Floats:
    """(A, B) px^2: variance of ``points`` (A, J, 2) with weights ``weight`` (A, J) times ``other_weight`` (B, J)."""
    points = points - points.sum(1, keepdims=True) / points.shape[1]  # small numbers keep their digits when squared
    total = np.maximum(weight @ other_weight.T, 1e-9)
    moments = np.stack([np.square(points).sum(-1), points[..., 0], points[..., 1]])
    square, x, y = (weight * moments) @ other_weight.T / total
    return np.asarray(square - (x * x + y * y))
