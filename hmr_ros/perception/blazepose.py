# SPDX-License-Identifier: Apache-2.0
"""The arithmetic around BlazePose's landmark network: regions and crops, heatmaps.

A *region* is the square of the image that the landmark network looks at, as two points (2, 2) px: its centre (between
the hips) and a point above the head. Their distance is 1 / REGION_SCALE of half the side, their direction is "up", so
a region rotates with the person and no angle is needed.
Source: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020; constants from MediaPipe's
pose_landmark graph. Points are in px as CameraInfo counts them: pixel centres are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Float64s, Floats, Image
from hmr_ros.core.records import Record
from hmr_ros.perception import regions as squares
from hmr_ros.perception.logits import sigmoid

CROP_SIZE = 256
"""Side of the landmark network's input, px."""
REGION_SCALE = 1.25
"""A region is this much larger than the circle around the person."""
BODY_POINTS = 33
"""Number of body points among the landmark network's 39; 33 and 34 are the next region, the others repeat the hands."""
NEXT_REGION = slice(33, 35)
HEATMAP_WINDOW = 7
"""Side of the window of a heatmap that a point is refined in, cells."""
HEATMAP_PEAK = 0.5
"""Minimum peak of a heatmap that refines a point, 0..1."""


@dataclass(frozen=True, eq=False)
class Poses(Record):
    """Answers of the landmark network for P regions.

    ``points`` (P, 33, 2) px of the full image; ``visibility`` and ``inside`` (P, 33) 0..1: the probability
    that a point is not hidden, and that it lies in its region; ``presence`` (P,) 0..1 that there is a person;
    ``next_regions`` (P, 2, 2) px for the next image.
    """

    points: Floats
    visibility: Floats
    inside: Floats
    presence: Floats
    next_regions: Floats

    @staticmethod
    def empty() -> Poses:
        """No poses."""
        beliefs = np.zeros((0, BODY_POINTS), np.float32)
        return Poses(
            np.zeros((0, BODY_POINTS, 2), np.float32),
            beliefs,
            beliefs,
            np.zeros(0, np.float32),
            np.zeros((0, 2, 2), np.float32),
        )


def region_sides(regions: Floats) -> Floats:
    """(P,) px, the sides of ``regions`` (P, 2, 2) px."""
    radius = np.linalg.norm(regions[:, 1] - regions[:, 0], axis=1)
    return np.asarray(2 * REGION_SCALE * radius)


def image_from_crop(regions: Floats) -> Float64s:
    """(P, 2, 3) affine maps from px of the crop to px of the image, for ``regions`` (P, 2, 2) px.

    The landmark network counts from the crop's corner (mirrored crops gave mirrored points within 0.1 px about 128), so
    the middle of the crop's first pixel is (0.5, 0.5) here; in the image it is (0, 0).
    """
    return squares.image_from_crop(regions, CROP_SIZE, REGION_SCALE)


def crop(image: Image, maps: Floats) -> NDArray[np.uint8]:
    """(P, 256, 256, 3) patches of ``image`` (H, W, 3) under ``maps`` (P, 2, 3), image from crop.

    Outside the image its border is repeated: black would shift the points of a person cut off by it.
    """
    return squares.cut(image, maps, CROP_SIZE, cv2.BORDER_REPLICATE)


def refine(points: Float32s, heatmaps: Float32s) -> Float32s:
    """Move points (P, J, 2) px of the crop to the centre of mass of the heatmap (P, J, S, S, logits) around them.

    Points outside of the crop, or where the window has no clear peak, stay (MediaPipe, RefineLandmarksFromHeatmap).
    """
    people, joints, size, _ = heatmaps.shape
    scale = CROP_SIZE / size
    cells = np.floor(points / scale).astype(np.int64)
    reach = np.arange(HEATMAP_WINDOW) - HEATMAP_WINDOW // 2
    x, y = cells[..., 0, None] + reach, cells[..., 1, None] + reach
    in_x, in_y = (x >= 0) & (x < size), (y >= 0) & (y < size)
    p, j = np.ogrid[:people, :joints]
    rows, columns = y.clip(0, size - 1)[..., :, None], x.clip(0, size - 1)[..., None, :]
    window = heatmaps[p[..., None, None], j[..., None, None], rows, columns]
    mass = np.where(in_y[..., :, None] & in_x[..., None, :], sigmoid(window), 0)
    total = np.maximum(mass.sum(axis=(2, 3)), 1e-9)
    centre = np.stack([(mass.sum(2) * x).sum(-1), (mass.sum(3) * y).sum(-1)], axis=-1) / total[..., None] * scale
    inside = ((cells >= 0) & (cells < size)).all(-1)
    sure = inside & (mass.max(axis=(2, 3)) >= HEATMAP_PEAK)
    return np.where(sure[..., None], centre, points).astype(np.float32)


def decode_poses(landmarks: Float32s, presence: Float32s, heatmaps: Float32s, maps: Floats) -> Poses:
    """Poses from the landmark network's outputs; ``maps`` (P, 2, 3) are the crops', image from crop.

    ``landmarks`` (P, 39, 5): x, y and z in px of the crop, logits of visibility and presence; ``presence`` (P, 1);
    ``heatmaps`` (P, 39, 64, 64) logits.
    """
    points = refine(landmarks[..., :2], heatmaps)
    points = np.einsum("pij,pkj->pki", maps[:, :, :2], points) + maps[:, None, :, 2]
    beliefs = sigmoid(landmarks[..., :BODY_POINTS, 3:5])
    return Poses(
        points[:, :BODY_POINTS].astype(np.float32),
        beliefs[..., 0],
        beliefs[..., 1],
        presence[:, 0],
        points[:, NEXT_REGION].astype(np.float32),
    )
