# SPDX-License-Identifier: Apache-2.0
"""What many random people wear, all together: everything that is worn somewhere, nothing where no garment is."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.clothing.appearance import sample_look
from hmr_ros.training.synthetic.images.clothing.fabrics import linear
from hmr_ros.training.synthetic.images.clothing.garments import Pattern, Stuff
from hmr_ros.training.synthetic.images.clothing.wardrobes import NOWHERE

COUNT = 600
CHIN, CROTCH, FLOOR, WRIST = 0.5, -0.1, -1.0, 0.68
"""Of the rest pose, m: y, y, y and |x| (garments.py)."""


@pytest.fixture(scope="module")
def looks():
    drawn = [sample_look(np.random.default_rng(k)) for k in range(COUNT)]
    return np.stack([look.cuts for look in drawn]), np.stack([look.materials for look in drawn])


def worn(cuts: np.ndarray, name: str) -> np.ndarray:
    """The finite values of a cut: those of people who wear such a thing."""
    return cuts[name][np.abs(cuts[name]) < NOWHERE]


def share(chosen: np.ndarray) -> float:
    return float(chosen.mean())


def test_garments_end_where_bodies_have_the_part(looks):
    cuts, _ = looks
    ranges = {
        "neck": (0.4, CHIN),
        "outer_neck": (0.4, CHIN),
        "waist": (CROTCH, 0.15),
        "leg": (FLOOR, CROTCH),
        "shoe": (FLOOR, -0.5),
        "glove": (0.6, 0.7),
        "hat": (0.58, 0.68),
        "fringe": (0.58, 0.75),
        "hair_length": (0.1, 0.75),
        "beard": (0.48, 0.55),
        "mask": (0.53, 0.58),
    }
    for name, (low, high) in ranges.items():
        assert (worn(cuts, name) >= low).all(), name
        assert (worn(cuts, name) <= high).all(), name
    sleeves = cuts["inner_sleeve"]
    assert (sleeves > 0.1).all()
    assert (sleeves < WRIST).all()
    assert (cuts["sock"] >= cuts["shoe"] - 1e-6).all(), "socks look out of shoes"
    assert (cuts["hair_width"] < 0.15).all()


def test_most_people_wear_the_usual_and_some_wear_everything_else(looks):
    cuts, materials = looks
    jackets = cuts["outer_sleeve"] > 0
    fractions = {
        "jackets": (share(jackets), 0.25, 0.5),
        "open jackets": (share(cuts["outer_front"][jackets] > 0), 0.3, 0.8),
        "hats": (share(cuts["hat"] < NOWHERE), 0.1, 0.3),
        "gloves": (share(cuts["glove"] < NOWHERE), 0.05, 0.2),
        "masks": (share(cuts["mask"] > -NOWHERE), 0.03, 0.15),
        "beards": (share(cuts["beard"] > -NOWHERE), 0.15, 0.35),
        "glasses": (share(cuts["glasses"] > 0), 0.12, 0.28),
        "bare feet": (share(cuts["shoe"] == -NOWHERE), 0.01, 0.08),
        "long trousers": (share(cuts["leg"] < -0.8), 0.5, 0.85),
        "cloth that hangs": (share(cuts["drape_hem"] < cuts["drape_top"]), 0.2, 0.5),
        "patterned tops": (share(materials["pattern"][:, Stuff.INNER] > 0), 0.3, 0.6),
        "patterned trousers": (share(materials["pattern"][:, Stuff.BOTTOM] > 0), 0.14, 0.3),
        "patterned jackets": (share(materials["pattern"][jackets, Stuff.OUTER] > 0), 0.15, 0.6),
    }
    for name, (actual, low, high) in fractions.items():
        assert low < actual < high, f"{name}: {actual}"


def test_what_is_worn_has_a_thickness_and_a_colour(looks):
    cuts, materials = looks
    for stuff in (Stuff.INNER, Stuff.BOTTOM, Stuff.SHOES, Stuff.SOCKS, Stuff.HAIR):
        thickness = materials["thickness"][:, stuff]
        assert (thickness > 0).all(), stuff
        assert (thickness < 0.05).all(), stuff
    for stuff, cut in {Stuff.HAT: "hat", Stuff.GLOVES: "glove", Stuff.MASK: "mask"}.items():
        wears = np.abs(cuts[cut]) < NOWHERE
        assert (materials["thickness"][wears, stuff] > 0).all()
        assert (materials["colour"][wears, stuff].sum(-1) > 0).mean() > 0.9
        assert (materials["thickness"][~wears, stuff] == 0).all()
    assert (materials["thickness"][:, [Stuff.SKIN, Stuff.LIPS, Stuff.EYES, Stuff.BROWS]] == 0).all()


def test_colours_and_shares_are_fractions_and_every_pattern_is_seen(looks):
    _, materials = looks
    for name in ("colour", "second", "fraction", "gloss", "folds"):
        assert (materials[name] >= 0).all(), name
        assert (materials[name] <= 1).all(), name
    tops = materials[:, Stuff.INNER]
    assert set(tops["pattern"]) >= set(Pattern) - {Pattern.REFLECTORS}
    patterned = tops[tops["pattern"] > 0]
    assert (patterned["frequency"] >= 1).all()
    assert (patterned["frequency"] <= 400).all()
    assert (patterned["fraction"] > 0.1).all()
    assert (np.abs(patterned["second"] - patterned["colour"]).max(1) > 0.01).mean() > 0.9


def test_hoops_are_wider_than_pinstripes(looks):
    tops = looks[1][:, Stuff.INNER]
    frequency = {p: np.median(tops["frequency"][tops["pattern"] == p]) for p in (Pattern.PINSTRIPES, Pattern.BLOTCHES)}
    assert frequency[Pattern.PINSTRIPES] > 2 * frequency[Pattern.BLOTCHES]


def test_faces_take_after_the_skin(looks):
    colours = looks[1]["colour"]
    skin = colours[:, Stuff.SKIN]
    assert (skin[:, 0] >= skin[:, 2]).mean() > 0.95, "warm"
    assert np.quantile(skin.mean(1), 0.9) > 2 * np.quantile(skin.mean(1), 0.1), "of any tone"
    for part, darker in {Stuff.LIPS: 0.95, Stuff.BROWS: 0.4, Stuff.EYES: 0.3}.items():
        assert (colours[:, part] <= skin + 1e-6).all(), part
        assert np.median(colours[:, part].mean(1) / skin.mean(1)) < darker, part


def test_suits_and_overalls_are_of_one_cloth(looks):
    cuts, materials = looks
    colours = materials["colour"]
    suits = (cuts["outer_sleeve"] > 0) & (np.abs(colours[:, Stuff.OUTER] - colours[:, Stuff.BOTTOM]).max(1) < 1e-6)
    overalls = np.abs(colours[:, Stuff.INNER] - colours[:, Stuff.BOTTOM]).max(1) < 1e-6
    assert 0.03 < share(suits) < 0.2
    assert 0.05 < share(overalls) < 0.2
    reflecting = materials["pattern"][:, Stuff.OUTER] == Pattern.REFLECTORS
    assert 0.05 < share(reflecting) < 0.17
    assert (colours[reflecting, Stuff.OUTER].max(1) > 0.5).all(), "high visibility is bright"


def test_light_is_linear_where_display_colours_are_its_root():
    np.testing.assert_allclose(linear([0, 127.5, 255, 300, -5]), [0, 0.25, 1, 1, 0])
