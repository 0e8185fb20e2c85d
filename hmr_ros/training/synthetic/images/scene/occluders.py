# SPDX-License-Identifier: Apache-2.0
"""Things in front of synthetic people: tables, walls, poles, bars, boxes, plants, panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Floats
from hmr_ros.training.synthetic.images.rendering.drawing import line, lit, polygon
from hmr_ros.training.synthetic.images.rendering.textures import Rgb, texture

_LEAST, _MOST = 0.05, 0.6
"""Fraction of the person's box that an occluder covers."""
_TRIES = 8
_SOFT = 0.3
"""Fraction of occluders that are so near to the camera that their edges blur."""

_HIDDEN = (255,)
_ACROSS = 2000.0
"""px: from anywhere in a crop to beyond its border."""

_Mask = NDArray[np.uint8]
"""(H, W), 255 where an occluder hides the image."""

_Box = Floats
"""(4,) x1 y1 x2 y2 px of the person to hide."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Something to lay over an image: ``rgb`` (H, W, 3) uint8 and ``alpha`` (H, W) float32, 1 where it hides all."""

    rgb: Rgb
    alpha: Float32s

    def over(self, image: Rgb) -> Rgb:
        """``image`` (H, W, 3) with this in front."""
        alpha = self.alpha[..., None]
        return np.asarray((image + alpha * (self.rgb.astype(np.float32) - image)).round(), np.uint8)


def sample_occluder(rng: Generator, height: int, width: int, box: _Box) -> Layer:
    """Something in front of ``box`` (4,) x1 y1 x2 y2 px of a person: it covers 5 to 60 % of what the image shows of it.

    Raises ValueError when no part of ``box`` lies in the image.
    """
    mask = _covering(rng, height, width, box)
    if rng.random() < _SOFT:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.005, 0.02) * height), np.uint8)
    surface = lit(texture(rng, height, width), rng.uniform(0.4, 1.3, (2, 2)))
    return Layer(surface, mask.astype(np.float32) / np.float32(255))


