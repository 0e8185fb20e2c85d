# SPDX-License-Identifier: Apache-2.0
"""A histogram of latencies: its counts can be added and compared, as percentiles cannot."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Int64s

BOUNDS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 100, 120, 150, 200, 300, 500, 1000)
"""Upper bounds of the buckets, inclusive; one more bucket has all beyond."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Images per bucket (B,): since the beginning, and since the last report."""

    total: Int64s
    recent: Int64s


class LatencyHistogram:
    """Counts latencies; used by one thread."""

    def __init__(self) -> None:
        self._total = np.zeros(len(BOUNDS_MS) + 1, np.int64)
        self._reported = self._total.copy()

    def add(self, latency_s: float) -> None:
        """Count one image. Stamps from the future are in the first bucket."""
        self._total[bisect_left(BOUNDS_MS, latency_s * 1e3)] += 1

    def report(self) -> Counts:
        """All counts so far; the next report begins here."""
        counts = Counts(self._total.copy(), self._total - self._reported)
        self._reported = counts.total
        return counts
