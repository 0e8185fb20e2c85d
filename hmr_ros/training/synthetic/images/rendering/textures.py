# SPDX-License-Identifier: Apache-2.0
"""Procedural surfaces: a pattern of one byte per pixel, coloured by a ramp of 256 colours.

A pattern is cheap to draw in one channel, and a ramp turns the same pattern into paint, cloth, wood or leaves; bands in
the ramp turn gradients into stripes. Used for backgrounds and occluders.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s

Rgb = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Pattern = NDArray[np.uint8]
"""(H, W), 0 to 255."""


def texture(rng: Generator, height: int, width: int) -> Rgb:
    """A surface of random pattern and colours, ``(height, width, 3)``."""
    draw = _PATTERNS[rng.choice(len(_PATTERNS), p=_FRACTIONS)]
    return coloured(draw(rng, height, width), ramp(rng, contrast=rng.uniform(0.05, 0.7)))


def coloured(pattern: Pattern, colours: Rgb) -> Rgb:
    """``pattern`` with the colours of a ``(256, 1, 3)`` ramp."""
    return np.asarray(cv2.LUT(cv2.merge([pattern] * 3), colours.reshape(1, 256, 3)), np.uint8)


def colour(rng: Generator) -> Float32s:
    """A colour as places have them, ``(3,)`` 0..255: rarely saturated, warm rather than green or purple."""
    hue = rng.uniform(0, 1) if rng.random() < 0.5 else rng.normal(0.08, 0.04) % 1
    saturation = rng.beta(1.0, 4.0) if rng.random() < 0.88 else rng.uniform(0.5, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, rng.beta(1.3, 1.1)), np.float32) * 255


def ramp(rng: Generator, contrast: float = 0.5) -> Rgb:
    """(256, 1, 3) colours around a random one; ``contrast`` 0..1 is how far they go. A quarter of them in bands."""
    stops = int(rng.integers(2, 5))
    base = colour(rng)
    if rng.random() < 0.5:  # shades of one colour, as lit material has
        ends = base * rng.uniform(1 - contrast, 1 + contrast / 2, (stops, 1))
    else:
        ends = np.stack([(1 - contrast) * base + contrast * colour(rng) for _ in range(stops)])
    banded = rng.random() < 0.25
    return shades(ends.clip(0, 255).astype(np.float32), cv2.INTER_NEAREST if banded else cv2.INTER_LINEAR)


def shades(stops: Float32s, interpolation: int = cv2.INTER_LINEAR) -> Rgb:
    """The (256, 1, 3) ramp through colours ``stops`` (S, 3)."""
    return np.asarray(cv2.resize(stops[:, None], (1, 256), interpolation=interpolation).round(), np.uint8)


def fbm(rng: Generator, height: int, width: int, octaves: int = 6, roughness: float = 0.6, finest: int = 0) -> Pattern:
    """Fractal noise from blobs of ``2**octaves`` px down to ``2**finest`` px, each ``roughness`` times the coarser."""
    sizes = [(-(-height // 2**k) + 1, -(-width // 2**k) + 1) for k in reversed(range(finest, max(octaves, finest + 1)))]
    noise = rng.random(sizes[0], np.float32)
    strength = 1.0
    for size in sizes[1:]:
        strength *= roughness
        noise = cv2.resize(noise, size[::-1]) + strength * rng.random(size, np.float32)
    stretched = np.empty(noise.shape, np.uint8)
    cv2.normalize(noise, stretched, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    whole = stretched if finest == 0 else np.asarray(cv2.resize(stretched, (width, height)), np.uint8)
    return whole[:height, :width].copy()


def sawtooth(rng: Generator, height: int, width: int) -> Pattern:
    """Gradients and stripes: rises from 0 to 255 and starts over, in a random direction."""
    period = math.exp(rng.uniform(math.log(6), math.log(2 * max(height, width))))
    angle = rng.choice([0.0, math.pi / 2, rng.uniform(0, math.pi)])
    down = np.arange(height, dtype=np.float32)[:, None] * (256 * math.sin(angle) / period)
    across = np.arange(width, dtype=np.float32)[None] * (256 * math.cos(angle) / period)
    return (down + across).astype(np.int32).astype(np.uint8)  # wraps around


def tiles(rng: Generator, height: int, width: int) -> Pattern:
    """Tiles or bricks of differing shades, with joints."""
    tall, wide = (round(s) for s in rng.uniform(0.03, 0.3, 2) * max(height, width) + 4)
    shape = (height // tall + 1, width // wide + 2)
    contrast = rng.integers(1, 200)
    cells = rng.integers(255 - contrast, 256, shape, np.uint8)
    pattern = cells.repeat(tall, 0).repeat(wide, 1)
    joint, shade = int(rng.integers(0, 4)), rng.integers(0, 100)
    for start in range(joint):
        pattern[start::tall] = pattern[:, start::wide] = shade
    if rng.random() < 0.4:  # bricks: every other row half a brick further
        shifted = np.arange(len(pattern)) // tall % 2 == 1
        pattern[shifted] = np.roll(pattern[shifted], wide // 2, 1)
    return pattern[:height, :width].copy()


def checks(rng: Generator, height: int, width: int) -> Pattern:
    """Plaid: stripes along both axes, added."""
    period = rng.uniform(0.02, 0.2) * max(height, width) + 4
    profile = rng.integers(0, 128, int(rng.integers(2, 7)), np.uint8)
    down, across = (profile[(np.arange(n) / period * len(profile)).astype(int) % len(profile)] for n in (height, width))
    out: Pattern = down[:, None] + across[None]
    return out


def grain(rng: Generator, height: int, width: int) -> Pattern:
    """Wood, brushed metal, curtains: noise stretched along one axis."""
    stretch = int(rng.integers(8, 40))
    if rng.random() < 0.5:
        return np.asarray(cv2.resize(fbm(rng, height, max(4, width // stretch)), (width, height)), np.uint8)
    return np.asarray(cv2.resize(fbm(rng, max(4, height // stretch), width), (width, height)), np.uint8)


def spines(rng: Generator, height: int, width: int) -> Pattern:
    """Shelves full of things: rows of upright bars of random widths and shades."""
    rows = int(rng.integers(1, 6))
    bars = np.cumsum(rng.integers(3, 5 + width // 12, (rows, width // 3)), 1)
    shade = rng.integers(0, 256, bars.shape, np.uint8)
    bar = np.stack([np.searchsorted(row, np.arange(width), "right").clip(max=len(row) - 1) for row in bars])
    lines = np.take_along_axis(shade, bar, 1)
    pattern = lines.repeat(-(-height // rows), 0)[:height]
    pattern[:: -(-height // rows)] = 0
    return pattern


def leaves(rng: Generator, height: int, width: int) -> Pattern:
    """Grass, gravel, foliage, carpet: noise that is strongest where it is finest."""
    return fbm(rng, height, width, int(rng.integers(3, 7)), rng.uniform(0.8, 1.3), int(rng.integers(0, 2)))


def smooth(rng: Generator, height: int, width: int) -> Pattern:
    """Stained paint, clouds, blurred things: noise without fine detail."""
    return fbm(rng, height, width, 8, rng.uniform(0.3, 0.7), int(rng.integers(0, 4)))


_PATTERNS: list[Callable[[Generator, int, int], Pattern]] = [
    smooth,
    sawtooth,
    tiles,
    checks,
    grain,
    spines,
    leaves,
]
_FRACTIONS = (0.3, 0.2, 0.14, 0.07, 0.12, 0.05, 0.12)
