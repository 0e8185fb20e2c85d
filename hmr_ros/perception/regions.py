# SPDX-License-Identifier: Apache-2.0
"""Square patches of an image for MediaPipe's networks, from regions that rotate with what they hold.

A *region* is two points (2, 2) px: its centre, and the one towards which it is upright.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float64s, Floats, Image


def image_from_crop(regions: Floats, size: int, scale: float = 1.0) -> Float64s:
    """(N, 2, 3) affine maps from px of a crop of side ``size`` to px of the image, for ``regions`` (N, 2, 2) px.

    ``scale``: half the side of the crop as a multiple of the distance of the region's points. The networks count from
    the crop's corner: the middle of its first pixel is (0.5, 0.5). In the image it is (0, 0).
    """
    centre = regions[:, 0].astype(np.float64)
    down = centre - regions[:, 1]
    right = np.stack([down[:, 1], -down[:, 0]], axis=1)
    axes = np.stack([right, down], axis=2) * (2 * scale / size)
    corner = centre - axes.sum(axis=2) * (size / 2)
    return np.concatenate([axes, corner[:, :, None]], axis=2)


def cut(image: Image, maps: Floats, size: int, border: int) -> NDArray[np.uint8]:
    """(N, size, size, 3) patches of ``image`` (H, W, 3) under ``maps`` (N, 2, 3), image from crop.

    ``border``: what OpenCV takes for the pixels outside of the image.
    """
    maps = maps.copy()
    maps[:, :, 2] += maps[:, :, :2].sum(axis=2) / 2  # cv2 counts from the middle of the first pixel
    patches = np.empty((len(maps), size, size, 3), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for patch, affine in zip(patches, maps, strict=True):
        cv2.warpAffine(image, affine, (size, size), dst=patch, flags=flags, borderMode=border)
    return patches
