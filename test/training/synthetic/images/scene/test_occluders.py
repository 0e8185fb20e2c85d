# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.scene import occluders
from hmr_ros.training.synthetic.images.scene.occluders import _SHAPES, Layer, sample_occluder
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved, coarse

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


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.55, 0.75])
def test_a_shape_lies_where_it_was_drawn(shape, fraction):
    mask = np.zeros((160, 120), np.uint8)
    shape(Draws(fraction), mask, BOX / 2)
    assert set(np.unique(mask)) <= set(range(256))
    assert_approved(f"{shape.__name__} at {fraction}", coarse(mask), atol=1.0)


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_a_seed_means_the_same_shape_from_version_to_version(shape, seed):
    mask = np.zeros((160, 120), np.uint8)
    shape(np.random.default_rng(seed), mask, BOX / 2)
    assert_approved(f"{shape.__name__} {seed}", coarse(mask), atol=1.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_means_the_same_occluder_from_version_to_version(seed):
    layer = sample_occluder(np.random.default_rng(seed), 160, 120, BOX / 2)
    assert_approved(f"occluder {seed}", np.concatenate([coarse(layer.rgb), 255 * coarse(layer.alpha)]), atol=2.0)


@pytest.mark.parametrize(("covered", "kept"), [(0.04, False), (0.05, True), (0.6, True), (0.61, False)])
def test_shapes_that_hide_nothing_or_too_much_are_drawn_again(monkeypatch, covered, kept):
    calls = []

    def shape(rng, mask, box):
        calls.append(1)
        mask[:, 0 : round(100 * covered)] = 255

    monkeypatch.setattr(occluders, "_SHAPES", [shape] * len(_SHAPES))
    mask = occluders._covering(Draws(0.5), 100, 100, np.array([0.0, 0, 100, 100]))
    assert len(calls) == (1 if kept else 8), "a few tries"
    if not kept:  # a table, so to speak, from a half to four fifths down
        assert (mask[:65] == 0).all()
        assert (mask[65:] == 255).all()


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (10, 10, 20, 10), (50, 10, 70, 20), (10, 60, 20, 70)])
def test_a_box_of_which_the_image_shows_nothing_is_refused(box, rng):
    with pytest.raises(ValueError, match=r"expected to overlap the 50 x 60 image"):
        sample_occluder(rng, 60, 50, np.array(box, float))


@pytest.mark.parametrize(("fraction", "soft"), [(0.29, True), (0.31, False)])
def test_three_in_ten_are_so_near_that_their_edges_blur(fraction, soft):
    alpha = sample_occluder(Draws(fraction), 160, 120, BOX / 2).alpha
    between = ((alpha > 0.02) & (alpha < 0.98)).mean()
    assert (between > 0.02) == soft
