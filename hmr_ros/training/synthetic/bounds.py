# SPDX-License-Identifier: Apache-2.0
"""Where points lie, quickly: numpy reduces the contiguous axis of an array some forty times as fast as others."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Float32s


def bounds(points: Float32s) -> tuple[Float32s, Float32s]:
    """(..., N, 3) -> the minimum and the maximum of each coordinate, (..., 3) each."""
    coordinates = np.ascontiguousarray(np.moveaxis(points, -1, -2))
    return coordinates.min(-1), coordinates.max(-1)
