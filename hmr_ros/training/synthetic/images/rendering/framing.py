# SPDX-License-Identifier: Apache-2.0
"""What of an image is cut out: boxes as the detector makes them at run time, and cameras that look into a crop."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.random import Generator

from hmr_ros.core.arrays import Float32s, Float64s, Floats, Image, Ints
from hmr_ros.core.geometry.crop import crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT
from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH, MARGIN
from hmr_ros.training.synthetic.images.rendering.raster import NEAR_M

_SMALLEST_PX = 4
_SMALLEST_CANVAS = 8


def network_box(box: Floats) -> Floats:
    """(4,) px of a detector -> (4,) px of the network's aspect."""
    centre, half = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], _SMALLEST_PX) / 2
    return np.asarray(pad_to_aspect(np.concatenate([centre - half, centre + half]), CROP_ASPECT, BOX_SCALE))


def jittered(box: Floats, amount: float, rng: Generator) -> Float64s:
    """The network's ``box`` (4,) with its edges moved by normal errors, ``amount`` of its size; aspect as before."""
    size = np.tile(box[2:] - box[:2], 2)
    return np.asarray(pad_to_aspect(box + rng.normal(0, 1, 4).clip(-2, 2) * amount * size, CROP_ASPECT))


def stored_box(box: Floats) -> Float64s:
    """(4,) px of the network's box -> (4,) px that a stored crop shows."""
    return np.asarray(pad_to_aspect(box, CROP_ASPECT, MARGIN))


def canvas_size(stored: Float64s) -> tuple[int, int]:
    """Height and width at which to draw what fills ``stored`` (4,) px: the sensor's resolution, at most the crop's."""
    width, height = stored[2:] - stored[:2]
    rows, columns = min(CROP_HEIGHT, round(height)), min(CROP_WIDTH, round(width))
    return max(_SMALLEST_CANVAS, rows), max(_SMALLEST_CANVAS, columns)


def canvas_camera(K: Float64s, affine: Float64s) -> Float64s:
    """(3, 3) K of a canvas under ``affine`` (2, 3) from the full image, whose camera has ``K``."""
    return np.asarray(np.concatenate([affine, [[0, 0, 1]]]) @ K)


def project(vertices: Float32s, camera: Float64s) -> Float32s:
    """(M, V, 3) m optical -> (M, V, 3): column px, row px, depth m under ``camera`` (3, 3), a K without skew.

    Points nearer than NEAR_M come out anywhere; the rasteriser leaves their faces out.
    """
    scale, shift = np.diag(camera)[:2].astype(np.float32), camera[:2, 2].astype(np.float32)
    return np.asarray(_projected(vertices, scale, shift))


@njit(cache=True, nogil=True)
def _projected(vertices: Float32s, scale: Float32s, shift: Float32s) -> Float32s:
    """Vertices (M, V, 3) m -> (M, V, 3) column px, row px, depth m."""
    points = np.empty(vertices.shape, np.float32)
    for mesh in range(vertices.shape[0]):
        for v in range(vertices.shape[1]):
            depth = vertices[mesh, v, 2]
            near = max(depth, np.float32(NEAR_M))
            points[mesh, v, 0] = vertices[mesh, v, 0] / near * scale[0] + shift[0]
            points[mesh, v, 1] = vertices[mesh, v, 1] / near * scale[1] + shift[1]
            points[mesh, v, 2] = depth
    return points


def canvas_from_image(stored: Float64s, height: int, width: int) -> Float64s:
    """(2, 3): pixels of the full image -> pixels of a canvas that shows ``stored`` (4,) px."""
    return np.asarray(crop_from_image(stored, width, height))


def blacken_outside(image: Image, stored: Float64s, image_size: Ints) -> None:
    """Black, in place, what ``image`` (H, W, 3) of ``stored`` (4,) px shows beyond the borders of the image."""
    height, width = image.shape[:2]
    affine = canvas_from_image(stored, height, width)
    left, top = np.ceil(affine[:, 2] + np.diag(affine) * -0.5).astype(int).clip(0)
    right, bottom = np.ceil(affine[:, 2] + np.diag(affine) * (image_size - 0.5)).astype(int).clip(0)
    image[:top] = image[bottom:] = 0
    image[:, :left] = image[:, right:] = 0
