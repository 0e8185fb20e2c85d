# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.images.clothing import garments
from hmr_ros.training.synthetic.images.clothing.appearance import sample_look
from hmr_ros.training.synthetic.images.clothing.drapes import clothes_template
from hmr_ros.training.synthetic.images.clothing.garments import (
    CUT,
    DRAPE,
    MATERIAL,
    Pattern,
    Stuff,
    colour_at,
    offsets,
    stuff_at,
)
from test.training.synthetic.images.approved import assert_approved

TEMPLATE = clothes_template(load_body_model(models_dir() / "open_body.npz"))


@pytest.fixture
def cut() -> np.ndarray:
    """A T-shirt, shorts, shoes; short hair."""
    values = np.zeros((), CUT)
    settings = {"inner_sleeve": 0.3, "inner_hem": -0.1, "neck": 0.43, "neck_width": 0.08, "neck_depth": 0.02}
    settings |= {"outer_sleeve": -1, "outer_hem": 9, "waist": 0, "leg": -0.3, "shoe": -0.93, "sock": -0.9, "glove": 9}
    settings |= {"hat": 9, "fringe": 0.63, "hair_length": 0.5, "hair_width": 0.07, "beard": -9, "mask": -9}
    for name, value in settings.items():
        values[name] = value
    return values


@pytest.mark.parametrize(
    ("joint", "place", "expected"),
    [
        ("spine2", (0.05, 0.2, 0.1), Stuff.INNER),
        ("left_shoulder", (0.28, 0.38, 0), Stuff.INNER),
        ("right_shoulder", (-0.35, 0.38, 0), Stuff.SKIN),
        ("left_hip", (0.1, -0.2, 0.05), Stuff.BOTTOM),
        ("left_knee", (0.15, -0.6, 0), Stuff.SKIN),
        ("left_ankle", (0.15, -0.91, 0), Stuff.SOCKS),
        ("left_foot", (0.15, -0.98, 0.1), Stuff.SHOES),
        ("left_hand", (0.8, 0.37, 0), Stuff.SKIN),
        ("head", (0, 0.7, 0), Stuff.HAIR),
        ("head", (0, 0.55, 0.13), Stuff.SKIN),
        ("head", (0.03, 0.596, 0.107), Stuff.EYES),
    ],
)
def test_what_covers_what(cut, joint, place, expected):
    assert Stuff(stuff_at(cut[()], SMPL.index(joint), *map(np.float32, place))) == expected


def test_sides_wear_the_same(cut):
    for x, y, z in TEMPLATE.rest[TEMPLATE.joints == SMPL.index("left_shoulder")]:
        left = stuff_at(cut[()], SMPL.index("left_shoulder"), x, y, z)
        assert left == stuff_at(cut[()], SMPL.index("right_shoulder"), -x, y, z)


@pytest.mark.parametrize("pattern", [p for p in Pattern if p != Pattern.PLAIN])
def test_patterns_mix_two_colours(pattern, rng):
    material = np.zeros((), MATERIAL)
    material["second"], material["pattern"], material["frequency"], material["fraction"] = 1, pattern, 60, 0.4
    red = [colour_at(material[()], *place)[0] for place in TEMPLATE.rest[::20]]
    assert min(red) >= 0
    assert max(red) <= 1
    assert max(red) - min(red) > 0.3


def test_clothes_lie_outside_of_the_skin(rng):
    for _ in range(20):
        look = sample_look(rng)
        assert offsets(look.cuts[()], look.materials, TEMPLATE.rest, TEMPLATE.joints).min() >= 0
        assert (look.materials["colour"] >= 0).all()
        assert (look.materials["colour"] <= 1).all()


def test_people_look_different(rng):
    looks = [sample_look(rng) for _ in range(50)]
    assert len({look.cuts.tobytes() for look in looks}) == 50


GRID = np.stack(np.meshgrid(*(np.linspace(-0.7, 0.7, n) for n in (29, 41, 5)), indexing="ij"), -1).reshape(-1, 3)
HEAD = np.stack(np.meshgrid(np.linspace(-0.1, 0.1, 41), np.linspace(0.44, 0.72, 57), (-0.05, 0.01, 0.025, 0.1)), -1)


