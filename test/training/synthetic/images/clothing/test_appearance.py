# SPDX-License-Identifier: Apache-2.0
"""Skin, hair and things worn with an outfit; ranges of all of it together are in test_looks.py."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.clothing import appearance
from hmr_ros.training.synthetic.images.clothing.fabrics import Look
from hmr_ros.training.synthetic.images.clothing.garments import CUT, MATERIAL, Stuff
from hmr_ros.training.synthetic.images.clothing.wardrobes import NOWHERE
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved


def test_a_seed_means_the_same_looks_from_version_to_version():
    looks = [appearance.sample_look(np.random.default_rng(k)) for k in range(8)]
    assert_approved("looks, cuts", np.array([look.cuts.tolist() for look in looks]).mean(0), atol=1e-3)
    for name in ("colour", "second", "gloss", "thickness", "folds", "phase", "pattern"):
        stuffs = np.mean([look.materials[name].reshape(len(Stuff), -1).mean(1) for look in looks], 0)
        assert_approved(f"looks, {name}", stuffs, atol=1e-3)


@pytest.mark.parametrize("style", range(len(appearance._HAIR_STYLES)))
@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_hair_is_between_the_shortest_and_the_longest_of_its_style(style, fraction, monkeypatch):
    monkeypatch.setattr(appearance, "_HAIR_STYLES", (appearance._HAIR_STYLES[style]._replace(fraction=1.0),))
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    appearance._hair(look, Draws(fraction))
    cuts = [look.cuts[name] for name in ("fringe", "hair_length", "hair_width", "beard")]
    material = [look.materials[Stuff.HAIR][name] for name in ("thickness", "folds", "phase", "gloss", "fraction")]
    assert_approved(f"hair {style} at {fraction}", np.array(cuts + material), atol=1e-4)


@pytest.mark.parametrize(("hat", "hats"), [(NOWHERE, True), (0.6, False)])
def test_who_wears_a_hat_gets_no_other(hat, hats):
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    look.cuts["hat"] = hat
    appearance._extras(look, Draws(0.0))
    assert look.cuts["hat"] == pytest.approx(0.6)
    assert (look.materials[Stuff.HAT]["thickness"] > 0) == hats
    assert (look.materials[[Stuff.GLOVES, Stuff.MASK]]["thickness"] > 0).all()
    assert (look.cuts["glove"], look.cuts["mask"]) == (pytest.approx(0.64), pytest.approx(0.54))


@pytest.mark.parametrize(("coin", "worn"), [(0.07, 3), (0.09, 2), (0.12, 1), (0.16, 0)])
def test_hats_are_more_frequent_than_gloves_and_these_than_masks(coin, worn):
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    look.cuts["hat"] = NOWHERE
    appearance._extras(look, Draws(coin))
    assert (look.materials["thickness"] > 0).sum() == worn
