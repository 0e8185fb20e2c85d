# SPDX-License-Identifier: Apache-2.0
"""How a person looks: skin, hair, an outfit, and things worn with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from hmr_ros.training.synthetic.images.clothing.fabrics import Look, any_colour, jittered, linear, set_fabric
from hmr_ros.training.synthetic.images.clothing.garments import CUT, MATERIAL, Pattern, Stuff
from hmr_ros.training.synthetic.images.clothing.wardrobes import NOWHERE, put_on

_HAIRS = (
    (18, 15, 14),
    (26, 20, 18),
    (44, 30, 22),
    (58, 40, 28),
    (78, 52, 34),
    (122, 84, 48),
    (186, 150, 98),
    (150, 148, 146),
    (110, 48, 26),
)
_MASKS = ((236, 240, 242), (120, 176, 206), (24, 24, 26))
_LIGHT_SKIN, _DARK_SKIN = np.array([236, 196, 172]), np.array([70, 44, 33])


class _HairStyle(NamedTuple):
    """How often it is drawn, and ranges: thickness in m, y of the hair line, y down to which hair hangs."""

    fraction: float
    thickness: tuple[float, float]
    fringe: tuple[float, float]
    length: tuple[float, float]


_HAIR_STYLES = (
    _HairStyle(0.08, (0.001, 0.003), fringe=(0.66, 0.72), length=(0.62, 0.72)),
    _HairStyle(0.47, (0.004, 0.02), fringe=(0.605, 0.655), length=(0.52, 0.6)),
    _HairStyle(0.2, (0.012, 0.035), fringe=(0.605, 0.655), length=(0.44, 0.54)),
    _HairStyle(0.25, (0.012, 0.03), fringe=(0.605, 0.655), length=(0.15, 0.44)),
)
"""Bald, short, down to the neck, long."""


def sample_look(rng: Generator) -> Look:
    """Anybody, in anything."""
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    _skin(look, rng)
    _hair(look, rng)
    put_on(look, rng)
    _extras(look, rng)
    return look


def _skin(look: Look, rng: Generator) -> None:
    """Any tone; the face's features take after it."""
    tone = rng.beta(0.9, 1.1)
    skin = (1 - tone) * _LIGHT_SKIN + tone * _DARK_SKIN + rng.normal(0, 6, 3)
    shades = {Stuff.SKIN: skin, Stuff.LIPS: skin * (0.86, 0.76, 0.77), Stuff.EYES: skin * 0.3, Stuff.BROWS: skin * 0.4}
    for stuff, colour in shades.items():
        look.materials[stuff]["colour"] = linear(colour)
        look.materials[stuff]["gloss"] = rng.uniform(0.0, 0.12)
    look.cuts["brow"] = rng.uniform(0.002, 0.005)
    look.cuts["glasses"] = rng.random() < 0.2


def _hair(look: Look, rng: Generator) -> None:
    """One of the styles, of any colour, some beards."""
    colour = jittered(_HAIRS[rng.integers(len(_HAIRS))], rng, 8) if rng.random() < 0.95 else any_colour(rng)
    material = look.materials[Stuff.HAIR]
    material["colour"], material["second"] = linear(colour), linear(colour * rng.uniform(0.5, 1.4))
    material["pattern"], material["fraction"] = Pattern.MELANGE, rng.uniform(0.1, 0.6)
    material["gloss"] = rng.uniform(0, 0.25)
    style = _HAIR_STYLES[rng.choice(len(_HAIR_STYLES), p=[style.fraction for style in _HAIR_STYLES])]
    material["thickness"] = rng.uniform(*style.thickness)
    material["folds"], material["phase"] = rng.uniform(0, 0.35), rng.uniform(0, 6)
    look.cuts["fringe"], look.cuts["hair_length"] = rng.uniform(*style.fringe), rng.uniform(*style.length)
    look.cuts["hair_width"] = rng.uniform(0.07, 0.12)
    look.cuts["beard"] = rng.uniform(0.49, 0.535) if rng.random() < 0.25 else -NOWHERE


def _extras(look: Look, rng: Generator) -> None:
    """Hats, gloves, masks."""
    if look.cuts["hat"] == NOWHERE and rng.random() < 0.15:
        look.cuts["hat"], look.cuts["hat_tilt"] = rng.uniform(0.6, 0.65), rng.uniform(-0.2, 0.4)
        set_fabric(look, Stuff.HAT, any_colour(rng), rng, (0.008, 0.03))
    if rng.random() < 0.1:
        look.cuts["glove"] = rng.uniform(0.64, 0.69)
        set_fabric(look, Stuff.GLOVES, any_colour(rng), rng, (0.002, 0.006))
    if rng.random() < 0.08:
        look.cuts["mask"] = rng.uniform(0.54, 0.565)
        set_fabric(look, Stuff.MASK, jittered(_MASKS[rng.integers(len(_MASKS))], rng), rng, (0.004, 0.01))
