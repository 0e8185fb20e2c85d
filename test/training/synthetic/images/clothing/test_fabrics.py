# SPDX-License-Identifier: Apache-2.0
"""Colours and patterns of cloth."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.clothing import fabrics
from hmr_ros.training.synthetic.images.clothing.fabrics import Look, any_colour, jittered, neutral, set_pattern
from hmr_ros.training.synthetic.images.clothing.garments import CUT, MATERIAL, Pattern, Stuff
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved


def test_a_colour_varies_in_hue_and_in_light_about_itself():
    np.testing.assert_array_equal(jittered((10, 20, 30), Draws(0.5)), (10, 20, 30))
    np.testing.assert_array_equal(jittered((10, 20, 30), Draws(0.75), 5), (20, 30, 40))  # a deviation of each
    drawn = np.array([jittered((100, 100, 100), np.random.default_rng(k), 5) for k in range(300)])
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.5, abs=0.15), "half of the variance is of all channels"


@pytest.mark.parametrize("fraction", [0.1, 0.44, 0.46, 0.8])
def test_cloth_is_neutral_below_a_fraction_and_of_any_hue_above(fraction):
    drawn = any_colour(Draws(fraction))
    assert np.array_equal(drawn, neutral(Draws(fraction))) == (fraction < 0.45)
    assert_approved(f"cloth at {fraction}", drawn, atol=0.1)


def test_a_seed_means_the_same_cloth_from_version_to_version():
    rng = np.random.default_rng(0)
    assert_approved("cloths", np.array([any_colour(rng) for _ in range(60)]).ravel()[::3], atol=0.1)
    assert_approved("neutrals", np.array([neutral(Draws(k / 7 + 0.01)) for k in range(7)]), atol=0.1)


@pytest.mark.parametrize("pattern", fabrics._FREQUENCIES)
@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_a_pattern_is_between_its_coarsest_and_its_finest(pattern, fraction):
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    set_pattern(look, Stuff.INNER, Draws(fraction), (pattern,))
    material = look.materials[Stuff.INNER]
    assert material["pattern"] == pattern
    assert material["fraction"] == pytest.approx(0.15 + 0.45 * fraction)
    np.testing.assert_allclose(material["second"], fabrics.linear(any_colour(Draws(fraction))), rtol=1e-5)
    assert_approved(f"frequency of {Pattern(pattern).name} at {fraction}", material["frequency"], atol=0.01)
    assert (look.materials[Stuff.OUTER]["frequency"], material["thickness"]) == (0, 0), "nothing else changes"
