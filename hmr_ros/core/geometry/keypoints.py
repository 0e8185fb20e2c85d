# SPDX-License-Identifier: Apache-2.0
"""2D keypoints of a calibrated camera: which of them count, and how large a person looks by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.records import Record, check_shape

MIN_KEYPOINTS = 6
"""Fewer seen keypoints than this do not fix a body. No network is trained on fewer, and fewer hardly show that one of
them is wrong: with a single one 0.4 m off, the fitted distance of 18, 7 and 3 % of random people is more than 10 % off,
by 4, 5 and 6 keypoints."""


@dataclass(frozen=True, eq=False)
class Keypoints(Record):
    """Keypoints of P people; a missing one is 0 in both arrays. Make them with ``of``: this contract holds from there.

    ``normalized`` (P, J, 2): undistorted normalized image coordinates x/z, y/z; ``score`` (P, J) >= 0.
    """

    normalized: Floats
    score: Floats

    def __post_init__(self) -> None:
        check_shape(self, "normalized", (*self.score.shape, 2))

    @staticmethod
    def of(normalized: Floats, score: Floats) -> Keypoints:
        """Keypoints of which some are missing: those of score 0, whatever their coordinates, and those at NaN.

        ``normalized`` (P, J, 2), ``score`` (P, J). Raises ValueError for other shapes.
        """
        seen = (score > 0) & np.isfinite(normalized).all(-1)
        return Keypoints(np.where(seen[..., None], normalized, 0.0), np.where(seen, score, 0.0))

    @property
    def count(self) -> Floats:
        """(P,) how many keypoints were seen."""
        return np.asarray((self.score > 0).sum(1))

    @property
    def fraction_seen(self) -> Floats:
        """(P,) 0..1: how many of the joint set's keypoints were seen."""
        return np.asarray(self.count / self.score.shape[1])

    def angular_size(self) -> Floats:
        """(P,) tan of an angle: root mean square distance of the keypoints from their mean, both weighted by score."""
        total = np.maximum(self.score.sum(1), 1e-9)[:, None]
        mean = (self.score[..., None] * self.normalized).sum(1) / total
        return rms_radius(self.normalized - mean[:, None], self.score)


def rms_radius(points: Floats, weight: Floats) -> Floats:
    """(P, J, 2) and weights (P, J) >= 0 -> (P,) root mean square distance from the origin; 0 without any weight."""
    square = (weight * (points * points).sum(-1)).sum(1)
    return np.asarray(np.sqrt(square / np.maximum(weight.sum(1), 1e-9)))
