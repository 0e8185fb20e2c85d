# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.scene.occluders import _SHAPES, Layer, sample_occluder

BOX = np.array([50.0, 30.0, 190.0, 290.0])


def test_the_same_seed_gives_the_same_layer():
    once, again = (sample_occluder(np.random.default_rng(5), 320, 240, BOX) for _ in range(2))
    np.testing.assert_array_equal(once.rgb, again.rgb)
    np.testing.assert_array_equal(once.alpha, again.alpha)


def test_occluders_cover_some_of_the_box(rng):
    fractions = [sample_occluder(rng, 320, 240, BOX).alpha[30:290, 50:190].mean() for _ in range(200)]
    assert min(fractions) > 0.03  # a soft edge may take a little of the 5 %
    assert max(fractions) < 0.65
    assert np.std(fractions) > 0.1


@pytest.mark.parametrize("box", [(-50, -80, 100, 90), (200, 300, 260, 400), (-100, -100, 500, 500), (10, 10, 14, 20)])
def test_boxes_may_reach_beyond_the_image_or_be_small(box, rng):
    for _ in range(20):
        layer = sample_occluder(rng, 320, 240, np.array(box, float))
        assert layer.rgb.shape == (320, 240, 3)
        assert layer.alpha.shape == (320, 240)
        assert layer.alpha.dtype == np.float32
        assert 0 < layer.alpha.max() <= 1


def test_a_box_outside_the_image_is_refused(rng):
    with pytest.raises(ValueError, match="expected to overlap"):
        sample_occluder(rng, 320, 240, np.array([300.0, 0.0, 400.0, 100.0]))


@pytest.mark.parametrize("shape", _SHAPES)
def test_every_shape_draws_near_the_box(shape, rng):
    masks = [np.zeros((320, 240), np.uint8) for _ in range(20)]
    for mask in masks:
        shape(rng, mask, BOX)
    assert np.mean([m.any() for m in masks]) > 0.8


def test_a_layer_lies_over_an_image():
    alpha = np.array([[0.0, 0.5, 1.0]], np.float32)
    layer = Layer(np.full((1, 3, 3), 200, np.uint8), alpha)
    np.testing.assert_array_equal(layer.over(np.full((1, 3, 3), 100, np.uint8))[0, :, 0], (100, 150, 200))
