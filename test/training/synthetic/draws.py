# SPDX-License-Identifier: Apache-2.0
"""A numpy Generator without chance: known answers of what is drawn at random, whatever the version of numpy."""

from collections.abc import Iterable

import numpy as np


class Draws:
    """Answers every draw at one ``fraction`` of its range: 0 the lowest, 0.25 a quarter up, 0.5 the middle.

    ``coins`` are the answers of the first calls of ``random()``, so that a test can choose among branches; normal
    deviates lie 4 (``fraction`` - 0.5) deviations from their mean.
    """

    def __init__(self, fraction: float, coins: Iterable[float] = ()) -> None:
        self.fraction, self._coins = fraction, iter(coins)

    def random(self, size=None, dtype=np.float64):
        if size is None:
            return next(self._coins, self.fraction)
        return np.full(size, self.fraction, dtype)

    def uniform(self, low=0.0, high=1.0, size=None):
        low, high = np.asarray(low, float), np.asarray(high, float)
        return self._sized(low + self.fraction * (high - low), size)

    def normal(self, loc=0.0, scale=1.0, size=None):
        return self._sized(np.asarray(loc, float) + 4 * (self.fraction - 0.5) * np.asarray(scale, float), size)

    def standard_normal(self, size=None, dtype=np.float64):
        return np.asarray(self.normal(size=size), dtype)

    def beta(self, a, b, size=None):
        """``fraction`` of the way to twice the mean (or from there to 1): not beta's quantile, but as telling."""
        mean = a / (a + b)
        low_half = self.fraction <= 0.5
        value = 2 * self.fraction * mean if low_half else mean + (2 * self.fraction - 1) * (1 - mean)
        return self._sized(np.asarray(value), size)

    def integers(self, low, high=None, size=None, dtype=np.int64):
        low, high = (0, low) if high is None else (low, high)
        value = low + np.minimum(np.floor(self.fraction * (np.asarray(high) - low)), np.asarray(high) - low - 1)
        sized = np.broadcast_to(value, np.shape(value) if size is None else size).astype(dtype)
        return sized if sized.ndim else dtype(sized)

    def choice(self, options, size=None, replace=True, p=None):
        options = np.arange(options) if isinstance(options, int | np.integer) else np.asarray(options)
        if p is None:
            p = np.full(len(options), 1 / len(options))
        assert np.sum(p) == 1 or abs(np.sum(p) - 1) < 1e-9, "numpy refuses other probabilities"
        first = min(int(np.searchsorted(np.cumsum(p), self.fraction, side="right")), len(options) - 1)
        if size is None:
            return options[first]
        return np.roll(options, -first)[:size] if not replace else np.repeat(options[first], size)

    def permutation(self, count):
        return np.arange(count)[::-1]

    def bytes(self, count):
        return bytes([int(255 * self.fraction)]) * count

    @staticmethod
    def _sized(value, size):
        value = value if size is None else np.broadcast_to(value, size).copy()
        return value if np.ndim(value) else float(value)
