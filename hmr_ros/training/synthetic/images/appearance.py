"""How a person looks: skin, hair and an outfit, drawn from wardrobes."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hmr_ros.training.synthetic.images.garments import CUT, MATERIAL, Pattern, Stuff

NOWHERE = 9.0
"""As an upper bound everything, as a lower bound nothing is beyond it (m)."""

_NEUTRALS = ((15, 15, 17), (235, 235, 232), (120, 120, 122), (60, 62, 66), (28, 36, 62), (190, 176, 150), (92, 88, 62))
_DENIMS = ((52, 72, 112), (84, 108, 146), (32, 42, 66), (128, 146, 172))
_HI_VIS = ((214, 236, 42), (255, 112, 22), (248, 60, 34))
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
_LIGHT_SKIN, _DARK_SKIN = np.array([236, 196, 172]), np.array([70, 44, 33])


class Look(NamedTuple):
    """``cuts``: one record of CUT; ``materials`` (len(Stuff),) of MATERIAL."""

    cuts: NDArray[np.void]
    materials: NDArray[np.void]


def sample_look(rng: Generator) -> Look:
    """Anybody, in anything."""
    look = Look(np.zeros((), CUT), np.zeros(len(Stuff), MATERIAL))
    _skin(look, rng)
    _hair(look, rng)
    _basics(look, rng)
    wardrobe, _ = _WARDROBES[rng.choice(len(_WARDROBES), p=_SHARES)]
    wardrobe(look, rng)
    _hang_coat(look, rng)
    _extras(look, rng)
    return look


def _linear(colour: ArrayLike) -> NDArray[np.float64]:
    """Display RGB 0..255 as linear 0..1; the inverse of shading's square root."""
    return np.asarray((np.clip(colour, 0, 255) / 255.0) ** 2)


def _jittered(colour: ArrayLike, rng: Generator, amount: float = 14) -> NDArray[np.float64]:
    return np.asarray(colour, np.float64) + rng.normal(0, amount, 3) + rng.normal(0, amount)


def _neutral(rng: Generator) -> NDArray[np.float64]:
    """Black, white, grey, navy, beige, olive."""
    return _jittered(_NEUTRALS[rng.integers(len(_NEUTRALS))], rng)


