# SPDX-License-Identifier: Apache-2.0
"""Each wardrobe by itself: what it changes of the usual clothes."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.clothing import appearance, wardrobes
from hmr_ros.training.synthetic.images.clothing.fabrics import Look
from hmr_ros.training.synthetic.images.clothing.garments import CUT, MATERIAL, Pattern, Stuff
from test.training.synthetic.draws import Draws
from test.training.synthetic.images.approved import assert_approved

PARTS = (wardrobes._usual_cuts, wardrobes._usual_fabrics, *(w for w, _ in wardrobes._WARDROBES), wardrobes._hang_coat)
PARTS += (appearance._skin, appearance._hair, appearance._extras)


def blank() -> Look:
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    look.cuts["hat"] = wardrobes.NOWHERE
    return look


def summary(looks: list[Look]) -> np.ndarray:
    """The mean of every cut, and of what all materials are made of."""
    cuts = np.array([look.cuts.tolist() for look in looks]).mean(0)
    numbers = np.array([[np.concatenate([np.ravel(x) for x in m.tolist()]) for m in look.materials] for look in looks])
    return np.concatenate([cuts, numbers.mean((0, 1)), numbers.mean(0) @ np.arange(1, numbers.shape[2] + 1)])


@pytest.mark.parametrize("part", PARTS)
def test_a_seed_means_the_same_clothes_from_version_to_version(part):
    looks = [blank() for _ in range(40)]
    for seed, look in enumerate(looks):
        look.cuts["outer_hem"] = -0.01 * seed  # what hangs is seen of coats of all lengths
        part(look, np.random.default_rng(seed))
    assert_approved(f"clothes {part.__name__}", summary(looks), atol=1e-3)


@pytest.mark.parametrize("fraction", [0.02, 0.25, 0.75])
@pytest.mark.parametrize("part", PARTS)
def test_clothes_end_where_was_drawn(part, fraction):
    look = blank()
    part(look, Draws(fraction))
    assert_approved(f"clothes {part.__name__} at {fraction}", summary([look]), atol=1e-3)


def test_a_wardrobe_is_drawn_by_its_fraction_and_worn_over_the_usual(monkeypatch):
    worn = []
    table = tuple((lambda look, rng, n=n: worn.append(n), f) for n, (_, f) in enumerate(wardrobes._WARDROBES))
    monkeypatch.setattr(wardrobes, "_WARDROBES", table)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        wardrobes.put_on(blank(), rng)
    fractions = np.bincount(worn, minlength=len(table)) / 1000
    np.testing.assert_allclose(fractions, [0.32, 0.08, 0.16, 0.07, 0.1, 0.1, 0.05, 0.12], atol=0.03)


@pytest.mark.parametrize(("hem", "hangs"), [(-0.15, False), (-0.16, True), (-0.5, True), (wardrobes.NOWHERE, False)])
def test_coats_hang_below_the_hips(hem, hangs):
    look = blank()
    look.cuts["outer_hem"] = hem
    wardrobes._hang_coat(look, Draws(0.5))
    assert (look.cuts["drape"] == Stuff.OUTER) == hangs
    assert look.cuts["drape_hem"] == pytest.approx(hem if hangs else 0)
    assert look.cuts["outer_hem"] == pytest.approx(-0.15 if hangs else hem)


def test_vests_reflect_and_suits_are_of_one_cloth_over_a_light_shirt():
    rng = np.random.default_rng(0)
    for _ in range(20):
        vest, suit = blank(), blank()
        wardrobes._worker(vest, rng)
        wardrobes._suit(suit, rng)
        assert vest.materials[Stuff.OUTER]["pattern"] == Pattern.REFLECTORS
        assert suit.materials[Stuff.INNER]["colour"].min() > 0.4
        np.testing.assert_array_equal(suit.materials[Stuff.OUTER]["colour"], suit.materials[Stuff.BOTTOM]["colour"])
