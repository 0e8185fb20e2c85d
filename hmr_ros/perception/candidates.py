# SPDX-License-Identifier: Apache-2.0
"""Candidates of people in whole images for the detector of preset fast: NanoDet's boxes as regions of landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.records import Record
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.nanodet import find_boxes
from hmr_ros.perception.search_input import search_input

_BOX_REACH = 0.65
"""From the middle of a person's box to above the head, as a fraction of its longer side."""
_MIN_SIDE = 32
"""Side of the smallest region, px: a person of about 20 px."""


@dataclass(frozen=True, eq=False)
class Candidates(Record):
    """Where people may be: ``boxes`` (C, 4) px of the image, ``regions`` (C, 2, 2) px of it, ``scores`` (C,) 0..1.

    Regions are those of the landmark network (``blazepose``).
    """

    boxes: Floats
    regions: Floats
    scores: Floats


def find_candidates(network: Engine, image: Image, pixels: int) -> Candidates:
    """Those of ``network``, of kind "person_boxes", in ``image`` (H, W, 3) searched at ``pixels`` px; best first."""
    small, scale = search_input(image, pixels)
    boxes, scores = find_boxes(network, small)
    return Candidates(boxes * np.tile(scale, 2), regions_of_boxes(boxes) * scale, scores)


def regions_of_boxes(boxes: Floats) -> Floats:
    """(P, 2, 2) px: upright regions around ``boxes`` (P, 4) px, as if the hips were in their middles."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    reach = _BOX_REACH * np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1), _MIN_SIDE / 2)
    return np.stack([middle, middle - np.stack([np.zeros_like(reach), reach], 1)], 1)
