# SPDX-License-Identifier: Apache-2.0
"""Procedural places for people to stand before: rooms, streets and fields, clutter.

None would fool anybody. They have what a network must learn to look past: edges as long and as straight as limbs,
perspective, colours of skin and cloth, texture at every scale.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Float64s
from hmr_ros.training.synthetic.images.rendering.drawing import line, lit, polygon
from hmr_ros.training.synthetic.images.rendering.textures import Rgb, colour, coloured, fbm, ramp, shades, texture

_FAR = 5.0
"""How much larger than its far end the near end of a floor or wall is drawn."""


def scenery(rng: Generator, height: int, width: int) -> Rgb:
    """A random place, ``(height, width, 3)`` uint8 RGB."""
    draw = _PLACES[rng.choice(len(_PLACES), p=_FRACTIONS)]
    darkest = rng.uniform(0.4, 0.95)
    return lit(draw(rng, height, width), rng.uniform(darkest, 1.2, (3, 3)))


def room(rng: Generator, height: int, width: int) -> Rgb:
    """A back wall, the floor, side walls and ceiling that run towards the camera, and furniture."""
    size = np.array([width, height])
    low = size * (rng.uniform(-0.5, 0.35), rng.uniform(-0.5, 0.25))
    high = size * (rng.uniform(0.65, 1.5), rng.uniform(0.4, 1.0))
    vanishing = low + (high - low) * rng.uniform(0.2, 0.8, 2)
    canvas = texture(rng, height, width)
    far = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    near = vanishing + _FAR * (far - vanishing)
    for a, b in ((0, 1), (1, 2), (3, 0), (2, 3)):
        _lay(canvas, np.array([far[a], far[b], near[b], near[a]]), texture(rng, height // 2, width // 2))
    for _ in range(rng.integers(0, 5)):
        _hang(rng, canvas, low, high)
    for _ in range(rng.integers(0, 6)):
        ground = rng.uniform(high[1], max(height, high[1]) * 1.15)
        _furnish(rng, canvas, ground, vanishing, rng.uniform(0.1, 0.5) * height)
    return canvas


def outdoors(rng: Generator, height: int, width: int) -> Rgb:
    """Sky, ground, and on the horizon houses, hills or trees."""
    horizon = height * rng.uniform(0.1, 0.75)
    canvas = coloured(_sky(rng, height, width, horizon), _sky_colours(rng))
    _horizon(rng, canvas, horizon)
    left, right = -width * rng.uniform(0, 2), width * rng.uniform(1, 3)
    near_left, near_right = left - _FAR * width, right + _FAR * width
    ground = np.array([(left, horizon), (right, horizon), (near_right, height * 1.6), (near_left, height * 1.6)])
    _lay(canvas, ground, texture(rng, height // 2, width // 2))
    vanishing = np.array([width * rng.uniform(-0.5, 1.5), horizon])
    for _ in range(rng.integers(0, 7)):
        foot = horizon + (height - horizon) * rng.beta(1, 2)
        _furnish(rng, canvas, foot, vanishing, (foot - horizon) * rng.uniform(0.3, 4) + 6)
    return canvas


def clutter(rng: Generator, height: int, width: int) -> Rgb:
    """Random shapes on a random surface."""
    canvas = texture(rng, height, width)
    size = np.array([width, height])
    for _ in range(rng.integers(3, 30)):
        centre, extent = rng.uniform(0, 1, 2) * size, rng.uniform(0.02, 0.3, 2) * size
        paint = tuple(colour(rng).tolist())
        kind = rng.integers(4)
        if kind == 0:
            cv2.ellipse(canvas, (centre, extent, rng.uniform(0, 180)), paint, -1, cv2.LINE_AA)
        elif kind == 1:
            polygon(canvas, centre + rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2)) * extent, paint)
        elif kind == 2:
            line(canvas, centre + rng.uniform(-1, 1, (2, 2)) * size / 2, paint, int(rng.integers(1, 12)))
        else:
            _paste(canvas, centre - extent / 2, centre + extent / 2, texture(rng, 32, 32))
    return canvas


def _sky(rng: Generator, height: int, width: int, horizon: float) -> NDArray[np.uint8]:
    """Brightest at the horizon, with clouds."""
    fall = (255 * np.arange(height, dtype=np.float32) / max(horizon, 1)).clip(0, 255)
    clouds = fbm(rng, height, width, 8, rng.uniform(0.3, 0.6), 1)
    return np.asarray(cv2.addWeighted(clouds, w := rng.uniform(0, 0.7), _rows(fall, width), 1 - w, 0), np.uint8)


def _rows(values: Float32s, width: int) -> NDArray[np.uint8]:
    """(H, width): each of ``values`` (H,) 0..255 along a whole row."""
    return values.astype(np.uint8)[:, None].repeat(width, 1)


def _sky_colours(rng: Generator) -> Rgb:
    """Grey, blue, or the colours of dusk, from the zenith down."""
    blue = np.array((rng.uniform(40, 140), rng.uniform(90, 180), rng.uniform(150, 255)))
    grey = np.full(3, rng.uniform(90, 250))
    zenith = blue if rng.random() < 0.5 else grey if rng.random() < 0.7 else colour(rng)
    return shades(np.stack([zenith, 0.3 * zenith + 0.7 * rng.uniform(120, 255, 3), grey]).astype(np.float32))


def _horizon(rng: Generator, canvas: Rgb, horizon: float) -> None:
    """Houses, or a rough line of hills or trees."""
    width = canvas.shape[1]
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 9)):
            left = rng.uniform(-0.2, 1) * width
            tall = rng.uniform(0.05, 1.2) * horizon
            low = np.array([left, horizon - tall])
            _paste(canvas, low, np.array([left + rng.uniform(0.08, 0.5) * width, horizon]), texture(rng, 64, 64))
        return
    line = fbm(rng, 16, width, 7, rng.uniform(0.3, 0.8))[0].astype(np.float32)
    top = horizon - line / 255 * rng.uniform(0.05, 0.9) * horizon
    outline = np.stack([np.arange(width), top], 1)
    paint = colour(rng) * (0.3, 0.5, 0.25) if rng.random() < 0.7 else colour(rng) * 0.6
    above = canvas[: max(1, int(horizon))]
    mask = np.zeros(above.shape[:2], np.uint8)
    polygon(mask, np.concatenate([outline, [(width, horizon), (0, horizon)]]), (255,))
    colours = shades(np.stack([paint * 0.4, paint, paint * 1.8]).clip(0, 255).astype(np.float32))
    cv2.copyTo(coloured(fbm(rng, len(above), width, 5, 1.0), colours), mask, above)


def _lay(canvas: Rgb, quad: Float64s, surface: Rgb) -> None:
    """Draw ``surface`` onto the four corners ``quad`` (4, 2) px, in perspective."""
    height, width = canvas.shape[:2]
    x0, y0 = np.floor(quad.min(0)).clip(0, (width, height)).astype(int)
    x1, y1 = np.ceil(quad.max(0)).clip(0, (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    tall, wide = surface.shape[:2]
    corners = np.array([(0, 0), (wide, 0), (wide, tall), (0, tall)], np.float32)
    onto = cv2.getPerspectiveTransform(corners, (quad - (x0, y0)).astype(np.float32))
    window = np.ascontiguousarray(canvas[y0:y1, x0:x1])  # a small one: warping takes its time from the output's size
    cv2.warpPerspective(surface, onto, window.shape[1::-1], dst=window, borderMode=cv2.BORDER_TRANSPARENT)
    canvas[y0:y1, x0:x1] = window


def _hang(rng: Generator, canvas: Rgb, low: Float64s, high: Float64s) -> None:
    """A window, image, cupboard or door on the back wall, some with a frame."""
    extent = (high - low) * rng.uniform(0.08, 0.45, 2)
    corner = low + rng.uniform(0, 1, 2) * (high - low - extent)
    if rng.random() < 0.3:  # a door reaches the floor
        extent[1] = (high - low)[1] * rng.uniform(0.5, 0.85)
        corner[1] = high[1] - extent[1]
    frame = rng.uniform(0, 0.04) * (high - low).min()
    _paste(canvas, corner - frame, corner + extent + frame, np.full((2, 2, 3), colour(rng), np.uint8))
    _paste(canvas, corner, corner + extent, texture(rng, 48, 48))


def _furnish(rng: Generator, canvas: Rgb, ground: float, vanishing: Float64s, tall: float) -> None:
    """A box on the ground, its sides running to the vanishing point; thin ones are poles."""
    left = rng.uniform(-0.2, 1.1) * canvas.shape[1]
    wide = tall * rng.uniform(0.1, 2.5)
    low, high = np.array([left, ground - tall]), np.array([left + wide, ground])
    front = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    back = vanishing + rng.uniform(0.6, 0.95) * (front - vanishing)
    paint = colour(rng)
    for a, b in ((3, 0), (1, 2), (0, 1)):
        face = np.array([front[a], front[b], back[b], back[a]])
        polygon(canvas, face, tuple((paint * rng.uniform(0.5, 1.1)).clip(0, 255).tolist()))
    _paste(
        canvas, low, high, coloured(fbm(rng, 32, 32), ramp(rng, 0.3)) if rng.random() < 0.5 else texture(rng, 32, 32)
    )


def _paste(canvas: Rgb, low: Float64s, high: Float64s, surface: Rgb) -> None:
    """Draw ``surface`` onto the rectangle from ``low`` to ``high`` (x, y) px, as far as it lies in the canvas."""
    height, width = canvas.shape[:2]
    x0, y0 = np.round(low).clip(0, (width, height)).astype(int)
    x1, y1 = np.round(high).clip(0, (width, height)).astype(int)
    if x1 > x0 and y1 > y0:
        canvas[y0:y1, x0:x1] = cv2.resize(surface, (int(x1 - x0), int(y1 - y0)))


_PLACES: list[Callable[[Generator, int, int], Rgb]] = [room, outdoors, clutter, texture]
_FRACTIONS = (0.45, 0.25, 0.2, 0.1)
