# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hmr_ros.training.synthetic.bounds import bounds


def test_bounds_are_those_of_every_axis():
    points = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    low, high = bounds(points)
    np.testing.assert_array_equal(low, points.min(1))
    np.testing.assert_array_equal(high, points.max(1))
    assert bounds(points[0])[0].shape == (3,)
