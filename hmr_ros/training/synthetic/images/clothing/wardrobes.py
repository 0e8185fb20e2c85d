# SPDX-License-Identifier: Apache-2.0
"""Outfits: each wardrobe sets where garments end and what they are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from hmr_ros.training.synthetic.images.clothing.fabrics import (
    NEUTRALS,
    Look,
    any_colour,
    jittered,
    linear,
    neutral,
    set_fabric,
    set_pattern,
)
from hmr_ros.training.synthetic.images.clothing.garments import Pattern, Stuff

NOWHERE = 9.0
"""As an upper bound everything, as a lower bound nothing is beyond it (m)."""

_DENIMS = ((52, 72, 112), (84, 108, 146), (32, 42, 66), (128, 146, 172))
_SUITINGS = (0, 2, 3, 4)
"""Which NEUTRALS suits are made of."""
_HI_VIS = ((214, 236, 42), (255, 112, 22), (248, 60, 34))


def put_on(look: Look, rng: Generator) -> None:
    """Dress ``look``: a top, trousers and shoes of any kind, changed by one of the wardrobes."""
    _usual_cuts(look, rng)
    _usual_fabrics(look, rng)
    wardrobe, _ = _WARDROBES[rng.choice(len(_WARDROBES), p=_FRACTIONS)]
    wardrobe(look, rng)
    _hang_coat(look, rng)


def _usual_cuts(look: Look, rng: Generator) -> None:
    """Where tops, trousers, shoes and socks end; nothing else is worn."""
    cuts = look.cuts
    cuts["inner_sleeve"] = _one_of(rng, 0.17, rng.uniform(0.26, 0.38), rng.uniform(0.38, 0.6), 0.655)
    cuts["inner_hem"] = rng.uniform(-0.2, 0.0)
    cuts["neck"] = rng.uniform(0.415, 0.47)
    cuts["neck_width"], cuts["neck_depth"] = rng.uniform(0.05, 0.13), rng.uniform(0.0, 0.14)
    cuts["outer_sleeve"], cuts["outer_hem"], cuts["outer_neck"] = -1, NOWHERE, 0.45
    cuts["waist"] = rng.uniform(-0.05, 0.1)
    long = rng.random() < 0.65
    cuts["leg"] = rng.uniform(-0.97, -0.86) if long else _one_of(rng, rng.uniform(-0.4, -0.25), rng.uniform(-0.6, -0.4))
    cuts["shoe"] = _one_of(rng, -0.945, -0.93, rng.uniform(-0.92, -0.85), rng.uniform(-0.85, -0.6))
    cuts["sock"] = cuts["shoe"] + _one_of(rng, 0, 0.03, 0.08, 0.3)
    cuts["glove"], cuts["hat"], cuts["mask"] = NOWHERE, NOWHERE, -NOWHERE


def _usual_fabrics(look: Look, rng: Generator) -> None:
    set_fabric(look, Stuff.INNER, any_colour(rng), rng, (0.003, 0.02))
    if rng.random() < 0.5:
        set_pattern(look, Stuff.INNER, rng)
    trousers = jittered(_DENIMS[rng.integers(len(_DENIMS))], rng) if rng.random() < 0.4 else any_colour(rng)
    set_fabric(look, Stuff.BOTTOM, trousers, rng, (0.003, 0.022))
    if rng.random() < 0.15:
        set_pattern(look, Stuff.BOTTOM, rng)
    shoes, socks = (any_colour(rng) if rng.random() < 0.3 else neutral(rng) for _ in range(2))
    set_fabric(look, Stuff.SHOES, shoes, rng, (0.008, 0.016))
    set_fabric(look, Stuff.SOCKS, socks, rng, (0.002, 0.004))
    look.materials[Stuff.SHOES]["gloss"] = rng.uniform(0, 0.4)


def _one_of(rng: Generator, *choices: float) -> float:
    return choices[rng.integers(len(choices))]


def _casual(look: Look, rng: Generator) -> None:
    """Whatever the basics were; loose shirts hang over the trousers."""
    if rng.random() < 0.3:
        _drape(look, Stuff.INNER, top=rng.uniform(-0.02, 0.06), hem=rng.uniform(-0.3, -0.18), flare=0.02, rng=rng)


def _skirt(look: Look, rng: Generator) -> None:
    """A skirt or a dress over bare legs or tights."""
    top, hem = rng.uniform(0.0, 0.1), rng.uniform(-0.8, -0.3)
    cloth = Stuff.BOTTOM if rng.random() < 0.5 else Stuff.INNER
    look.materials[Stuff.BOTTOM]["thickness"] = 0.004
    if cloth == Stuff.INNER:
        look.materials[Stuff.BOTTOM] = look.materials[Stuff.INNER]
    look.cuts["waist"], look.cuts["leg"], look.cuts["inner_hem"] = top, -0.14, min(top - 0.02, 0.02)
    _drape(look, cloth, top, hem, flare=rng.uniform(0, 0.1), rng=rng)
    if rng.random() < 0.35:
        look.cuts["sock"] = -0.1


def _drape(look: Look, stuff: Stuff, top: float, hem: float, flare: float, rng: Generator) -> None:
    """Hang ``stuff`` around the legs, sometimes wider."""
    cuts = look.cuts
    cuts["drape"], cuts["drape_top"], cuts["drape_hem"] = stuff, top, hem
    cuts["drape_flare"] = flare * rng.uniform(0.3, 1.5)


def _jacket(look: Look, rng: Generator) -> None:
    """A jacket, cardigan or coat, open or closed."""
    look.cuts["outer_sleeve"] = _one_of(rng, 0.16, 0.655, 0.67, rng.uniform(0.5, 0.67))
    look.cuts["outer_hem"] = _one_of(rng, rng.uniform(-0.22, -0.05), rng.uniform(-0.55, -0.2))
    look.cuts["outer_front"] = _one_of(rng, 0, rng.uniform(0.02, 0.09))
    look.cuts["outer_neck"] = rng.uniform(0.43, 0.5)
    set_fabric(look, Stuff.OUTER, any_colour(rng), rng, (0.014, 0.045))
    if rng.random() < 0.3:
        set_pattern(look, Stuff.OUTER, rng)


def _hang_coat(look: Look, rng: Generator) -> None:
    """What of a jacket reaches below the hips hangs."""
    if look.cuts["outer_hem"] < -0.15:
        _drape(look, Stuff.OUTER, rng.uniform(-0.1, 0.0), float(look.cuts["outer_hem"]), flare=0.03, rng=rng)
        look.cuts["outer_hem"] = -0.15


def _suit(look: Look, rng: Generator) -> None:
    """Jacket and trousers of one cloth over a light shirt."""
    _jacket(look, rng)
    cloth = jittered(NEUTRALS[rng.choice(_SUITINGS)], rng)
    set_fabric(look, Stuff.OUTER, cloth, rng, (0.012, 0.025))
    set_fabric(look, Stuff.BOTTOM, cloth, rng, (0.008, 0.02))
    set_fabric(look, Stuff.INNER, jittered((225, 226, 232), rng), rng, (0.003, 0.008))
    look.cuts["outer_sleeve"], look.cuts["outer_hem"], look.cuts["leg"] = 0.66, rng.uniform(-0.26, -0.16), -0.95
    look.cuts["outer_front"] = rng.uniform(0.025, 0.06)


def _coverall(look: Look, rng: Generator) -> None:
    """One cloth from neck to feet: overalls, scrubs, pyjamas, sports suits."""
    set_fabric(look, Stuff.INNER, any_colour(rng), rng, (0.006, 0.03))
    if rng.random() < 0.25:
        set_pattern(look, Stuff.INNER, rng)
    look.materials[Stuff.BOTTOM] = look.materials[Stuff.INNER]
    look.cuts["leg"], look.cuts["inner_hem"] = rng.uniform(-0.96, -0.85), rng.uniform(-0.2, -0.05)
    look.cuts["inner_sleeve"] = _one_of(rng, 0.33, 0.66)


def _worker(look: Look, rng: Generator) -> None:
    """High-visibility vest or jacket, often with a helmet and gloves."""
    _jacket(look, rng)
    set_fabric(look, Stuff.OUTER, jittered(_HI_VIS[rng.integers(len(_HI_VIS))], rng), rng, (0.012, 0.035))
    material = look.materials[Stuff.OUTER]
    material["pattern"], material["second"] = Pattern.REFLECTORS, linear(jittered((196, 200, 204), rng))
    look.cuts["outer_hem"] = rng.uniform(-0.24, -0.1)
    if rng.random() < 0.3:
        look.materials[Stuff.BOTTOM] = material
    if rng.random() < 0.6:
        look.cuts["hat"], look.cuts["hat_tilt"] = rng.uniform(0.61, 0.64), 0.1
        set_fabric(
            look,
            Stuff.HAT,
            jittered(((240, 200, 20), (240, 240, 240), (220, 60, 30))[rng.integers(3)], rng),
            rng,
            (0.02, 0.04),
        )
        look.materials[Stuff.HAT]["gloss"] = 0.5
        look.materials[Stuff.HAT]["folds"] = 0


def _laboratory(look: Look, rng: Generator) -> None:
    """A long, light coat."""
    _jacket(look, rng)
    set_fabric(look, Stuff.OUTER, jittered((232, 236, 238), rng, 8), rng, (0.015, 0.03))
    look.cuts["outer_sleeve"], look.cuts["outer_hem"] = 0.66, rng.uniform(-0.55, -0.3)


def _sport(look: Look, rng: Generator) -> None:
    """Little and tight."""
    look.cuts["inner_sleeve"] = _one_of(rng, 0.16, 0.17, 0.3, 0.66)
    look.cuts["leg"] = _one_of(rng, rng.uniform(-0.3, -0.2), rng.uniform(-0.5, -0.3), -0.94)
    look.materials[Stuff.INNER]["thickness"] = look.materials[Stuff.BOTTOM]["thickness"] = 0.002
    if rng.random() < 0.25:
        look.cuts["inner_hem"] = _one_of(rng, 0.18, NOWHERE)
    if rng.random() < 0.3:
        look.cuts["shoe"] = look.cuts["sock"] = -NOWHERE


_WARDROBES: tuple[tuple[Callable[[Look, Generator], None], float], ...] = (
    (_casual, 0.32),
    (_skirt, 0.08),
    (_jacket, 0.16),
    (_suit, 0.07),
    (_coverall, 0.1),
    (_worker, 0.1),
    (_laboratory, 0.05),
    (_sport, 0.12),
)
"""And how often each is drawn."""
_FRACTIONS = np.array([fraction for _, fraction in _WARDROBES])
