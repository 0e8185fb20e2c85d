# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.rendering.drawing import line, lit, polygon


def test_shapes_end_at_fractions_of_a_pixel():
    canvas = np.zeros((9, 9), np.uint8)
    polygon(canvas, [(2, 2), (6.5, 2), (6.5, 6), (2, 6)], (255,))
    assert canvas[4, 4] == 255
    assert 100 < canvas[4, 7] < 255
    assert canvas[4, 8] < 20


def test_places_far_outside_do_no_harm():
    canvas = np.zeros((9, 9, 3), np.uint8)
    polygon(canvas, [(-1e7, -1e7), (1e7, -1e7), (1e7, 1e7), (-1e7, 1e7)], (1, 2, 3))
    np.testing.assert_array_equal(canvas, np.broadcast_to([1, 2, 3], canvas.shape))
    line(canvas, [(-1e6, 4), (1e6, 4)], (200, 200, 200), 3)
    np.testing.assert_array_equal(canvas[4], 200)


def test_light_multiplies_and_saturates():
    image = np.full((40, 30, 3), 100, np.uint8)
    gain = np.array([[0.5, 2.0], [0.5, 2.0]])
    bright = lit(image, gain)
    assert bright[:, 0].max() == pytest.approx(50, abs=1)
    assert bright[:, -1].min() == pytest.approx(200, abs=2)
    assert lit(np.full_like(image, 200), np.full((2, 2), 2.0)).min() == 255
