# SPDX-License-Identifier: Apache-2.0
"""Boxes of people -> the crops that Global-to-Pixel reads, and their crop cameras."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Image, Int64s, Ints
from hmr_ros.core.geometry.camera import undistort_points
from hmr_ros.core.geometry.crop import crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT, CROP_SHAPE, NO_TURNS, CropView
from hmr_ros.core.people import Camera

_REACH = 0.1
"""The scale of a box is measured between points above and below its centre, at this fraction of its height: distortion
is stronger at its edges, which may even lie outside the lens's view."""

_COARSEST = 1.5
"""Maximum px of the image per px of the crop at which bilinear interpolation alone avoids aliasing."""


def crop_views(boxes: Floats, camera: Camera, turns: Int64s = NO_TURNS) -> tuple[Ints, CropView]:
    """Views of the detector's ``boxes`` (P, 4) px: the row numbers (N,) of boxes that have one, and N views.

    ``turns`` (P,) or (): the quarter turns of the image, counter-clockwise, in which each person is looked at.

    Empty boxes have none, nor have those whose centre lies outside the lens's view. With distortion, a box's height
    over the focal length is that of a pinhole camera that shows its centre at the same scale.
    """
    filled = np.asarray(np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1))
    turns = np.broadcast_to(turns, len(boxes))
    lying = turns % 2 == 1
    known = np.where(filled[:, None], boxes, 1.0).astype(np.float64)
    upright = pad_to_aspect(known, CROP_ASPECT, BOX_SCALE)
    padded = np.where(lying[:, None], pad_to_aspect(known, 1 / CROP_ASPECT, BOX_SCALE), upright)
    centre = (padded[:, :2] + padded[:, 2:]) / 2
    reach = _REACH * np.where(lying[:, None], [1, 0], [0, 1]) * (padded[:, 2:] - padded[:, :2])
    above, normalized, below = undistort_points(np.stack([centre - reach, centre, centre + reach]), camera)
    height = np.linalg.norm(below - above, axis=1) / (2 * _REACH)
    rows = np.flatnonzero(filled & np.isfinite(normalized).all(1) & (height > 0))
    return rows, CropView(padded[rows], normalized[rows], height[rows], turns[rows])


def cut(image: Image, boxes: Floats, turns: Int64s = NO_TURNS) -> NDArray[np.uint8]:
    """(P, 256, 192, 3) crops of ``image`` (H, W, 3) at ``boxes`` (P, 4) px, black outside it.

    Each is then turned by ``turns`` (P,) or () quarters, and has the crop's aspect when it is.
    """
    crops = np.empty((len(boxes), *CROP_SHAPE, 3), np.uint8)
    for box, quarters, crop in zip(boxes, np.broadcast_to(turns, len(boxes)), crops, strict=True):
        if quarters:
            shape = CROP_SHAPE[::-1] if quarters % 2 else CROP_SHAPE
            crop[:] = np.rot90(_cut_one(image, box, np.empty((*shape, 3), np.uint8)), quarters)
        else:
            _cut_one(image, box, crop)
    return crops


def _cut_one(image: Image, box: Floats, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill ``crop`` (h, w, 3) with ``box`` (4,) px of ``image``, and return it.

    A crop much smaller than its box is sampled more finely first and averaged, so that a pixel is the mean of the light
    that falls on it, as in a sensor and in the training images.
    """
    height, width = crop.shape[:2]
    scale = (box[3] - box[1]) / height
    finer = 1 if scale <= _COARSEST else math.ceil(math.sqrt(scale))
    size = width * finer, height * finer
    affine = crop_from_image(box, *size)
    if finer == 1:
        cv2.warpAffine(image, affine, size, dst=crop, flags=cv2.INTER_LINEAR)
    else:
        cv2.resize(cv2.warpAffine(image, affine, size), (width, height), dst=crop, interpolation=cv2.INTER_AREA)
    return crop
