# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.images.clothing.appearance import sample_look
from hmr_ros.training.synthetic.images.clothing.drapes import clothes_template
from hmr_ros.training.synthetic.images.clothing.garments import (
    CUT,
    MATERIAL,
    Pattern,
    Stuff,
    colour_at,
    offsets,
    stuff_at,
)

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
