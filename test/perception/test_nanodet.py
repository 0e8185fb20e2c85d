# SPDX-License-Identifier: Apache-2.0
"""Heads of NanoDet -> boxes, on heads of which everything is known."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.nanodet import CLASSES, decode_boxes, non_maximum_suppression


def heads() -> dict[str, Floats]:
    """Of an image of 64 x 96 px without people."""
    return {f"stride{s}": np.full((1, 64 // s, 96 // s, 124), -9.0, np.float32) for s in (8, 16, 32)}


def person(head: Floats, y: int, x: int, edges: tuple[int, ...], logit: float) -> None:
    """A person in a cell, with the edges at whole numbers of cells: left, top, right, bottom."""
    head[0, y, x, 0] = logit
    for side, cells in enumerate(edges):
        head[0, y, x, CLASSES + 11 * side + cells] = 50


def test_no_people_are_a_normal_value() -> None:
    boxes, scores = decode_boxes(heads(), 0.4)
    assert boxes.shape == (0, 4)
    assert len(scores) == 0


def test_boxes_lie_about_the_middle_of_their_cell_best_first() -> None:
    outputs = heads()
    person(outputs["stride8"], 3, 5, (1, 2, 3, 4), 0.5)
    person(outputs["stride16"], 1, 2, (2, 1, 0, 1), 2.0)
    boxes, scores = decode_boxes(outputs, 0.4)
    np.testing.assert_allclose(boxes, [[8, 8, 40, 40], [36, 12, 68, 60]], atol=1e-3)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([-2.0, -0.5])), atol=1e-6)


def test_edges_are_means_of_their_distribution() -> None:
    outputs = heads()
    person(outputs["stride32"], 1, 1, (1, 1, 1, 1), 3.0)
    outputs["stride32"][0, 1, 1, CLASSES + 3] = 50  # the left edge lies at 1 or at 3 cells
    boxes, _ = decode_boxes(outputs, 0.4)
    np.testing.assert_allclose(boxes, [[48 - 64, 16, 80, 80]], atol=1e-3)


def test_the_threshold_and_other_classes() -> None:
    outputs = heads()
    person(outputs["stride8"], 0, 0, (0, 0, 1, 1), -0.5)
    outputs["stride8"][0, 4, 4, 1:CLASSES] = 9
    assert len(decode_boxes(outputs, 0.4)[0]) == 0
    assert len(decode_boxes(outputs, 0.3)[0]) == 1


def test_overlapping_boxes_leave_the_best() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 5, 10, 9], [20, 0, 30, 10.0]])
    assert non_maximum_suppression(boxes, 0.6).tolist() == [True, False, True, True]
    assert non_maximum_suppression(boxes[:0], 0.6).tolist() == []
