"""Overlap and keypoint agreement."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.perception.similarity import TOLERANCE, box_iou, keypoint_similarity


def test_box_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 2, 2], [5, 5, 5, 9]], float)
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [2, 0, 4, 2]], float)
    np.testing.assert_allclose(box_iou(a, b), [[1 / 7, 1, 0], [0, 0, 0]])
    assert box_iou(a, b[:0]).shape == (2, 0)


def test_keypoint_similarity_falls_with_distance_in_body_sizes() -> None:
    a = np.zeros((1, 4, 2))
    weight, size = np.ones((1, 4)), np.array([50.0])
    apart = TOLERANCE * 50 * np.array([1.0, 0.0])
    assert keypoint_similarity(a, a, weight, weight, size)[0, 0] == pytest.approx(1)
    assert keypoint_similarity(a, a + apart, weight, weight, size)[0, 0] == pytest.approx(np.exp(-0.5))
    assert keypoint_similarity(a, a + apart, weight, weight, 2 * size)[0, 0] == pytest.approx(np.exp(-1 / 8))


def test_missing_keypoints_do_not_count() -> None:
    a, b = np.zeros((1, 2, 2)), np.array([[[0, 0], [1000, 0]]], float)
    seen, half = np.ones((1, 2)), np.array([[1.0, 0.0]])
    size = np.array([10.0])
    assert keypoint_similarity(a, b, seen, seen, size)[0, 0] == pytest.approx(0.5)
    assert keypoint_similarity(a, b, seen, half, size)[0, 0] == pytest.approx(1)
    assert keypoint_similarity(a, b, 1 - half, half, size)[0, 0] == 0
