# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.rendering import textures
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved, coarse


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


@pytest.mark.parametrize("pattern", textures._PATTERNS)
@pytest.mark.parametrize("seed", range(4))
def test_a_seed_means_the_same_pattern_from_version_to_version(pattern, seed):
    drawn = pattern(np.random.default_rng(seed), 80, 60)
    assert_approved(f"{pattern.__name__} {seed}", coarse(drawn), atol=1.0)


@pytest.mark.parametrize("pattern", textures._PATTERNS)
@pytest.mark.parametrize("fraction", [0.25, 0.75])
def test_a_pattern_is_as_wide_as_was_drawn(pattern, fraction):
    assert_approved(f"{pattern.__name__} at {fraction}", coarse(pattern(Draws(fraction), 80, 60)), atol=1.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_seed_means_the_same_colours_from_version_to_version(seed):
    rng = np.random.default_rng(seed)
    colours = [textures.colour(rng) for _ in range(20)]
    ramps = [textures.ramp(rng, 0.4).mean(0)[0] for _ in range(4)]
    assert_approved(f"colours {seed}", np.array(colours + ramps).ravel()[::3], atol=0.6)
    assert_approved(f"texture {seed}", coarse(textures.texture(rng, 40, 30)), atol=1.0)


def test_noise_falls_off_by_its_roughness():
    """Half of the strength at each finer scale: two octaves of independent noise, then nothing finer."""
    rough, smooth = (textures.fbm(np.random.default_rng(0), 64, 64, 4, r).astype(float) for r in (1.0, 0.2))
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()
