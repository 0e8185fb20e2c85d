# SPDX-License-Identifier: Apache-2.0
"""Whether a camera matrix can belong to images of its size: positions of an impossible one would be metres off."""

from __future__ import annotations

import math

import numpy as np

from hmr_ros.core.arrays import Floats

_MAX_ASPECT = 1.5
"""Maximum quotient of the focal lengths: images squeezed from 16:9 to 4:3 have 1.33, anamorphic video 1.46."""

_CENTRE = (0.3, 0.7)
"""Range of the principal point, as a fraction of width and height. Lenses are centred to some percent; a matrix of
images 1.5 times as large has it at 0.75, of half the size at 0.25."""

_FOCAL = (0.15, 30.0)
"""Range of the focal length, as a fraction of the longer side: fisheye lenses start at 0.2, 30 sees two degrees."""

_REMEDY = "calibrate at the resolution in use, with K in px of the whole sensor, before binning and region of interest"


def implausibility(K: Floats, width: int, height: int) -> str:
    """Why ``K`` (3, 3) px cannot be of a whole image of ``width`` x ``height`` px; "" where it can.

    >>> print(implausibility(np.array([[0.9, 0, 0.5], [0, 1.2, 0.5], [0, 0, 1]]), 640, 480).partition(";")[0])
    the principal point (0.5, 0.5) is not near the centre of 640 x 480 px
    """
    fx, fy = float(K[0, 0]), float(K[1, 1])
    reason = (
        _off_centre(float(K[0, 2]), float(K[1, 2]), width, height)
        or _out_of_range(max(fx, fy), width, height)
        or _anisotropy(fx, fy)
    )
    return f"{reason}; {_REMEDY}" if reason else ""


def _off_centre(cx: float, cy: float, width: int, height: int) -> str:
    (low, high), centre = _CENTRE, np.array([cx + 0.5, cy + 0.5])  # the middle of the first pixel is (0, 0)
    size = np.array([width, height])
    if ((low * size <= centre) & (centre <= high * size)).all():
        return ""
    return f"the principal point ({cx:g}, {cy:g}) is not near the centre of {width} x {height} px"


def _out_of_range(f: float, width: int, height: int) -> str:
    side = max(width, height)
    if _FOCAL[0] * side <= f <= _FOCAL[1] * side:
        return ""
    angle = math.degrees(2 * math.atan(side / 2 / f)) if f > 0 else math.nan
    return f"a focal length of {f:g} px sees {angle:.3g} degrees across {side} px"


def _anisotropy(fx: float, fy: float) -> str:
    if 0 < max(fx, fy) <= _MAX_ASPECT * min(fx, fy):
        return ""
    return f"the focal lengths {fx:g} and {fy:g} px differ by more than a factor of {_MAX_ASPECT:g}"