def counted(cut: np.ndarray, joint: int, places: np.ndarray) -> np.ndarray:
    """For each stuff the number of ``places`` (N, 3) that it covers, and where they are: sums of x, |x|, y and z."""
    stuff = np.array([stuff_at(cut[()], joint, *map(np.float32, place)) for place in places])
    where = np.concatenate([places, np.abs(places[:, :1])], 1)
    return np.array([[(stuff == s).sum(), *(where[stuff == s].sum(0))] for s in range(len(Stuff))]) / len(places) * 100


DRESSES = {
    "plain": {},
    "jacket": {"outer_sleeve": 0.5, "outer_hem": -0.2, "outer_front": 0.06, "outer_neck": 0.4, "hair_length": 0.3},
    "gloves and socks": {
        "leg": -0.65,
        "glove": 0.6,
        "shoe": -0.6,
        "sock": -0.5,
        "neck_depth": 0.2,
        "neck": 0.3,
    },
    "hat, mask, beard, glasses": {"hat": 0.62, "hat_tilt": 0.3, "mask": 0.55, "glasses": 1, "brow": 0.004},
    "beard": {"beard": 0.53, "brow": 0.004, "fringe": 0.66, "hair_length": 0.48},
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("joint", ["spine2", "left_wrist", "head"])
def test_seams_lie_where_they_were_approved(cut, dress, joint):
    for name, value in DRESSES[dress].items():
        cut[name] = value
    places = HEAD.reshape(-1, 3) if joint == "head" else GRID
    assert_approved(f"seams, {dress}, {joint}", counted(cut, SMPL.index(joint), places), atol=0.02)


@pytest.mark.parametrize(
    ("drape", "place", "expected"),
    [
        (Stuff.OUTER, (0.04, -0.4, 0.1), Stuff.BOTTOM),
        (Stuff.OUTER, (-0.04, -0.4, 0.1), Stuff.BOTTOM),
        (Stuff.OUTER, (0.06, -0.4, 0.1), Stuff.OUTER),
        (Stuff.OUTER, (0.04, -0.4, -0.1), Stuff.OUTER),
        (Stuff.INNER, (0.04, -0.4, 0.1), Stuff.INNER),
    ],
)
def test_an_open_coat_shows_the_trousers_in_front(cut, drape, place, expected):
    cut["drape"], cut["outer_front"] = drape, 0.05
    assert Stuff(stuff_at(cut[()], DRAPE, *map(np.float32, place))) == expected


@pytest.mark.parametrize("pattern", Pattern)
def test_patterns_look_as_they_were_approved(pattern):
    material = np.zeros((), MATERIAL)
    material["second"], material["colour"], material["phase"] = (1, 0.5, 0.25), (0, 0.25, 0.5), 0.7
    material["pattern"], material["frequency"], material["fraction"] = pattern, 31, 0.3
    colours = np.array([colour_at(material[()], *place) for place in GRID[::3]])
    where = np.abs(GRID[::3]) * 10
    numbers = np.concatenate([colours.mean(0), colours.std(0), (colours[:, :1] * where).mean(0)])
    assert_approved(f"pattern {pattern.name}", 100 * numbers, atol=0.2)
    mixed = (colours[:, 0] - 0) / 1
    np.testing.assert_allclose(colours, np.array([0, 0.25, 0.5]) + mixed[:, None] * [1, 0.25, -0.25], atol=1e-6)


def test_clothes_lie_as_far_out_as_they_are_thick_and_vary_by_their_folds(cut):
    materials = np.zeros(len(Stuff), MATERIAL)
    materials["thickness"] = 0.01 * np.arange(1, len(Stuff) + 1)
    plain = offsets(cut[()], materials, TEMPLATE.rest, TEMPLATE.joints)
    for v in range(0, len(plain), 97):
        joint = TEMPLATE.joints[v]
        stuff = 0 if joint == DRAPE else stuff_at(cut[()], joint, *TEMPLATE.rest[v])
        assert plain[v] == pytest.approx(0 if joint == DRAPE else 0.01 * (stuff + 1))
    materials["folds"], materials["phase"] = 0.5, 1.0
    folded = offsets(cut[()], materials, TEMPLATE.rest, TEMPLATE.joints)
    body = TEMPLATE.joints != DRAPE
    waves = [garments._waves(*place, np.float32(38), np.float32(1)) for place in TEMPLATE.rest[body][::97]]
    np.testing.assert_allclose(folded[body][::97], plain[body][::97] * (1 + 0.5 * np.array(waves)), rtol=1e-3)
    assert np.abs(waves).max() <= 1
