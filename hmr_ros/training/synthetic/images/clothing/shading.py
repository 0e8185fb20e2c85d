# SPDX-License-Identifier: Apache-2.0
"""From faces at pixels to colours: interpolate what the body knows of itself, paint it, light it, average the samples.

Light adds up linearly, so all arithmetic is in linear RGB; the square root at the end stands for the display's gamma.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Image, Int32s
from hmr_ros.training.synthetic.images.clothing.garments import colour_at, stuff_at
from hmr_ros.training.synthetic.images.rendering.lights import Lights, ShadowMap, lit_fraction

SAMPLES = 2
"""Samples per pixel along each axis."""


_Vector = tuple[float, float, float]


class Meshes(NamedTuple):
    """M bodies of one image, every one with V vertices and F faces.

    ``points`` (M, V, 3) column px, row px of the sampled canvas, depth m; ``normals`` (M, V, 3) optical frame;
    ``rest`` (M, V, 3) m T-pose; ``cuts`` (M,) and ``materials`` (M, K) of ``garments.py``.
    """

    points: Float32s
    normals: Float32s
    rest: Float32s
    cuts: NDArray[np.void]
    materials: NDArray[np.void]


class Template(NamedTuple):
    """What all bodies share: ``rest`` (V, 3) m T-pose, ``faces`` (F, 3), ``joints`` (V,) on which vertices hang,
    ``face_joint`` (F,), and the vertices ``lower_body`` (L,). Cloth that hangs loose comes after the body proper.
    """

    rest: Float32s
    faces: Int32s
    joints: Int32s
    face_joint: Int32s
    lower_body: Int32s


def shade(
    face: Int32s,
    meshes: Meshes,
    template: Template,
    lights: Lights,
    shadows: ShadowMap,
    image: Image,
) -> None:
    """Paint the bodies into ``image`` (H, W, 3) uint8, the background, in place.

    ``face`` (H SAMPLES, W SAMPLES) is a canvas's, the faces of the bodies counted on.
    """
    _shade(face, meshes, template, lights, shadows, SAMPLES, image)


@njit(cache=True, nogil=True, fastmath=True)
def _shade(
    face: Int32s,
    meshes: Meshes,
    template: Template,
    lights: Lights,
    shadows: ShadowMap,
    samples: int,
    image: Image,
) -> None:
    """The compiled part of ``shade``: averages ``samples`` x ``samples`` of each pixel in linear light."""
    faces = len(template.faces)
    total = np.zeros(3, np.float32)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            covered, inside = _coverage(face, row * samples, column * samples, samples, faces)
            if covered == 0:
                continue
            taken = 0
            total[:] = 0
            for i in range(samples):
                for k in range(samples):
                    r, c = row * samples + i, column * samples + k
                    if face[r, c] < 0 or (inside and taken):
                        continue
                    taken += 1
                    mesh = np.uint32(face[r, c]) // np.uint32(faces)
                    f = face[r, c] - mesh * faces
                    place, normal, depth = _interpolate(meshes, mesh, template.faces, f, r, c)
                    stuff = stuff_at(meshes.cuts[mesh], template.face_joint[f], place[0], place[1], place[2])
                    material = meshes.materials[mesh, stuff]
                    colour = colour_at(material, place[0], place[1], place[2])
                    first = lit_fraction(shadows, np.float32(c), np.float32(r), depth)
                    lit = _lit(colour, normal, material.gloss, lights, first)
                    for channel in range(3):
                        total[channel] += min(np.float32(1), lit[channel])
            fraction = np.float32(covered) / np.float32(samples * samples)
            for channel in range(3):
                there = image[row, column, channel] / np.float32(255)
                value = np.sqrt((1 - fraction) * there * there + fraction / np.float32(taken) * total[channel])
                image[row, column, channel] = np.uint8(np.float32(255) * value + np.float32(0.5))


@njit(cache=True, nogil=True, fastmath=True)
def _coverage(face: Int32s, row: int, column: int, samples: int, faces: int) -> tuple[int, bool]:
    """How many samples of a pixel show a body, and whether all show the same one: then a single one will do.

    ``face`` (H SAMPLES, W SAMPLES) of a canvas, ``faces`` per body; (``row``, ``column``) is the first sample.
    """
    covered, lowest, highest = 0, face[row, column], face[row, column]
    for i in range(samples):
        for k in range(samples):
            f = face[row + i, column + k]
            covered += f >= 0
            lowest, highest = min(lowest, f), max(highest, f)
    return covered, lowest >= 0 and np.uint32(lowest) // np.uint32(faces) == np.uint32(highest) // np.uint32(faces)


@njit(cache=True, nogil=True, fastmath=True)
def _interpolate(
    meshes: Meshes, mesh: np.uint32, faces: Int32s, face: int, row: int, column: int
) -> tuple[_Vector, _Vector, np.float32]:
    """Rest coordinates, unit normal and depth at a pixel, corrected for perspective.

    ``face`` is the row in ``faces`` (F, 3) of the face seen at (``row``, ``column``) of the canvas, of body ``mesh``.
    """
    points, normals, rest = meshes.points, meshes.normals, meshes.rest
    a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
    x, y = np.float32(column), np.float32(row)
    ax, ay, az = points[mesh, a, 0] - x, points[mesh, a, 1] - y, points[mesh, a, 2]
    bx, by, bz = points[mesh, b, 0] - x, points[mesh, b, 1] - y, points[mesh, b, 2]
    cx, cy, cz = points[mesh, c, 0] - x, points[mesh, c, 1] - y, points[mesh, c, 2]
    wa = (bx * cy - by * cx) / az
    wb = (cx * ay - cy * ax) / bz
    wc = (ax * by - ay * bx) / cz
    inverse = np.float32(1) / (wa + wb + wc)
    wa, wb, wc = wa * inverse, wb * inverse, wc * inverse
    nx = wa * normals[mesh, a, 0] + wb * normals[mesh, b, 0] + wc * normals[mesh, c, 0]
    ny = wa * normals[mesh, a, 1] + wb * normals[mesh, b, 1] + wc * normals[mesh, c, 1]
    nz = wa * normals[mesh, a, 2] + wb * normals[mesh, b, 2] + wc * normals[mesh, c, 2]
    shrink = np.float32(1) / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-12))
    place = (
        wa * rest[mesh, a, 0] + wb * rest[mesh, b, 0] + wc * rest[mesh, c, 0],
        wa * rest[mesh, a, 1] + wb * rest[mesh, b, 1] + wc * rest[mesh, c, 1],
        wa * rest[mesh, a, 2] + wb * rest[mesh, b, 2] + wc * rest[mesh, c, 2],
    )
    depth = wa * az + wb * bz + wc * cz
    return place, (nx * shrink, ny * shrink, nz * shrink), depth


@njit(cache=True, nogil=True, fastmath=True)
def _lit(colour: _Vector, normal: _Vector, gloss: np.float32, lights: Lights, first: np.float32) -> _Vector:
    """Red, green, blue that a surface of this ``colour`` sends to the camera, which the ``first`` lamp reaches so far.

    Highlights are Blinn and Phong's.
    """
    up, above, below = lights.up, lights.above, lights.below
    towards, halfway, lamp = lights.towards, lights.halfway, lights.colour
    sky = np.float32(0.5) + np.float32(0.5) * (normal[0] * up[0] + normal[1] * up[1] + normal[2] * up[2])
    ground = np.float32(1) - sky
    red = sky * above[0] + ground * below[0]
    green = sky * above[1] + ground * below[1]
    blue = sky * above[2] + ground * below[2]
    shine_red = shine_green = shine_blue = np.float32(0)
    for i in range(len(towards)):
        reach = first if i == 0 else np.float32(1)
        slope = reach * (normal[0] * towards[i, 0] + normal[1] * towards[i, 1] + normal[2] * towards[i, 2])
        if slope <= 0:
            continue
        red += slope * lamp[i, 0]
        green += slope * lamp[i, 1]
        blue += slope * lamp[i, 2]
        shine = normal[0] * halfway[i, 0] + normal[1] * halfway[i, 1] + normal[2] * halfway[i, 2]
        if gloss > 0 and shine > 0:
            shine *= shine
            shine *= shine
            shine *= shine
            shine *= shine * gloss * reach
            shine_red += shine * lamp[i, 0]
            shine_green += shine * lamp[i, 1]
            shine_blue += shine * lamp[i, 2]
    return colour[0] * red + shine_red, colour[1] * green + shine_green, colour[2] * blue + shine_blue
