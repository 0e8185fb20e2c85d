# SPDX-License-Identifier: Apache-2.0
"""What a camera does to light: blur, exposure, colour balance, vignette, noise, JPEG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Float32s, Float64s
from hmr_ros.core.settings import setting
from hmr_ros.training.synthetic.images.rendering.drawing import line, lit
from hmr_ros.training.synthetic.images.rendering.textures import Rgb


@dataclass(frozen=True)
class SensorMix:
    """How cameras differ. Strengths are the largest; each image draws its own from 0 or -strength up to them."""

    exposure: float = setting(0.8, doc="stops too bright or too dark", low=0, high=4)
    low_light: float = setting(
        0.1, doc="fraction of images taken in the dark: 1 to 3 stops less, more noise", low=0, high=1
    )
    contrast: float = setting(0.35, doc="gamma beyond sRGB's, as its logarithm", low=0, high=2)
    white_balance: float = setting(0.12, doc="gain of red and blue, as its logarithm", low=0, high=1)
    vignette: float = setting(0.5, doc="fraction of light lost in the corners", low=0, high=1)
    grey: float = setting(0.06, doc="fraction of images without colour", low=0, high=1)
    blurred: float = setting(0.35, doc="fraction of images out of focus", low=0, high=1)
    defocus: float = setting(0.012, doc="deviation of that blur, as a fraction of the image height", low=0, high=0.1)
    moving: float = setting(0.2, doc="fraction of images with motion blur", low=0, high=1)
    motion: float = setting(0.04, doc="length of that blur, as a fraction of the image height", low=0, high=0.2)
    noise: float = setting(
        0.04, doc="deviation of the noise of a mid-grey, as a fraction of full scale", low=0, high=0.5
    )
    compressed: float = setting(0.6, doc="fraction of images that went through JPEG", low=0, high=1)
    quality: int = setting(35, doc="lowest JPEG quality", low=5, high=100)


def expose(image: Rgb, mix: SensorMix, rng: Generator) -> Rgb:
    """``image`` (H, W, 3) uint8 RGB as a camera drawn from ``mix`` would deliver it.

    Effects come in the order of a camera: optics, light on the sensor, noise, colour processing, compression.
    """
    dark = rng.random() < mix.low_light
    seen = _through_lens(image, mix, rng)
    seen = _with_noise(seen, mix.noise * rng.beta(1, 3) * (4 if dark else 1), rng)
    seen = _developed(seen, mix, rng, stops=-rng.uniform(1, 3) if dark else 0.0)
    if rng.random() < mix.grey:
        seen = np.asarray(cv2.merge([cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)] * 3), np.uint8)
    if rng.random() < mix.compressed:
        return _through_jpeg(seen, int(rng.integers(mix.quality, max(mix.quality, 95) + 1)))
    return seen


def _through_lens(image: Rgb, mix: SensorMix, rng: Generator) -> Rgb:
    """Defocus, motion blur, vignette."""
    height = len(image)
    if rng.random() < mix.blurred and mix.defocus > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.2, rng.uniform(0, mix.defocus) * height)), np.uint8)
    if rng.random() < mix.moving and mix.motion > 0:
        image = np.asarray(cv2.filter2D(image, -1, _streak(rng.uniform(0, mix.motion) * height, rng)), np.uint8)
    loss = mix.vignette * rng.random() ** 2
    return image if loss < 0.02 else lit(image, _falloff(loss))


def _streak(length: float, rng: Generator) -> Float32s:
    """The kernel of a straight motion of ``length`` px."""
    half = math.ceil(length / 2)
    angle = rng.uniform(0, math.pi)
    reach = np.array([math.cos(angle), math.sin(angle)]) * length / 2
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    line(kernel, (half - reach, half + reach), (255,), 1)
    rows, columns = np.any(kernel, 1), np.any(kernel, 0)
    rows, columns = rows | rows[::-1], columns | columns[::-1]  # still centred; small kernels are far faster
    out: Float32s = kernel[np.ix_(rows, columns)].astype(np.float32) / kernel.sum()
    return out


def _falloff(loss: float) -> Float64s:
    """(16, 16) gain over an image: 1 in the middle, ``loss`` less in the corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16))
    return np.asarray(1 - loss * (x**2 + y**2) / 2)


_NORMAL = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)], np.float32)
"""Turns random bytes into normal deviates, ten times as fast as drawing these."""


def _with_noise(image: Rgb, deviation: float, rng: Generator) -> Rgb:
    """Shot and read noise; ``deviation`` is that of a mid-grey. Half of the cameras smear it over two pixels."""
    if deviation * 255 < 0.3:
        return image
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    read = rng.uniform(0.1, 0.7)
    joint_error = 255 * deviation * np.sqrt(read + (1 - read) * 2 * levels)  # photons: variance grows with the light
    noise = cv2.LUT(_random_bytes(image.shape[0], image.shape[1], rng), _NORMAL)
    if rng.random() < 0.5:
        noise = 1.5 * cv2.blur(noise, (2, 2))
    noisy = cv2.add(image, cv2.multiply(noise, cv2.LUT(image, joint_error)), dtype=cv2.CV_8U)
    return np.asarray(noisy, np.uint8)


def _random_bytes(height: int, width: int, rng: Generator) -> Rgb:
    """(height, width, 3); the channels read one stream at places far apart, as random numbers cost most of the time."""
    count, apart = height * width, 7919
    stream = np.frombuffer(rng.bytes(count + 2 * apart), np.uint8)
    channels = [stream[c * apart : c * apart + count].reshape(height, width) for c in range(3)]
    return np.asarray(cv2.merge(channels), np.uint8)


def _developed(image: Rgb, mix: SensorMix, rng: Generator, stops: float) -> Rgb:
    """Exposure, white balance and tone curve: one look-up table per channel."""
    stops += rng.uniform(-mix.exposure, mix.exposure)
    balance = np.exp(rng.uniform(-mix.white_balance, mix.white_balance, 3) * (1, 0, 1))
    gamma = math.exp(rng.uniform(-mix.contrast, mix.contrast))
    light = np.linspace(0, 1, 256)[:, None] ** 2.2 * 2.0**stops * balance
    curve = 0.5 * (light ** (1 / 2.2) / 0.5) ** gamma  # turns about mid-grey
    return np.asarray(cv2.LUT(image, (255 * curve).clip(0, 255).astype(np.uint8).reshape(1, 256, 3)), np.uint8)


def _through_jpeg(image: Rgb, quality: int) -> Rgb:
    """``image`` (H, W, 3) compressed and read again."""
    _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)  # red and blue swapped both ways: no harm
