# SPDX-License-Identifier: Apache-2.0
"""What clothes are made of: colours, fabrics, patterns."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hmr_ros.core.arrays import Float64s
from hmr_ros.training.synthetic.images.clothing.garments import Pattern, Stuff

NEUTRALS = ((15, 15, 17), (235, 235, 232), (120, 120, 122), (60, 62, 66), (28, 36, 62), (190, 176, 150), (92, 88, 62))


class Look(NamedTuple):
    """``cuts``: one record of CUT; ``materials`` (len(Stuff),) of MATERIAL."""

    cuts: NDArray[np.void]
    materials: NDArray[np.void]


def linear(colour: ArrayLike) -> Float64s:
    """Display RGB 0..255 as linear 0..1; the inverse of shading's square root."""
    return np.asarray((np.clip(colour, 0, 255) / 255.0) ** 2)


def jittered(colour: ArrayLike, rng: Generator, amount: float = 14) -> Float64s:
    """(3,) display RGB near ``colour``: another hue, lighter or darker."""
    return np.asarray(colour, np.float64) + rng.normal(0, amount, 3) + rng.normal(0, amount)


def neutral(rng: Generator) -> Float64s:
    """Black, white, grey, navy, beige, olive."""
    return jittered(NEUTRALS[rng.integers(len(NEUTRALS))], rng)


def any_colour(rng: Generator) -> Float64s:
    """Cloth: half of it black, white, grey, navy or beige; the rest any hue."""
    if rng.random() < 0.45:
        return neutral(rng)
    hue, saturation, value = rng.random(), rng.beta(2, 2), rng.uniform(0.15, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


def set_fabric(look: Look, stuff: Stuff, colour: Float64s, rng: Generator, thickness: tuple[float, float]) -> None:
    """A plain fabric on all of ``stuff``."""
    material = look.materials[stuff]
    material["colour"] = linear(colour)
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


def set_pattern(look: Look, stuff: Stuff, rng: Generator, patterns: tuple[Pattern, ...] = tuple(_FREQUENCIES)) -> None:
    """Give ``stuff`` a second colour and one of ``patterns``."""
    pattern = patterns[rng.integers(len(patterns))]
    material = look.materials[stuff]
    material["second"] = linear(any_colour(rng))
    material["pattern"] = pattern
    low, high = _FREQUENCIES[pattern]
    material["frequency"] = low * (high / low) ** rng.random()
    material["fraction"] = rng.uniform(0.15, 0.6)
