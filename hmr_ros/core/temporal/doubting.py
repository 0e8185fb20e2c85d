# SPDX-License-Identifier: Apache-2.0
"""Bodies that cannot be those of their tracks: a skeleton may take the limbs of two people who hide each other.

Such a body is a giant, so a person of the known size would be nearer than expected. It is doubted where the image gives
a reason: another person covers a part of it, or it is of another size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.records import Record
from hmr_ros.core.temporal.root_motion import split_by_sight
from hmr_ros.core.uncertainty import ROOT_DRIFT_M_S

_ALONG_FRACTION, _ACROSS_M = 0.05, 0.1
"""Standard deviation, from image to image, of the distance of a person whose size is known, and across it."""

_DEVIATIONS = 2.5
"""Standard deviations beyond which a position contradicts what is expected."""

_OTHER_SIZE = 0.25
"""Logarithm of the ratio of sizes of which a network's guess is of another person, or of two."""

_IMAGES, _LONGEST_S = 5, 2.0
"""A track that was believed in so many images is known; what contradicts it for longer than this is believed."""


@dataclass(frozen=True, eq=False)
class Claims(Record):
    """N people in one image, beside their tracks.

    ``position`` (N, 3) m of a body of the known size, and ``expected`` (N, 3) m, optical frame; ``growth`` (N,): size
    in this image over the known one; ``covered`` (N,): by another person in part; ``images`` (N,) in which the track
    was believed, the last one ``unseen_s`` (N,) s ago.
    """

    position: Floats
    expected: Floats
    growth: Floats
    covered: Bools
    images: Floats
    unseen_s: Floats

    def contradict(self) -> Bools:
        """(N,): which of them cannot be those of the tracks."""
        drift2 = (ROOT_DRIFT_M_S * self.unseen_s) ** 2
        along, across = split_by_sight(self.position - self.expected, self.position)
        along2 = (along * along).sum(-1) / ((_ALONG_FRACTION**2) * (self.position * self.position).sum(-1) + drift2)
        across2 = (across * across).sum(-1) / (_ACROSS_M**2 + drift2)
        is_off = np.maximum(along2, across2) > _DEVIATIONS**2
        is_known = (self.images >= _IMAGES) & (self.unseen_s <= _LONGEST_S)
        return np.asarray(is_known & is_off & (self.covered | (np.abs(np.log(self.growth)) > _OTHER_SIZE)))
