# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.geometry.keypoints import Keypoints, rms_radius


def test_missing_keypoints_are_zero_in_both_arrays():
    normalized = np.array([[[0.1, 0.2], [0.3, 0.4], [np.nan, 0.5], [0.6, np.inf]]])
    keypoints = Keypoints.of(normalized, np.array([[0.9, 0.0, 0.8, 0.7]]))
    assert_array_equal(keypoints.score, [[0.9, 0, 0, 0]])
    assert_array_equal(keypoints.normalized, [[[0.1, 0.2], [0, 0], [0, 0], [0, 0]]])
    assert_array_equal(keypoints.count, [1])
    assert_array_equal(keypoints.fraction_seen, [0.25])


def test_angular_size_is_the_weighted_deviation_from_the_mean(rng):
    normalized, score = rng.normal(size=(3, 9, 2)), rng.uniform(0.1, 1, (3, 9))
    size = Keypoints.of(normalized, score).angular_size()
    for person in range(3):
        mean = np.average(normalized[person], axis=0, weights=score[person])
        square = ((normalized[person] - mean) ** 2).sum(1)
        assert_allclose(size[person], np.sqrt(np.average(square, weights=score[person])))


def test_angular_size_does_not_depend_on_missing_keypoints(rng):
    normalized, score = rng.normal(size=(1, 9, 2)), np.ones((1, 9))
    alone = Keypoints.of(normalized[:, :6], score[:, :6]).angular_size()
    normalized[:, 6:], score[:, 6:] = 50.0, 0.0
    assert_allclose(Keypoints.of(normalized, score).angular_size(), alone)
    assert_array_equal(Keypoints.of(normalized, 0 * score).angular_size(), [0])


def test_rms_radius_is_about_the_origin():
    assert_allclose(rms_radius(np.array([[[3.0, 4.0], [0.0, 1.0]]]), np.array([[1.0, 3.0]])), [np.sqrt(7)])


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Keypoints.normalized: expected shape \(2, 21, 2\), got \(2, 20, 2\)"):
        Keypoints(np.zeros((2, 20, 2)), np.zeros((2, 21)))
