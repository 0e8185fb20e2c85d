# SPDX-License-Identifier: Apache-2.0
"""The size of a person as a recursive estimate: what a network guesses, and what depth and ground measure.

A guess is wrong by the same factor in every image, so many guesses are no better than one; it yields to measurements.
Measurements of neighbouring images are alike, too: each brings only a part of its information, and all together never
more than their kind of evidence can know.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

SIZES = (0.45, 1.25)
"""Range of people's sizes, in template sizes: from toddlers of 0.8 m to adults of 2.1 m."""

_MAX_GUESSES = 30
"""A guess is the mean of about so many good views, as the shape is."""

_YIELD = 0.1
"""So much of the information of measurements is taken from that of the guess: its errors are not Gaussian, and a child
is not half an adult."""


@dataclass(frozen=True)
class Size:
    """A person's size in template sizes.

    ``guess`` with the information (1 / variance) ``guess_information``, over ``guess_weight`` good views;
    ``measured`` with ``information``, 0: never measured.
    """

    guess: float = 1.0
    guess_information: float = 0.0
    guess_weight: float = 0.0
    measured: float = 1.0
    information: float = 0.0

    @property
    def mean(self) -> float:
        """The estimate."""
        guess = self._guess_left
        return (guess * self.guess + self.information * self.measured) / (guess + self.information)

    @property
    def deviation(self) -> float:
        """Standard deviation of the estimate."""
        return float((self._guess_left + self.information) ** -0.5)

    def with_guess(self, size: float, deviation: float) -> Size:
        """With one more guess of a network."""
        information = deviation**-2
        weight = min(self.guess_weight + information, _MAX_GUESSES * max(information, self.guess_information))
        fraction = information / weight
        return dataclasses.replace(
            self,
            guess=self.guess + fraction * (size - self.guess),
            guess_information=self.guess_information + fraction * (information - self.guess_information),
            guess_weight=weight,
        )

    def with_measurement(self, size: float, information: float, limit: float) -> Size:
        """With a measured size; evidence of its kind knows no size better than by the information ``limit``."""
        if not information:
            return self
        total = max(self.information, min(self.information + information, limit))
        fraction = min(information / total, 1.0)
        return dataclasses.replace(self, measured=self.measured + fraction * (size - self.measured), information=total)

    @property
    def _guess_left(self) -> float:
        """Information that the guess still has; never none, so that a size is always known."""
        return max(self.guess_information - _YIELD * self.information, 0.0 if self.information else 1e-9)


def is_possible(size: float) -> bool:
    """Whether people are so large."""
    return SIZES[0] <= size <= SIZES[1]
