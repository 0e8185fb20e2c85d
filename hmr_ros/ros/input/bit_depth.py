# SPDX-License-Identifier: Apache-2.0
"""16-bit pixels -> 8 bits, by the bits that a camera uses: sensors of 10 or 12 bits fill 16 in part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Ints

_QUANTILE = 0.999
"""A bit is in use if more than one in a thousand pixels needs it: hot pixels do not count."""

_SAMPLED_ROWS = 120


class BitDepth:
    """The bits that a camera uses: the most of all its images so far, so that brightness does not flicker."""

    def __init__(self) -> None:
        self.bits = 8

    def to_uint8(self, pixels: Ints) -> NDArray[np.uint8]:
        """(H, W) or (H, W, C) uint16 -> uint8: the upper 8 of the bits in use."""
        step = max(min(pixels.shape[:2]) // _SAMPLED_ROWS, 1)
        brightest = int(np.quantile(pixels[::step, ::step], _QUANTILE, method="higher"))
        self.bits = max(self.bits, brightest.bit_length())
        return np.asarray(np.minimum(pixels >> (self.bits - 8), 255), np.uint8)
