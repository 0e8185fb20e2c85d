# SPDX-License-Identifier: Apache-2.0
"""The running mean of a duration, and its mean deviation."""

from __future__ import annotations

from dataclasses import dataclass

_DEVIATIONS = 2.0
"""What is expected is so many mean deviations above the mean: late is worse than idle."""

FRACTION = 1 / 8
"""Weight of the newest value (as in TCP's estimate of round trips: Jacobson, SIGCOMM 1988)."""


@dataclass
class Running:
    """Running mean and mean deviation of a duration, s."""

    mean: float = 0.0
    deviation: float = 0.0
    is_known: bool = False

    @property
    def expected(self) -> float:
        """What the next value will hardly exceed, s."""
        return self.mean + _DEVIATIONS * self.deviation

    def add(self, value: float) -> None:
        """Learn the newest value, s."""
        if not self.is_known:
            self.mean, self.deviation, self.is_known = value, 0.0, True
            return
        error = value - self.mean
        self.mean += FRACTION * error
        self.deviation += FRACTION * (abs(error) - self.deviation)

    def approach(self, other: Running, fraction: float) -> None:
        """Move towards ``other`` by a fraction of the difference."""
        self.mean += fraction * (other.mean - self.mean)
        self.deviation += fraction * (other.deviation - self.deviation)
