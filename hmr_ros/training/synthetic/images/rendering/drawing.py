# SPDX-License-Identifier: Apache-2.0
"""Antialiased shapes at fractions of a pixel, and light over an image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmr_ros.core.arrays import Floats, Image, Int32s

Canvas = NDArray[np.uint8]
"""(H, W) or (H, W, 3), drawn on in place."""
Paint = tuple[float, ...]

_BITS = 4
"""Of a pixel coordinate behind the point, in cv2's fixed point."""
_FARTHEST = 4000.0
"""Places beyond, px, overflow cv2."""


def polygon(canvas: Canvas, corners: ArrayLike, paint: Paint) -> None:
    """Fill the polygon with ``corners`` (N, 2) px."""
    cv2.fillPoly(canvas, [_fixed(corners)], paint, cv2.LINE_AA, _BITS)


def line(canvas: Canvas, ends: ArrayLike, paint: Paint, thickness: int) -> None:
    """Draw the line between ``ends`` (2, 2) px, ``thickness`` px wide."""
    start, end = _fixed(ends).tolist()
    cv2.line(canvas, start, end, paint, thickness, cv2.LINE_AA, _BITS)


def lit(image: Image, gain: Floats) -> NDArray[np.uint8]:
    """``image`` (H, W, 3) times ``gain`` (h, w) in 0..2, which is interpolated over it."""
    height, width = image.shape[:2]
    coded = np.round(gain * 127).astype(np.uint8)  # bytes are the fastest to multiply
    gains = cv2.resize(coded, (width, height))
    return np.asarray(cv2.multiply(image, cv2.merge([gains] * 3), scale=1 / 127), np.uint8)


def _fixed(points: ArrayLike) -> Int32s:
    within = np.asarray(points, np.float64).clip(-_FARTHEST, _FARTHEST)
    out: Int32s = np.round(within * 2**_BITS).astype(np.int32)
    return out
