"""Boxes to crops: the affine maps between full-image pixels and the pixels of a network's input.

Coordinates are continuous, with (0, 0) at the corner of the first pixel and its centre at (0.5, 0.5): a box x1 y1 x2 y2
maps onto a crop's corners 0 0 width height. cv2.warpAffine counts from pixel centres; ``for_warp_affine`` makes its
matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


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
    affine[..., 2] = -boxes[..., :2] * scale
    return affine


def inverse(affine: Floats) -> Floats:
    """(..., 2, 3) -> (..., 2, 3): ``image_from_crop`` of a ``crop_from_image`` and back."""
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], -1)


def apply(affine: Floats, points: Floats) -> Floats:
    """(..., 2, 3), (..., J, 2) px -> (..., J, 2) px."""
    out: Floats = points @ affine[..., :2].swapaxes(-1, -2) + affine[..., None, :, 2]
    return out


def for_warp_affine(affine: Floats) -> Floats:
    """(..., 2, 3) -> (..., 2, 3): the same map between coordinates that count from pixel centres, as OpenCV's do."""
    shift = affine[..., :2] @ np.full((2, 1), 0.5) + affine[..., 2:] - 0.5
    return np.concatenate([affine[..., :2], shift], -1)
