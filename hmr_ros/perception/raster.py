# SPDX-License-Identifier: Apache-2.0
"""A z-buffer for triangle meshes in plain numpy: the front face of every pixel, and the barycentric weights in it.

A body has 13 776 faces of a few pixels each, so all pairs of a face and a pixel of its bounding box are tested at once;
there is no loop over faces. One person at 720p takes some 20 ms, which is enough for a debug image and a recorded clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s, Ints

_NEAR_M = 0.05
_SLACK = -1e-5
"""Margin of faces: pixels on the edge between two belong to both, so that rounding leaves no hole."""

_MAX_PAIRS = 40_000_000
"""Maximum number of face-pixel pairs; a mesh with more fills the view many times over, and loses faces."""


@dataclass(frozen=True, eq=False)
class Visible:
    """The covered pixels: ``rows`` and ``columns`` (N,), the front ``face`` (N,) and its ``weights`` (N, 3) there."""

    rows: Int64s
    columns: Int64s
    face: Int64s
    weights: Floats

    def interpolate(self, faces: Ints, per_vertex: Floats) -> Floats:
        """Values (V, C) of vertices -> values (N, C) of pixels, for a mesh of ``faces`` (F, 3)."""
        values: Floats = np.einsum("nk,nkc->nc", self.weights, per_vertex[faces[self.face]])
        return values


def rasterise(pixels: Floats, depth: Floats, faces: Ints, height: int, width: int) -> Visible:
    """Find the front face of every pixel.

    ``pixels`` (V, 2) px, pixel centres at whole numbers; ``depth`` (V,) m along the optical axis; ``faces`` (F, 3),
    corners counter-clockwise seen from outside. Faces seen from behind, or nearer than 5 cm, are left out.
    """
    facing, planes = _planes(pixels, depth, faces)
    low, high = _boxes(pixels[faces[facing]], height, width)
    size = np.maximum(high - low + 1, 0)
    # Leave out faces rather than run out of memory when a person stands in the lens.
    count = size.prod(1)
    count[np.cumsum(count) > _MAX_PAIRS] = 0

    face = np.repeat(np.arange(len(facing)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    columns = low[face, 0] + within % size[face, 0]
    rows = low[face, 1] + within // size[face, 0]
    plane = planes[face]
    w1, w2, inverse_depth = (plane[:, i] * columns + plane[:, i + 1] * rows + plane[:, i + 2] for i in range(0, 9, 3))
    inside = np.flatnonzero((w1 >= _SLACK) & (w2 >= _SLACK) & (w1 + w2 <= 1 - _SLACK))
    front = inside[_nearest(rows[inside] * width + columns[inside], inverse_depth[inside])]
    weights = np.stack([1 - w1[front] - w2[front], w1[front], w2[front]], -1)
    return Visible(rows[front], columns[front], facing[face[front]], weights)


def _planes(pixels: Floats, depth: Floats, faces: Ints) -> tuple[Int64s, Floats]:
    """Faces that look at the camera, and for each (9,): second weight, third weight and 1/depth as planes over px.

    1/depth is linear in the image, depth is not.
    """
    a, b, c = pixels[faces].astype(np.float64).transpose(1, 0, 2)
    ab, ac = b - a, c - a
    # Image y points down, so counter-clockwise in space is a negative area in the image.
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    facing = np.flatnonzero((area < -1e-9) & (depth[faces] > _NEAR_M).all(1))
    a, ab, ac, area = a[facing], ab[facing], ac[facing], area[facing]

    def plane(slope: Floats, at_a: Floats) -> Floats:
        return np.concatenate([slope, (at_a - (slope * a).sum(1))[:, None]], 1)

    second = np.stack([ac[:, 1], -ac[:, 0]], 1) / area[:, None]
    third = np.stack([-ab[:, 1], ab[:, 0]], 1) / area[:, None]
    inverse = 1.0 / depth[faces[facing]]
    slope = second * (inverse[:, 1] - inverse[:, 0])[:, None] + third * (inverse[:, 2] - inverse[:, 0])[:, None]
    zero = np.zeros(len(facing))
    return facing, np.concatenate([plane(second, zero), plane(third, zero), plane(slope, inverse[:, 0])], 1)


def _boxes(corners: Floats, height: int, width: int) -> tuple[Int64s, Int64s]:
    """First and last pixel (F, 2), column and row, of boxes around ``corners`` (F, 3, 2) px; first > last: empty."""
    last = np.array([width - 1, height - 1])
    low = np.ceil(np.clip(corners.min(1), 0, last + 1)).astype(np.int64)
    high = np.floor(np.clip(corners.max(1), -1, last)).astype(np.int64)
    return low, high


def _nearest(pixel: Int64s, inverse_depth: Floats) -> Int64s:
    """Index of the nearest candidate of each pixel; candidates have ``pixel`` (N,), ``inverse_depth`` (N,) 1/m."""
    order = np.lexsort((-inverse_depth, pixel))
    first = np.ones(len(order), np.bool_)
    first[1:] = np.diff(pixel[order]) > 0
    return order[first]


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """(V, 3) unit normals for smooth shading of ``vertices`` (V, 3): means over adjacent ``faces`` (F, 3) by area."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    of_face = np.cross(b - a, c - a)
    corner = faces.ravel()
    count = len(vertices)
    normals: Floats = np.stack(
        [np.bincount(corner, np.repeat(of_face[:, axis], 3), minlength=count) for axis in range(3)], -1
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return normals
