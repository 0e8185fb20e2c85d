"""From faces at pixels to colours: interpolate what the body knows of itself, paint it, light it, average the samples.

Light adds up linearly, so all arithmetic is in linear RGB; the square root at the end stands for the display's gamma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.training.synthetic.images.garments import colour_at, stuff_at

Floats = NDArray[np.float32]

SAMPLES = 2
"""Samples per pixel along each axis."""


class Lights(NamedTuple):
    """Ambient light from ``above`` and ``below`` (3,) linear RGB; lamps ``towards`` (L, 3), unit vectors in the optical
    frame, of ``colour`` (L, 3); ``up`` (3,) the world's up in the optical frame.
    """

    up: Floats
    above: Floats
    below: Floats
    towards: Floats
    colour: Floats


class Meshes(NamedTuple):
    """M bodies of one picture, every one with V vertices and F faces.

    ``points`` (M, V, 3) column px, row px of the sampled canvas, depth m; ``normals`` (M, V, 3) optical frame;
    ``cuts`` (M,) and ``materials`` (M, K) of ``garments.py``.
    """

    points: Floats
    normals: Floats
    cuts: NDArray[np.void]
    materials: NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Template:
    """What all bodies share: ``rest`` (V, 3) m T-pose, ``faces`` (F, 3), ``joints`` (V,) on which vertices hang, and
    ``face_joint`` (F,).
    """

    rest: Floats
    faces: NDArray[np.int32]
    joints: NDArray[np.int32]
    face_joint: NDArray[np.int32]


def sample_lights(up: NDArray[np.floating], rng: Generator) -> Lights:
    """Daylight, lamps, gloom or glare: one to three lamps from above or from the side, and ambient light."""
    lamps = int(rng.integers(1, 4))
    towards = rng.normal(size=(lamps, 3)) + 1.2 * up + np.array([0, 0, -0.6])
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    warmth = rng.uniform(-0.15, 0.15, (lamps, 1)) * np.array([1.0, 0.1, -1.0])
    strength = rng.uniform(0.15, 1.0, (lamps, 1)) * np.array([1.0, 0.6, 0.4])[:lamps, None]
    ambient = rng.uniform(0.12, 0.55)
    tint = 1 + rng.uniform(-0.12, 0.12, 3)
    ground = ambient * rng.uniform(0.3, 0.9) * (1 + rng.uniform(-0.15, 0.15, 3))
    arrays = (up, ambient * tint, ground, towards, strength * (1 + warmth))
    return Lights(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def shade(
    face: NDArray[np.int32], meshes: Meshes, template: Template, lights: Lights, picture: NDArray[np.uint8]
) -> None:
    """Paint the bodies into ``picture`` (H, W, 3) uint8, the background, in place.

    ``face`` (H SAMPLES, W SAMPLES) is a canvas's, the faces of the bodies counted on.
    """
    _shade(face, *meshes, template.rest, template.faces, template.face_joint, *lights, SAMPLES, picture)


@njit(cache=True, nogil=True, fastmath=True)
def _shade(
    face, points, normals, cuts, materials, rest, faces, face_joint, up, above, below, towards, lamp, samples, picture
):
    share = np.float32(1) / (samples * samples)
    total = np.zeros(3, np.float32)
    one = np.zeros(3, np.float32)
    where, normal = np.zeros(3, np.float32), np.zeros(3, np.float32)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            covered = 0
            total[:] = 0
            for i in range(samples):
                for k in range(samples):
                    r, c = row * samples + i, column * samples + k
                    if face[r, c] < 0:
                        continue
                    covered += 1
                    mesh, f = face[r, c] // len(faces), face[r, c] % len(faces)
                    _interpolate(points[mesh], normals[mesh], rest, faces[f], r, c, where, normal)
                    stuff = stuff_at(cuts[mesh], face_joint[f], where[0], where[1], where[2])
                    material = materials[mesh, stuff]
                    one[0], one[1], one[2] = colour_at(material, where[0], where[1], where[2])
                    _light(one, normal, material.gloss, up, above, below, towards, lamp)
                    for channel in range(3):
                        total[channel] += min(np.float32(1), np.sqrt(one[channel]))
            if covered > 0:
                behind = 1 - covered * share
                for channel in range(3):
                    value = behind * picture[row, column, channel] + 255 * share * total[channel]
                    picture[row, column, channel] = np.uint8(value + np.float32(0.5))


@njit(cache=True, nogil=True, fastmath=True)
def _interpolate(points, normals, rest, corners, row, column, where, normal):
    """Rest coordinates and unit normal at a pixel, corrected for perspective, into ``where`` and ``normal``."""
    a, b, c = corners[0], corners[1], corners[2]
    ax, ay = points[a, 0] - column, points[a, 1] - row
    bx, by = points[b, 0] - column, points[b, 1] - row
    cx, cy = points[c, 0] - column, points[c, 1] - row
    wa = (bx * cy - by * cx) / points[a, 2]
    wb = (cx * ay - cy * ax) / points[b, 2]
    wc = (ax * by - ay * bx) / points[c, 2]
    inverse = 1 / (wa + wb + wc)
    wa, wb, wc = wa * inverse, wb * inverse, wc * inverse
    length = np.float32(1e-12)
    for axis in range(3):
        where[axis] = wa * rest[a, axis] + wb * rest[b, axis] + wc * rest[c, axis]
        normal[axis] = wa * normals[a, axis] + wb * normals[b, axis] + wc * normals[c, axis]
        length += normal[axis] * normal[axis]
    length = 1 / np.sqrt(length)
    for axis in range(3):
        normal[axis] *= length


@njit(cache=True, nogil=True, fastmath=True)
def _light(colour, normal, gloss, up, above, below, towards, lamp):
    """Light reflected to the camera by a surface of this ``colour``, in place. Highlights as Blinn and Phong's."""
    sky = np.float32(0.5) + np.float32(0.5) * (normal[0] * up[0] + normal[1] * up[1] + normal[2] * up[2])
    red = green = blue = shine_red = shine_green = shine_blue = np.float32(0)
    for light in range(len(towards)):
        x, y, z = towards[light, 0], towards[light, 1], towards[light, 2]
        slope = normal[0] * x + normal[1] * y + normal[2] * z
        if slope <= 0:
            continue
        red += slope * lamp[light, 0]
        green += slope * lamp[light, 1]
        blue += slope * lamp[light, 2]
        half = (normal[0] * x + normal[1] * y + normal[2] * (z - 1)) / np.sqrt(
            x * x + y * y + (z - 1) * (z - 1) + np.float32(1e-6)
        )
        if gloss > 0 and half > 0:
            shine = half * half
            shine *= shine
            shine *= shine
            shine *= shine * gloss
            shine_red += shine * lamp[light, 0]
            shine_green += shine * lamp[light, 1]
            shine_blue += shine * lamp[light, 2]
    colour[0] = colour[0] * (sky * above[0] + (1 - sky) * below[0] + red) + shine_red
    colour[1] = colour[1] * (sky * above[1] + (1 - sky) * below[1] + green) + shine_green
    colour[2] = colour[2] * (sky * above[2] + (1 - sky) * below[2] + blue) + shine_blue
