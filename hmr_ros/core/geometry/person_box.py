# SPDX-License-Identifier: Apache-2.0
"""Boxes around people in an image, by mesh or keypoints."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.people import Bodies, Camera

_VERTEX_STEP = 8
"""Every so many vertices are enough for a rectangle."""

_MARGIN = 0.15
"""Keypoints end at eyes, wrists and ankles; heads, hands and feet reach farther, by so much of the larger side."""


def person_boxes(bodies: Bodies, camera: Camera | None, keypoint_threshold: float) -> Floats:
    """(P, 4) x1 y1 x2 y2 px around the mesh, or around the seen keypoints of a body that has none.

    Not cut at the image's border; NaN for a person without vertices and seen keypoints.
    """
    seen = bodies.kp2d_score >= keypoint_threshold
    points = np.where(seen[..., None], bodies.kp2d, np.nan)
    boxes = _around(points)
    margin = _MARGIN * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    boxes += margin[:, None] * np.array([-1, -1, 1, 1])
    if camera is not None:
        boxes[bodies.valid] = _around(project(bodies.vertices[bodies.valid, ::_VERTEX_STEP].astype(np.float64), camera))
    return boxes


def _around(points: Floats) -> Floats:
    """(P, N, 2) px -> boxes (P, 4) px; NaN points are ignored."""
    return np.concatenate([np.fmin.reduce(points, 1), np.fmax.reduce(points, 1)], 1)
