# SPDX-License-Identifier: Apache-2.0
"""Degraded copies of photos: grey, grainy, dark, as infrared cameras show people, and blurred.

They are always the same copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image

_NOISE = 25.0
"""Standard deviation of the grain, of 255."""
_DARKNESS = 8.0
"""Divisor of the light; the sensor's noise stays."""
_DARK_NOISE = 2.0
_BLUR = 1 / 160
"""Standard deviation of the blur, as a fraction of the image's longer side."""


def _grey(image: Image) -> Image:
    """The same brightness in all channels."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def _grainy(image: Image) -> Image:
    return _rounded(_grey(image) + _grain(image, _NOISE))


def _dark(image: Image) -> Image:
    return _rounded(image / _DARKNESS + _grain(image, _DARK_NOISE))


def _infrared(image: Image) -> Image:
    """Grey, of low contrast, brighter in the middle, where the lamp points, and with grain."""
    y, x = (np.linspace(-1, 1, size) for size in image.shape[:2])
    lamp = np.exp(-(y[:, None] ** 2 + x**2))[..., None]
    return _rounded((60 + 0.5 * _grey(image)) * lamp + _grain(image, _NOISE / 3))


def _blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _BLUR * max(image.shape)), np.uint8)


def _grain(image: Image, deviation: float) -> Floats:
    """(H, W, 1) noise, the same for every image of one size."""
    return np.random.default_rng(0).normal(0, deviation, (*image.shape[:2], 1))


def _rounded(values: Floats) -> Image:
    return np.asarray(values.round().clip(0, 255), np.uint8)


DEGRADATIONS: Mapping[str, Callable[[Image], Image]] = {
    "grey": _grey,
    "grainy": _grainy,
    "dark": _dark,
    "infrared": _infrared,
    "blurred": _blurred,
}
"""Name -> a copy of an image (H, W, 3) uint8 RGB."""