def _covering(rng: Generator, height: int, width: int, box: _Box) -> _Mask:
    """(H, W) a shape that covers a fraction of ``box`` that is neither nothing nor too much."""
    x0, y0 = np.floor(box[:2]).clip(0, None).astype(int)
    x1, y1 = np.ceil(box[2:]).clip(0, (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"box: expected to overlap the {width} x {height} image, got {box}")
    for _ in range(_TRIES):
        mask = np.zeros((height, width), np.uint8)
        _SHAPES[rng.choice(len(_SHAPES), p=_FRACTIONS)](rng, mask, box)
        if _LEAST <= mask[y0:y1, x0:x1].mean() / 255 <= _MOST:
            return mask
    mask = np.zeros((height, width), np.uint8)
    mask[y0 + int(rng.uniform(0.5, 0.8) * (y1 - y0)) :] = 255
    return mask


def _table(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Covers the legs: desks, counters, low walls, sofas; or tables that stand on thin legs."""
    width = mask.shape[1]
    edge = box[1] + rng.uniform(0.4, 0.93) * (box[3] - box[1])
    tilt = rng.normal(0, 0.05) * width
    left, right = _reach(rng, box, width)
    bottom = 2 * mask.shape[0] if rng.random() < 0.6 else edge + rng.uniform(0.05, 0.25) * (box[3] - box[1])
    polygon(mask, [(left, edge - tilt), (right, edge + tilt), (right, bottom), (left, bottom)], _HIDDEN)
    if bottom < mask.shape[0]:
        for x in rng.uniform(left, right, int(rng.integers(1, 4))):
            thick = 0.02 * width * rng.uniform(0.5, 2)
            polygon(mask, [(x, edge), (x + thick, edge), (x + thick, 2 * bottom), (x, 2 * bottom)], _HIDDEN)


def _reach(rng: Generator, box: _Box, width: int) -> tuple[float, float]:
    """From where to where a wide thing goes: over all of the image, or ending before or behind the person."""
    left = -1.0 if rng.random() < 0.5 else box[0] + rng.uniform(-0.5, 0.5) * (box[2] - box[0])
    right = width + 1.0 if rng.random() < 0.5 else box[0] + rng.uniform(0.6, 1.5) * (box[2] - box[0])
    return left, right


def _wall(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Covers a side from top to bottom: corners, doors, pillars, trees."""
    height, width = mask.shape
    hidden = rng.uniform(0.05, 0.6) * (box[2] - box[0])
    centre = rng.uniform(box[0], box[2])
    spans = [(-1.0, box[0] + hidden), (box[2] - hidden, width + 1.0), (centre - hidden / 2, centre + hidden / 2)]
    start, end = spans[rng.integers(3)]
    lean = rng.normal(0, 0.04) * height
    polygon(mask, [(start - lean, -1), (end - lean, -1), (end + lean, height), (start + lean, height)], _HIDDEN)


def _ceiling(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Covers the head: cupboards, lamps, signs."""
    edge = box[1] + rng.uniform(0.06, 0.3) * (box[3] - box[1])
    left, right = _reach(rng, box, mask.shape[1])
    polygon(mask, [(left, -1), (right, -1), (right, edge + rng.normal(0, 4)), (left, edge)], _HIDDEN)


def _bars(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Poles, railings, fences, branches."""
    size = box[2:] - box[:2]
    count = int(rng.integers(1, 7))
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    along = np.array([np.cos(angle), np.sin(angle)])
    first = box[:2] + rng.uniform(0, 1, 2) * size
    step = rng.uniform(0.1, 0.5) * size.min() * along[::-1] * (-1, 1)
    thick = max(1, int(rng.uniform(0.02, 0.25) * size.min() / count**0.7))
    for k in range(-count // 2 + 1, count // 2 + 1):
        middle = first + k * step
        line(mask, (middle - _ACROSS * along, middle + _ACROSS * along), _HIDDEN, thick)


def _box_shape(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Crates, chairs, bags, screens, trolleys: a turned rectangle before the person."""
    size = box[2:] - box[:2]
    centre = box[:2] + rng.uniform(0, 1, 2) * size
    shape = rng.uniform(0.15, 0.8, 2) * size
    polygon(mask, cv2.boxPoints((centre.tolist(), shape.tolist(), rng.normal(0, 12))), _HIDDEN)


def _panel(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Things held in front of the chest: boards, parcels, tablets."""
    size = box[2:] - box[:2]
    centre = box[:2] + (rng.normal(0.5, 0.15), rng.uniform(0.25, 0.55)) * size
    corners = centre + np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * rng.uniform(0.1, 0.35, 2) * size.mean()
    polygon(mask, corners + rng.normal(0, 0.03, (4, 2)) * size.mean(), _HIDDEN)


def _blob(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Balls, pots, hands before the lens."""
    size = box[2:] - box[:2]
    for _ in range(rng.integers(1, 4)):
        centre = box[:2] + rng.uniform(0, 1, 2) * size
        axes = rng.uniform(0.15, 0.7, 2) * size
        _ellipse(mask, centre, axes, rng.uniform(0, 180))


def _ellipse(mask: _Mask, centre: Floats, axes: Floats, angle: float) -> None:
    """Fill an ellipse around ``centre`` (2,) px, ``axes`` (2,) px wide and high, rotated by ``angle`` degrees."""
    cv2.ellipse(mask, (centre.tolist(), axes.tolist(), angle), _HIDDEN, -1, cv2.LINE_AA)


def _plant(rng: Generator, mask: _Mask, box: _Box) -> None:
    """Leaves around a stem that rises from below."""
    size = box[2:] - box[:2]
    foot = np.array([box[0] + rng.uniform(-0.1, 1.1) * size[0], box[3] + rng.uniform(-0.1, 0.2) * size[1]])
    tall, wide = rng.uniform(0.25, 0.9) * size[1], rng.uniform(0.2, 0.7) * size[0]
    for _ in range(rng.integers(15, 60)):
        up = rng.beta(2, 1.5)
        centre = foot + (rng.normal(0, wide / 2) * up, -up * tall)
        leaf = rng.uniform(0.04, 0.22, 2) * (0.5, 1) * size.mean()
        _ellipse(mask, centre, leaf, rng.uniform(0, 180))
    line(mask, (foot, foot - (0, tall / 2)), _HIDDEN, 3)


_SHAPES: list[Callable[[Generator, _Mask, _Box], None]] = [
    _table,
    _wall,
    _ceiling,
    _bars,
    _box_shape,
    _panel,
    _blob,
    _plant,
]
_FRACTIONS = (0.25, 0.15, 0.05, 0.13, 0.15, 0.1, 0.07, 0.1)
