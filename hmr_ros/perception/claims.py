# SPDX-License-Identifier: Apache-2.0
"""Joints that two people claim: each belongs to the one whose skeleton it fits.

The network that sees a person's joints in a crop may take those of a neighbour who walks beside them, with a high
score: it is a joint, but not theirs. The limb that leads to it is too long, then.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.skeleton import COCO17

_SAME_JOINT = 0.06
"""Joints of two people are one joint within this fraction of the smaller person's extent."""
_LONGEST = 0.4
"""Length of a limb of which a longer one is doubted, as a fraction of the person's extent: of 155 labelled ones, one is
longer."""
_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_BONES = np.array(
    [[COCO17.index(f"{side}_{joint}") for joint in limb] for limb in _LIMBS for side in ("left", "right")]
)


def lost_claims(points: Floats, scores: Floats, extents: Floats) -> Bools:
    """(P, 17) which joints belong to another person.

    ``points`` (P, 17, 2) px, ``scores`` (P, 17) and the people's ``extents`` (P,) px; joint set "coco17". A left joint
    and the right one of another person may be one joint, too.
    """
    claim = scores * fitness(points, extents)
    near = _SAME_JOINT * np.minimum(extents[:, None], extents[None])
    np.fill_diagonal(near, 0)
    lost = np.zeros(scores.shape, np.bool_)
    for partner in (np.arange(COCO17.size), COCO17.mirror):
        gap = np.linalg.norm(points[:, None] - points[None][:, :, partner], axis=-1)
        stronger = claim[None][:, :, partner] > claim[:, None]
        lost |= ((gap < near[..., None]) & stronger).any(1)
    return lost


def fitness(points: Floats, extents: Floats) -> Floats:
    """(P, 17) 0..1: 1, and less for joints at the end of a limb that is too long for a person of this extent, px."""
    start, end = points[:, _BONES[:, 0]], points[:, _BONES[:, 1]]
    length = np.linalg.norm(end - start, axis=-1)
    fits: Floats = np.ones(points.shape[:2])
    fits[:, _BONES[:, 1]] = np.square(np.minimum(_LONGEST * extents[:, None] / np.maximum(length, 1e-9), 1))
    return fits
