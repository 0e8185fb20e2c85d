# SPDX-License-Identifier: Apache-2.0
"""What light falls on a scene: lamps, surroundings, and the shadows of bodies on themselves and on the floor."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Float64s, Image, Int32s
from hmr_ros.training.synthetic.bounds import bounds
from hmr_ros.training.synthetic.images.rendering.framing import project
from hmr_ros.training.synthetic.images.rendering.raster import NOTHING, Canvas

_MAP_SIZE = 128
_FAR_M = 50.0
"""Distance of the lamp that throws shadows: so far that its rays are parallel."""
_BIAS_M = np.float32(0.03)
"""Surfaces this little behind others are lit: the map is coarse."""
_GRAZING = 0.3
"""Lamps lower than this sine of elevation throw no shadow on the floor."""


class Lights(NamedTuple):
    """Ambient light from ``above`` and ``below`` (3,) linear RGB; lamps ``towards`` (L, 3), unit vectors in the optical
    frame, of ``colour`` (L, 3); ``halfway`` (L, 3) between them and the camera; ``up`` (3,) the world's up in the
    optical frame. The first lamp throws shadows.
    """

    up: Float32s
    above: Float32s
    below: Float32s
    towards: Float32s
    halfway: Float32s
    colour: Float32s


class ShadowMap(NamedTuple):
    """Scene as the first lamp sees it: (column, row, distance) of the map = z ``linear`` @ (column, row, 1) + ``shift``
    for a place at depth z m that a canvas shows at its (column, row); ``inverse_depth`` (S, S) 1/m of what it lights.
    """

    linear: Float32s
    shift: Float32s
    inverse_depth: Float32s


def sample_lights(surroundings: NDArray[np.uint8], up: Float64s, rng: Generator) -> Lights:
    """Daylight, lamps, gloom or glare: one to three lamps, mostly from above; ambient light takes after the image
    ``surroundings`` (H, W, 3) uint8.
    """
    lamps = int(rng.integers(1, 4))
    towards = rng.normal(size=(lamps, 3)) + rng.uniform(0.3, 2) * up + np.array([0, 0, -0.6])
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    halfway = towards + np.array([0, 0, -1.0])
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True) + 1e-6
    warmth = rng.uniform(-0.15, 0.15, (lamps, 1)) * np.array([1.0, 0.1, -1.0])
    strength = rng.uniform(0.15, 1.1, (lamps, 1)) * np.array([1.0, 0.5, 0.3])[:lamps, None]
    small = cv2.resize(surroundings, (1, 2), interpolation=cv2.INTER_AREA)[:, 0] / 255.0
    ambient = rng.uniform(0.15, 0.6) * (0.35 + 0.65 * (small**2 / 0.3) ** rng.uniform(0, 1)).clip(0.3, 1.8)
    below = ambient[1] * rng.uniform(0.4, 0.9)
    arrays = (up, ambient[0], below, towards, halfway, strength * (1 + warmth))
    return Lights(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def cast_shadows(vertices: Float32s, faces: Int32s, lights: Lights, camera: Float64s) -> ShadowMap:
    """What the first lamp sees of figures (M, V, 3) m, around the first of them; ``camera`` (3, 3): the canvas's K."""
    towards = lights.towards[0].astype(np.float64)
    across = np.cross(towards, (0.0, 0.0, 1.0) if abs(towards[2]) < 0.9 else (0.0, 1.0, 0.0))
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(-towards, across), -towards])
    subject = vertices[0] @ axes.T.astype(np.float32)
    low, high = (bound.astype(np.float64) for bound in bounds(subject))
    scale = _MAP_SIZE / (1.2 * (high - low)[:2].max())
    scales = np.array([scale, scale, 1.0])
    shift = np.array([_MAP_SIZE / 2, _MAP_SIZE / 2, _FAR_M]) - scales * (low + high) / 2
    linear = scales[:, None] * axes
    canvas = Canvas.blank(_MAP_SIZE, _MAP_SIZE)
    for index, figure in enumerate(vertices):
        points = figure @ linear.T.astype(np.float32) + shift.astype(np.float32)
        canvas.draw(points, faces, index * len(faces))
    linear = linear @ np.linalg.inv(camera)
    return ShadowMap(linear.astype(np.float32), shift.astype(np.float32), canvas.inverse_depth)


@njit(cache=True, nogil=True, fastmath=True)
def lit_fraction(shadows: ShadowMap, column: np.float32, row: np.float32, depth: np.float32) -> np.float32:
    """Fraction of the first lamp's light that reaches the pixel (``column``, ``row``) of a canvas, ``depth`` m away."""
    linear, shift = shadows.linear, shadows.shift
    u = depth * (linear[0, 0] * column + linear[0, 1] * row + linear[0, 2]) + shift[0]
    v = depth * (linear[1, 0] * column + linear[1, 1] * row + linear[1, 2]) + shift[1]
    distance = depth * (linear[2, 0] * column + linear[2, 1] * row + linear[2, 2]) + shift[2] - _BIAS_M
    size = shadows.inverse_depth.shape[0] - 1
    if not (u >= 0 and v >= 0 and u < size and v < size):
        return np.float32(1)
    i, k = int(v), int(u)
    b, a = np.float32(v - i), np.float32(u - k)
    threshold = np.float32(1) / distance
    top = (1 - a) * (shadows.inverse_depth[i, k] < threshold) + a * (shadows.inverse_depth[i, k + 1] < threshold)
    low = (1 - a) * (shadows.inverse_depth[i + 1, k] < threshold) + a * (
        shadows.inverse_depth[i + 1, k + 1] < threshold
    )
    return np.float32((1 - b) * top + b * low)


def shade_floor(
    image: Image,
    vertices: Float32s,
    faces: Int32s,
    camera: Float64s,
    lights: Lights,
    floor: float,
    rng: Generator,
) -> None:
    """Darken ``image`` (H, W, 3), in place, where figures (M, V, 3) m keep the first lamp from the floor.

    ``camera`` (3, 3) is the image's K; ``floor`` m is how far up the floor lies from the camera, negative below it.
    """
    slope = float(lights.up @ lights.towards[0])
    if slope < _GRAZING:
        return
    height, width = image.shape[:2]
    canvas = Canvas.blank(height, width)
    raised = vertices @ lights.up - np.float32(floor)
    points = project(vertices - raised[..., None] * (lights.towards[0] / np.float32(slope)), camera)
    for index, figure in enumerate(points):
        canvas.draw(figure, faces, index * len(faces))
    mask = (canvas.face != NOTHING).astype(np.float32) * np.float32(rng.uniform(0.2, 0.75))
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.4, rng.uniform(0.003, 0.02) * height))
    np.multiply(image, 1 - soft[..., None], out=image, casting="unsafe")
