# SPDX-License-Identifier: Apache-2.0
"""NanoDet-g and the arithmetic after it: an image -> boxes of people.

Source: RangiLyu, NanoDet, 2020; distances to a box's edges are distributions as in Li et al., "Generalized Focal Loss",
2020.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Image
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.logits import sigmoid
from hmr_ros.perception.similarity import box_iou

STRIDES = (8, 16, 32)
"""px of the input per cell of each head, "stride8" and so on."""
CLASSES = 80
"""COCO's classes, whose logits come first in a cell; people are the first."""
PERSON = 0
STEPS = np.arange(11, dtype=np.float32)
"""Distances, in cells, that the other 4 x 11 logits of a cell are for: left, top, right, bottom."""

BOX_SCORE = 0.4
"""Minimum score of a box."""
BOX_IOU = 0.6
"""Boxes that overlap more are of one person."""


def find_boxes(network: Engine, pixels: Image) -> tuple[Floats, Floats]:
    """Boxes (C, 4) px and scores (C,) of the people in ``pixels`` (1, h, w, 3), best first, one box of each.

    ``network``: of kind "person_boxes".
    """
    boxes, scores = decode_boxes(network.run({"image": pixels}), BOX_SCORE)
    keep = non_maximum_suppression(boxes, BOX_IOU)
    return boxes[keep], scores[keep]


def decode_boxes(outputs: Mapping[str, Floats], threshold: float) -> tuple[Floats, Floats]:
    """Boxes (C, 4) of people, x1 y1 x2 y2 px of the input, and scores (C,) >= ``threshold``, best first.

    ``outputs``: heads "stride8", "stride16" and "stride32" (1, h, w, 124) of one image. Boxes of one person overlap.
    """
    parts = [_decode_head(outputs[f"stride{stride}"][0], stride, threshold) for stride in STRIDES]
    boxes, scores = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order]


def _decode_head(head: Floats, stride: int, threshold: float) -> tuple[Floats, Floats]:
    scores = sigmoid(head[..., PERSON])
    y, x = np.nonzero(scores >= threshold)
    edges = edge_distances(head[y, x]) * stride
    centre = np.stack([x, y], 1) * stride + stride / 2
    return np.concatenate([centre - edges[:, :2], centre + edges[:, 2:]], 1), scores[y, x]


def edge_distances(cells: Floats) -> Floats:
    """(C, 4) distances to the left, top, right and bottom edge, in cells, of ``cells`` (C, 124) of a head."""
    logits = cells[:, CLASSES:].reshape(-1, 4, len(STEPS))
    mass = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(mass @ STEPS / mass.sum(-1))


def non_maximum_suppression(boxes: Floats, max_iou: float) -> Bools:
    """(C,) True for boxes (C, 4) px, best first, that overlap no better one that is kept by ``max_iou`` or more."""
    keep = np.ones(len(boxes), np.bool_)
    overlap = box_iou(boxes, boxes) >= max_iou
    for row in range(len(boxes)):
        keep[row] = not (overlap[row, :row] & keep[:row]).any()
    return keep
