# SPDX-License-Identifier: Apache-2.0
"""Timing of calls in turns, so that other load on the machine affects all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Float64s

WARM_UPS = 3

PAUSE_S = 0.02
"""Pause between two calls: thread pools spin for a while after their work, which would slow the next call."""


@dataclass(frozen=True, eq=False)
class Timings:
    """``rounds`` (R, C) seconds: every call once per round; ``names`` of the C calls."""

    names: tuple[str, ...]
    rounds: Float64s

    def medians_ms(self) -> dict[str, float]:
        """Median of each call."""
        return dict(zip(self.names, (1000 * np.median(self.rounds, axis=0)).tolist(), strict=True))

    def ratio(self, slow: str, fast: str) -> float:
        """How many times as fast ``fast`` is: the median of the ratios of all rounds."""
        columns = self.rounds[:, [self.names.index(slow), self.names.index(fast)]]
        return float(np.median(columns[:, 0] / columns[:, 1]))


def time_in_turns(calls: Mapping[str, Callable[[], object]], repeats: int) -> Timings:
    """Call each of ``calls`` in turn, ``repeats`` times over."""
    if repeats < 1:
        raise ValueError(f"expected at least 1 repeat, got {repeats}")
    for call in calls.values():
        for _ in range(WARM_UPS):
            call()
    rounds = np.zeros((repeats, len(calls)))
    for row in rounds:
        for column, call in enumerate(calls.values()):
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            call()
            row[column] = time.perf_counter() - start
    return Timings(tuple(calls), rounds)
