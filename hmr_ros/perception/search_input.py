# SPDX-License-Identifier: Apache-2.0
"""The image that a network searches for people: the whole one at a given number of pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Image

STRIDE = 32
"""Heights and widths are multiples of this, px, as NanoDet and MoveNet MultiPose need them."""
_MAX_ENLARGEMENT = 2
"""Images are enlarged to at most this many times their pixels: enlarged texture looks like people."""


def search_input(image: Image, pixels: float) -> tuple[NDArray[np.uint8], Floats]:
    """``image`` (H, W, 3) uint8 RGB resized to about ``pixels`` px, (1, h, w, 3); and (2,) W / w and H / h."""
    height, width = image.shape[:2]
    size = input_size(width, height, int(min(pixels, _MAX_ENLARGEMENT * width * height)))
    return resize(image, size)[None], np.array([width / size[0], height / size[1]])


def input_size(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Multiples of STRIDE, of about ``pixels`` px in all and the aspect of an image of ``width`` and ``height`` px."""
    scale = (pixels / (width * height)) ** 0.5
    return max(STRIDE, round(width * scale / STRIDE) * STRIDE), max(STRIDE, round(height * scale / STRIDE) * STRIDE)


def resize(image: Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """``image`` (H, W, 3) resized to ``size`` (width, height); first halved as often as needed against aliasing."""
    smaller = image
    while smaller.shape[0] > 2.5 * size[1]:
        halved = cv2.resize(smaller, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # the one fast factor
        smaller = np.asarray(halved, np.uint8)
    return np.asarray(cv2.resize(smaller, size, interpolation=cv2.INTER_LINEAR), np.uint8)
