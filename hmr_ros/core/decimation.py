"""Few points that stand for many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Indices (count,) of ``points`` (N, 3) that lie as far from each other as possible.

    Farthest-point sampling: each next one is the point farthest from all before it (Gonzalez, 1985), so no point is
    farther from a chosen one than twice the best possible. Raises ValueError when there are fewer than ``count``.
    """
    if not 0 < count <= len(points):
        raise ValueError(f"expected 1 to {len(points)} points, got {count}")
    planar = np.ascontiguousarray(points.T)  # sums over three rows are many times faster than over three columns
    chosen = np.zeros(count, np.int64)
    nearest = np.full(len(points), np.inf, points.dtype)
    for k in range(1, count):
        x, y, z = (planar - planar[:, chosen[k - 1], None]) ** 2
        nearest = np.minimum(nearest, x + y + z)
        chosen[k] = nearest.argmax()
    return chosen
