# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.rendering import textures


@pytest.mark.parametrize("size", [(320, 240), (37, 53), (8, 8)])
@pytest.mark.parametrize("pattern", textures._PATTERNS)
def test_patterns_fill_any_size(pattern, size, rng):
    drawn = pattern(rng, *size)
    assert drawn.shape == size
    assert drawn.dtype == np.uint8


def test_a_ramp_colours_a_pattern():
    colours = textures.shades(np.array([(0, 0, 0), (100, 200, 50)], np.float32))
    pattern = np.array([[0, 255], [255, 0]], np.uint8)
    np.testing.assert_array_equal(textures.coloured(pattern, colours)[0, 1], (100, 200, 50))
    np.testing.assert_array_equal(textures.coloured(pattern, colours)[1, 1], (0, 0, 0))


def test_finer_noise_changes_from_pixel_to_pixel(rng):
    fine, coarse = (textures.fbm(rng, 64, 64, 6, 1.0, finest).astype(float) for finest in (0, 4))
    assert np.abs(np.diff(fine)).mean() > 3 * np.abs(np.diff(coarse)).mean()
