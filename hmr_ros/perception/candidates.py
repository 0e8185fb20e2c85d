# SPDX-License-Identifier: Apache-2.0
"""Candidates of people in whole images for the detector of preset fast: NanoDet's boxes, or BlazePose's own regions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import Candidates
from hmr_ros.perception.nanodet import decode_boxes, non_maximum_suppression

Search = Callable[[Image, int], Candidates]
"""Candidates in an image (H, W, 3), best first, in px of it; the number: px of the input that it is searched at."""

_SCORE = 0.4
"""Minimum score of a candidate that the landmark network is run on."""
_BOX_IOU = 0.6
"""Boxes of NanoDet that overlap more are of one person."""
_MERGE_IOU = 0.3
"""Minimum overlap (IoU) of BlazePose's candidates of one person (MediaPipe's min_suppression_threshold)."""
_BOX_REACH = 0.65
"""From the middle of a person's box to above the head, as a fraction of its longer side."""
_MIN_SIDE = 32
"""Side of the smallest region, px: a person of about 20 px."""
_MAX_ENLARGEMENT = 2
"""Images are enlarged to at most this many times their pixels: enlarged texture looks like people."""


def search_by(network: Engine) -> Search:
    """The search by a network of kind "person_boxes" (NanoDet) or "detector" (BlazePose's).

    Raises ValueError for another one.
    """
    readers = {"person_boxes": _read_boxes, "detector": _read_regions}
    if (kind := network.manifest.kind) not in readers:
        raise ValueError(f"{network.manifest.name}: expected a network of kind {' or '.join(readers)}, got {kind!r}")

    def search(image: Image, pixels: int) -> Candidates:
        height, width = image.shape[:2]
        size = blazepose.input_size(width, height, min(pixels, _MAX_ENLARGEMENT * width * height))
        candidates = readers[kind](network, blazepose.resize(image, size)[None])
        scale = np.array([width / size[0], height / size[1]])
        return Candidates(candidates.boxes * np.tile(scale, 2), candidates.regions * scale, candidates.scores)

    return search


def regions_of_boxes(boxes: Floats) -> Floats:
    """(P, 2, 2) px: upright regions around ``boxes`` (P, 4) px, as if the hips were in their middles."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    reach = _BOX_REACH * np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1), _MIN_SIDE / 2)
    return np.stack([middle, middle - np.stack([np.zeros_like(reach), reach], 1)], 1)


def _read_boxes(network: Engine, pixels: Image) -> Candidates:
    """NanoDet's in ``pixels`` (1, h, w, 3)."""
    boxes, scores = decode_boxes(network.run({"image": pixels}), _SCORE)
    keep = non_maximum_suppression(boxes, _BOX_IOU)
    return Candidates(boxes[keep], regions_of_boxes(boxes[keep]), scores[keep])


def _read_regions(network: Engine, pixels: Image) -> Candidates:
    """Those of BlazePose's own detector in ``pixels`` (1, h, w, 3); it knows where up is, and needs to see a head."""
    outputs, size = network.run({"image": pixels}), (pixels.shape[2], pixels.shape[1])
    found = blazepose.decode_candidates(outputs["regressions"][0], outputs["logits"][0], size, _SCORE)
    return blazepose.merge_overlapping(found, _MERGE_IOU)
