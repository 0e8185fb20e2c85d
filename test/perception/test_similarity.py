# SPDX-License-Identifier: Apache-2.0
"""Overlap and keypoint agreement."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.perception.similarity import TOLERANCE, box_iou, keypoint_similarity, size_similarity


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


def slow_size_similarity(a, b, a_weight, b_weight, tolerance):
    def size(points, weight):
        centre = (weight[:, None] * points).sum(0) / weight.sum()
        return np.sqrt((weight * np.square(points - centre).sum(-1)).sum() / weight.sum())

    def similarity(i, j):
        weight = a_weight[i] * b_weight[j]
        ratio = np.log(size(a[i], weight) / size(b[j], weight))
        return np.exp(-np.square(ratio / tolerance[i]) / 2)

    return np.array([[similarity(i, j) for j in range(len(b))] for i in range(len(a))])


def test_size_similarity_agrees_with_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        rng.normal(size=(n, 17, 2)) * rng.uniform(40, 80, (n, 1, 1)) + rng.uniform(0, 2000, (n, 1, 2)) for n in (3, 5)
    )
    a_weight, b_weight = rng.uniform(0, 1, (3, 17)), rng.uniform(0, 1, (5, 17))
    args = (a, b, a_weight, b_weight, np.array([0.1, 0.2, 0.5]))
    np.testing.assert_allclose(size_similarity(*args), slow_size_similarity(*args), rtol=1e-6, atol=1e-9)


def test_a_person_half_hidden_keeps_their_size() -> None:
    rng = np.random.default_rng(1)
    person = rng.normal(size=(1, 17, 2)) * 60
    shown = (np.arange(17) < 9)[None].astype(float)
    moved = np.where(shown[..., None] > 0, person + 300, 0)
    tolerance = np.array([0.15])
    assert size_similarity(person, moved, shown * 0 + 1, shown, tolerance)[0, 0] == pytest.approx(1)
    assert size_similarity(person, 1.35 * moved, shown * 0 + 1, shown, tolerance)[0, 0] < 0.2
    assert np.isfinite(size_similarity(person, moved, 1 - shown, shown, tolerance)).all()  # nothing in common


def test_overlap_and_agreement_of_many_are_those_of_each_pair() -> None:
    rng = np.random.default_rng(2)
    a, b = (np.concatenate([low, low + rng.uniform(-1, 6, (n, 2))], 1) for n, low in
            ((6, rng.uniform(0, 8, (6, 2))), (5, rng.uniform(0, 8, (5, 2)))))  # fmt: skip
    found = box_iou(a, b)
    for i, j in np.ndindex(6, 5):
        w, h = (min(a[i, 2 + k], b[j, 2 + k]) - max(a[i, k], b[j, k]) for k in (0, 1))
        both = max(w, 0) * max(h, 0)
        areas = [max(x[2] - x[0], 0) * max(x[3] - x[1], 0) for x in (a[i], b[j])]
        assert found[i, j] == pytest.approx(both / (sum(areas) - both) if sum(areas) > both else 0)
    points, others = rng.uniform(0, 30, (3, 7, 2)), rng.uniform(0, 30, (4, 7, 2))
    weights, other_weights, size = rng.uniform(0, 1, (3, 7)), rng.uniform(0, 1, (4, 7)), np.array([50.0, 100, 200])
    alike = keypoint_similarity(points, others, weights, other_weights, size)
    for i, j in np.ndindex(3, 4):
        weight = weights[i] * other_weights[j]
        off = np.linalg.norm(points[i] - others[j], axis=1) / (TOLERANCE * size[i])
        assert alike[i, j] == pytest.approx((weight * np.exp(-(off**2) / 2)).sum() / weight.sum())


def test_a_person_smaller_than_a_pixel_counts_as_one_pixel() -> None:
    point, pair = np.zeros((1, 2, 2)), np.array([[[0.0, 0], [0, 2 * np.e]]])  # of variance 0, and e squared
    ones, tolerance = np.ones((1, 2)), np.array([0.5])
    assert size_similarity(point, 0.1 * pair, ones, ones, tolerance)[0, 0] == 1
    assert size_similarity(point, pair, ones, ones, tolerance)[0, 0] == pytest.approx(np.exp(-2))
    assert size_similarity(pair, point, ones, ones, tolerance)[0, 0] == pytest.approx(np.exp(-2))
    assert keypoint_similarity(point, point, ones, ones, np.zeros(1))[0, 0] == 1
