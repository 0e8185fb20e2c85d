"""How much two people in an image are one: overlap of boxes, agreement of keypoints."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.people import Floats

TOLERANCE = 0.1
"""Standard deviation of a keypoint in body sizes: wider than COCO's (0.025 to 0.107), as people move between images."""


def box_iou(a: Floats, b: Floats) -> Floats:
    """(A, B) intersection over union of boxes (A, 4) and (B, 4), x1 y1 x2 y2; 0 for empty boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.prod(np.maximum(high - low, 0), axis=2)
    area_a, area_b = (np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), axis=1) for x in (a, b))
    union = area_a[:, None] + area_b[None] - overlap
    return np.asarray(overlap / np.maximum(union, 1e-9))


def keypoint_similarity(a: Floats, b: Floats, a_weight: Floats, b_weight: Floats, size: Floats) -> Floats:
    """(A, B) object keypoint similarity, 0..1, of keypoints (A, J, 2) and (B, J, 2) px.

    ``a_weight`` (A, J) and ``b_weight`` (B, J) >= 0 say how much a keypoint counts; two people who share none are
    unlike. ``size`` (A,) px is the body's extent, whose fraction TOLERANCE is one standard deviation.
    Source: COCO keypoint evaluation, with one tolerance for all joints.
    """
    distance2 = np.square(a[:, None] - b[None]).sum(-1)
    spread2 = 2 * np.square(TOLERANCE * np.maximum(size, 1e-6))[:, None, None]
    weight = a_weight[:, None] * b_weight[None]
    agreement = (weight * np.exp(-distance2 / spread2)).sum(-1)
    return np.asarray(agreement / np.maximum(weight.sum(-1), 1e-9))
