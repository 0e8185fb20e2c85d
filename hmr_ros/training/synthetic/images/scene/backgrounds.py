# SPDX-License-Identifier: Apache-2.0
"""Backgrounds of synthetic people: crops of the images of a directory, or procedural scenery."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from hmr_ros.training.synthetic.images.rendering.textures import Rgb
from hmr_ros.training.synthetic.images.scene.scenery import scenery

_SUFFIXES = (".jpg", ".jpeg", ".png")
_CACHE_BYTES = 512 * 2**20
_LONG_SIDE = 640
"""Largest side of a kept image, px; smaller where the images would not fit the cache otherwise."""
_SMALLEST_CROP = 0.4
"""Of the largest crop that fits the image."""


class Backgrounds:
    """Draws backgrounds; the same generator state gives the same image.

    ``directory``: images (jpg, png; subdirectories too) of places without people, decoded once; workers that are forked
    afterwards share them. ``fraction_of_images``: the others are scenery, also wherever ``directory`` is None or "".
    Raises ValueError for a directory without readable images; warns once, naming those that cannot be read.
    """

    def __init__(self, directory: str | None, fraction_of_images: float = 0.7) -> None:
        if not 0 <= fraction_of_images <= 1:
            raise ValueError(f"share_of_images: expected 0 to 1, got {fraction_of_images}")
        self._images = _load(Path(directory)) if directory else []
        self._fraction = fraction_of_images if self._images else 0.0

    def sample(self, rng: Generator, height: int, width: int) -> Rgb:
        """A background, ``(height, width, 3)`` uint8 RGB."""
        if rng.random() >= self._fraction:
            return scenery(rng, height, width)
        return _varied(rng, _crop(rng, self._images[rng.integers(len(self._images))], height, width))


def _load(directory: Path) -> list[Rgb]:
    """All images below ``directory`` in the order of their names."""
    files = sorted(f for f in directory.rglob("*") if f.suffix.lower() in _SUFFIXES)
    side = min(_LONG_SIDE, int(math.sqrt(_CACHE_BYTES / (3 * max(len(files), 1)))))
    decoded = [(file, _decode(file, side)) for file in files]
    if unreadable := [str(file) for file, image in decoded if image is None]:
        warnings.warn(f"{directory}: left out images that cannot be read: {', '.join(unreadable)}", stacklevel=3)
    images = [image for _, image in decoded if image is not None]
    if not images:
        raise ValueError(f"{directory}: expected a directory with {', '.join(_SUFFIXES)} images, found none to read")
    return images


def _decode(file: Path, side: int) -> Rgb | None:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        return None
    shrink = min(1.0, side / max(image.shape[:2]))
    smaller = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(smaller, cv2.COLOR_BGR2RGB), np.uint8)


def _crop(rng: Generator, image: Rgb, height: int, width: int) -> Rgb:
    """A random window of the wanted aspect, resized; half of them mirrored."""
    tall, wide = image.shape[:2]
    scale = min(tall / height, wide / width) * rng.uniform(_SMALLEST_CROP, 1)
    window = max(1, int(height * scale)), max(1, int(width * scale))
    top, left = (int(rng.integers(0, whole - part + 1)) for whole, part in zip((tall, wide), window, strict=True))
    view = image[top : top + window[0], left : left + window[1]]
    if rng.random() < 0.5:
        view = view[:, ::-1]
    interpolation = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(view, (width, height), interpolation=interpolation), np.uint8)


def _varied(rng: Generator, image: Rgb) -> Rgb:
    """Other brightness, contrast and tint: the image's people-to-be stand in another light than its maker saw."""
    gain = rng.uniform(0.6, 1.2) * rng.uniform(0.9, 1.1, 3)
    levels = np.arange(256)[:, None] * gain + rng.uniform(-15, 15)
    return np.asarray(cv2.LUT(image, levels.clip(0, 255).astype(np.uint8).reshape(1, 256, 3)), np.uint8)