def _any_colour(rng: Generator) -> NDArray[np.float64]:
    """Cloth: half of it black, white, grey, navy or beige; the rest any hue."""
    if rng.random() < 0.45:
        return _neutral(rng)
    hue, saturation, value = rng.random(), rng.beta(2, 2), rng.uniform(0.15, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


def _fabric(
    look: Look, stuff: Stuff, colour: NDArray[np.float64], rng: Generator, thickness: tuple[float, float]
) -> None:
    """A plain fabric on all of ``stuff``."""
    material = look.materials[stuff]
    material["colour"] = _linear(colour)
    material["pattern"] = Pattern.PLAIN
    material["phase"] = rng.uniform(0, 2 * np.pi)
    material["gloss"] = rng.uniform(0, 0.06)
    material["thickness"] = rng.uniform(*thickness)
    material["folds"] = rng.uniform(0.1, 0.45)


_FREQUENCIES = {
    Pattern.HOOPS: (40, 250),
    Pattern.PINSTRIPES: (60, 400),
    Pattern.CHECKS: (50, 250),
    Pattern.DOTS: (70, 250),
    Pattern.PRINT: (20, 160),
    Pattern.BLOTCHES: (15, 60),
    Pattern.SLEEVES: (1, 2),
    Pattern.MELANGE: (1, 2),
}


def _pattern(look: Look, stuff: Stuff, rng: Generator, patterns: tuple[Pattern, ...] = tuple(_FREQUENCIES)) -> None:
    """Give ``stuff`` a second colour and one of ``patterns``."""
    pattern = patterns[rng.integers(len(patterns))]
    material = look.materials[stuff]
    material["second"] = _linear(_any_colour(rng))
    material["pattern"] = pattern
    low, high = _FREQUENCIES[pattern]
    material["frequency"] = low * (high / low) ** rng.random()
    material["share"] = rng.uniform(0.15, 0.6)


def _skin(look: Look, rng: Generator) -> None:
    tone = rng.beta(0.9, 1.1)
    skin = (1 - tone) * _LIGHT_SKIN + tone * _DARK_SKIN + rng.normal(0, 6, 3)
    for stuff, shade in ((Stuff.SKIN, 1.0), (Stuff.LIPS, 0.86), (Stuff.EYES, 0.3), (Stuff.BROWS, 0.4)):
        look.materials[stuff]["colour"] = _linear(
            skin * shade * (1, 0.88, 0.9) if stuff == Stuff.LIPS else skin * shade
        )
        look.materials[stuff]["gloss"] = rng.uniform(0.0, 0.12)
    look.cuts["brow"] = rng.uniform(0.002, 0.005)
    look.cuts["glasses"] = rng.random() < 0.2


def _hair(look: Look, rng: Generator) -> None:
    """Bald, short, down to the neck, or long; beards."""
    colour = _jittered(_HAIRS[rng.integers(len(_HAIRS))], rng, 8) if rng.random() < 0.95 else _any_colour(rng)
    material = look.materials[Stuff.HAIR]
    material["colour"], material["second"] = _linear(colour), _linear(colour * rng.uniform(0.5, 1.4))
    material["pattern"], material["share"] = Pattern.MELANGE, rng.uniform(0.1, 0.6)
    material["gloss"] = rng.uniform(0, 0.25)
    kind = rng.choice(4, p=(0.08, 0.47, 0.2, 0.25))
    thickness = ((0.001, 0.003), (0.004, 0.02), (0.012, 0.035), (0.012, 0.03))[kind]
    material["thickness"] = rng.uniform(*thickness)
    material["folds"] = rng.uniform(0, 0.35)
    material["phase"] = rng.uniform(0, 6)
    look.cuts["fringe"] = (rng.uniform(0.66, 0.72), *(rng.uniform(0.605, 0.655),) * 3)[kind]
    lengths = ((0.62, 0.72), (0.52, 0.6), (0.44, 0.54), (0.15, 0.44))[kind]
    look.cuts["hair_length"] = rng.uniform(*lengths)
    look.cuts["hair_width"] = rng.uniform(0.07, 0.12)
    look.cuts["beard"] = rng.uniform(0.49, 0.535) if rng.random() < 0.25 else -NOWHERE


def _basics(look: Look, rng: Generator) -> None:
    """A top, trousers and shoes of any kind; wardrobes change them."""
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
    _fabric(look, Stuff.INNER, _any_colour(rng), rng, (0.003, 0.02))
    if rng.random() < 0.5:
        _pattern(look, Stuff.INNER, rng)
    trousers = _jittered(_DENIMS[rng.integers(len(_DENIMS))], rng) if rng.random() < 0.4 else _any_colour(rng)
    _fabric(look, Stuff.BOTTOM, trousers, rng, (0.003, 0.022))
    if rng.random() < 0.15:
        _pattern(look, Stuff.BOTTOM, rng)
    shoes, socks = (_any_colour(rng) if rng.random() < 0.3 else _neutral(rng) for _ in range(2))
    _fabric(look, Stuff.SHOES, shoes, rng, (0.008, 0.016))
    _fabric(look, Stuff.SOCKS, socks, rng, (0.002, 0.004))
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
    _fabric(look, Stuff.OUTER, _any_colour(rng), rng, (0.014, 0.045))
    if rng.random() < 0.3:
        _pattern(look, Stuff.OUTER, rng)


def _hang_coat(look: Look, rng: Generator) -> None:
    """What of a jacket reaches below the hips hangs."""
    if look.cuts["outer_hem"] < -0.15:
        _drape(look, Stuff.OUTER, rng.uniform(-0.1, 0.0), float(look.cuts["outer_hem"]), flare=0.03, rng=rng)
        look.cuts["outer_hem"] = -0.15


def _suit(look: Look, rng: Generator) -> None:
    """Jacket and trousers of one cloth over a light shirt."""
    _jacket(look, rng)
    cloth = _jittered(_NEUTRALS[rng.choice((0, 2, 3, 4))], rng)
    _fabric(look, Stuff.OUTER, cloth, rng, (0.012, 0.025))
    _fabric(look, Stuff.BOTTOM, cloth, rng, (0.008, 0.02))
    _fabric(look, Stuff.INNER, _jittered((225, 226, 232), rng), rng, (0.003, 0.008))
    look.cuts["outer_sleeve"], look.cuts["outer_hem"], look.cuts["leg"] = 0.66, rng.uniform(-0.26, -0.16), -0.95
    look.cuts["outer_front"] = rng.uniform(0.025, 0.06)


def _coverall(look: Look, rng: Generator) -> None:
    """One cloth from neck to feet: overalls, scrubs, pyjamas, sports suits."""
    _fabric(look, Stuff.INNER, _any_colour(rng), rng, (0.006, 0.03))
    if rng.random() < 0.25:
        _pattern(look, Stuff.INNER, rng)
    look.materials[Stuff.BOTTOM] = look.materials[Stuff.INNER]
    look.cuts["leg"], look.cuts["inner_hem"] = rng.uniform(-0.96, -0.85), rng.uniform(-0.2, -0.05)
    look.cuts["inner_sleeve"] = _one_of(rng, 0.33, 0.66)


def _worker(look: Look, rng: Generator) -> None:
    """High-visibility vest or jacket, often with a helmet and gloves."""
    _jacket(look, rng)
    _fabric(look, Stuff.OUTER, _jittered(_HI_VIS[rng.integers(len(_HI_VIS))], rng), rng, (0.012, 0.035))
    material = look.materials[Stuff.OUTER]
    material["pattern"], material["second"] = Pattern.REFLECTORS, _linear(_jittered((196, 200, 204), rng))
    look.cuts["outer_hem"] = rng.uniform(-0.24, -0.1)
    if rng.random() < 0.3:
        look.materials[Stuff.BOTTOM] = material
    if rng.random() < 0.6:
        look.cuts["hat"], look.cuts["hat_tilt"] = rng.uniform(0.61, 0.64), 0.1
        _fabric(
            look,
            Stuff.HAT,
            _jittered(((240, 200, 20), (240, 240, 240), (220, 60, 30))[rng.integers(3)], rng),
            rng,
            (0.02, 0.04),
        )
        look.materials[Stuff.HAT]["gloss"] = 0.5
        look.materials[Stuff.HAT]["folds"] = 0


def _laboratory(look: Look, rng: Generator) -> None:
    """A long, light coat."""
    _jacket(look, rng)
    _fabric(look, Stuff.OUTER, _jittered((232, 236, 238), rng, 8), rng, (0.015, 0.03))
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


_Wardrobe = Callable[[Look, Generator], None]
_WARDROBES: tuple[tuple[_Wardrobe, float], ...] = (
    (_casual, 0.32),
    (_skirt, 0.08), (_jacket, 0.16), (_suit, 0.07), (_coverall, 0.1), (_worker, 0.1), (_laboratory, 0.05),
    (_sport, 0.12),
)  # fmt: skip
_SHARES = np.array([share for _, share in _WARDROBES])


def _extras(look: Look, rng: Generator) -> None:
    """Hats, gloves, masks."""
    if look.cuts["hat"] == NOWHERE and rng.random() < 0.15:
        look.cuts["hat"], look.cuts["hat_tilt"] = rng.uniform(0.6, 0.65), rng.uniform(-0.2, 0.4)
        _fabric(look, Stuff.HAT, _any_colour(rng), rng, (0.008, 0.03))
    if rng.random() < 0.1:
        look.cuts["glove"] = rng.uniform(0.64, 0.69)
        _fabric(look, Stuff.GLOVES, _any_colour(rng), rng, (0.002, 0.006))
    if rng.random() < 0.08:
        look.cuts["mask"] = rng.uniform(0.54, 0.565)
        _fabric(look, Stuff.MASK, _jittered(_one_of_colours(rng), rng), rng, (0.004, 0.01))


def _one_of_colours(rng: Generator) -> tuple[int, int, int]:
    return ((236, 240, 242), (120, 176, 206), (24, 24, 26))[rng.integers(3)]
