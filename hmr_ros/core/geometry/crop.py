# SPDX-License-Identifier: Apache-2.0
"""Boxes to crops: the affine maps between full-image pixels and the pixels of a network's input.

Pixels are counted as CameraInfo and OpenCV count them, images and crops alike: (0, 0) is the centre of the first pixel.
The corners of a box become the corners of the crop, which lie at -0.5 and at its size - 0.5, half a pixel outside the
outermost centres. So the maps serve keypoints and ``cv2.warpAffine`` as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Bools, Floats

KEYPOINT_MARGIN = 0.1
"""Keypoints lie inside of the body; boxes reach beyond them by this fraction of their size."""


def boxes_of_keypoints(points: Floats, seen: Bools, image_size: NDArray[np.generic]) -> Floats:
    """(..., J, 2) px, (..., J) and (..., 2) width, height px -> (..., 4) px: boxes around the points that are seen.

    They are a little wider than that and end where the image does. Where nothing is seen, x1 > x2 and y1 > y2.
    """
    low = np.where(seen[..., None], points, np.inf).min(-2)
    high = np.where(seen[..., None], points, -np.inf).max(-2)
    margin = KEYPOINT_MARGIN * (high - low)
    return np.concatenate([np.clip(low - margin, 0, image_size), np.clip(high + margin, 0, image_size)], -1)


def pad_to_aspect(boxes: Floats, aspect: float, scale: float = 1.0) -> Floats:
    """(..., 4) px -> (..., 4) px: the smallest boxes of width / height = ``aspect`` around the same centres, scaled."""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    width, height = np.moveaxis(boxes[..., 2:] - boxes[..., :2], -1, 0)
    height = np.maximum(height, width / aspect) * scale
    half = np.stack([height * aspect, height], -1) / 2
    return np.concatenate([centre - half, centre + half], -1)


def crop_from_image(boxes: Floats, width: int, height: int) -> Floats:
    """(..., 4) px -> (..., 2, 3) affine maps, full-image px -> crop px of a ``width`` x ``height`` crop."""
    size = boxes[..., 2:] - boxes[..., :2]
    if (size <= 0).any():
        raise ValueError(f"boxes must have x2 > x1 and y2 > y1, got {boxes.tolist()}")
    scale = np.array([width, height]) / size
    affine = np.zeros((*boxes.shape[:-1], 2, 3))
    affine[..., 0, 0], affine[..., 1, 1] = scale[..., 0], scale[..., 1]
    affine[..., 2] = -boxes[..., :2] * scale - 0.5
    return affine


def inverse(affine: Floats) -> Floats:
    """(..., 2, 3) -> (..., 2, 3): ``image_from_crop`` of a ``crop_from_image`` and back."""
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], -1)


def apply(affine: Floats, points: Floats) -> Floats:
    """(..., 2, 3), (..., J, 2) px -> (..., J, 2) px."""
    out: Floats = points @ affine[..., :2].swapaxes(-1, -2) + affine[..., None, :, 2]
    return out
