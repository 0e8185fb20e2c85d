# SPDX-License-Identifier: Apache-2.0
"""A z-buffer for triangle meshes, compiled: which face lies in front at every pixel of a canvas.

Only depth and face go into the buffers; whatever else a pixel needs is interpolated once, of the face that won
(``shading.py``). Pixel centres are at whole numbers, as everywhere (``core/geometry/crop.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from hmr_ros.core.arrays import Float32s, Int32s

NEAR_M = 0.05
"""Faces with a corner nearer than this are left out."""
NOTHING = -1
"""Face of a pixel that shows none."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """``inverse_depth`` (H, W) 1/m, 0 where nothing is; ``face`` (H, W) index of the face in front, or NOTHING."""

    inverse_depth: Float32s
    face: Int32s

    @classmethod
    def blank(cls, height: int, width: int) -> Canvas:
        """Nothing in view."""
        return cls(np.zeros((height, width), np.float32), np.full((height, width), NOTHING, np.int32))

    def draw(self, points: Float32s, faces: Int32s, first_face: int) -> None:
        """Add a mesh: ``points`` (V, 3) column px, row px, depth m; face f of ``faces`` gets ``first_face`` + f."""
        _draw(points, faces, first_face, self.inverse_depth, self.face)


@njit(cache=True, nogil=True)
def _draw(points: Float32s, faces: Int32s, first_face: int, inverse_depth: Float32s, face: Int32s) -> None:
    """Corners are counter-clockwise seen from outside, so clockwise in an image whose y points down."""
    height, width = inverse_depth.shape
    for f in range(len(faces)):
        a, c, b = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])  # unsigned: none is negative
        ax, ay = np.float64(points[a, 0]), np.float64(points[a, 1])
        bx, by = points[b, 0] - ax, points[b, 1] - ay
        cx, cy = points[c, 0] - ax, points[c, 1] - ay
        area = bx * cy - by * cx
        if area <= 1e-9:
            continue
        left, right = max(0.0, np.ceil(ax + min(0.0, bx, cx))), min(width - 1.0, np.floor(ax + max(0.0, bx, cx)))
        top, bottom = max(0.0, np.ceil(ay + min(0.0, by, cy))), min(height - 1.0, np.floor(ay + max(0.0, by, cy)))
        if left > right or top > bottom:
            continue
        if points[a, 2] < NEAR_M or points[b, 2] < NEAR_M or points[c, 2] < NEAR_M:
            continue
        wa, wb, wc = 1.0 / points[a, 2], 1.0 / points[b, 2], 1.0 / points[c, 2]
        # The weights of b and c, and 1 / depth, are linear in the pixel.
        fraction = 1.0 / area
        b_column, b_row, c_column, c_row = cy * fraction, -cx * fraction, -by * fraction, bx * fraction
        w_column = b_column * (wb - wa) + c_column * (wc - wa)
        w_row = b_row * (wb - wa) + c_row * (wc - wa)
        for row in range(np.uint32(top), np.uint32(bottom) + 1):
            y = row - ay
            for column in range(np.uint32(left), np.uint32(right) + 1):
                x = column - ax
                beta = b_column * x + b_row * y
                gamma = c_column * x + c_row * y
                if beta < 0.0 or gamma < 0.0 or beta + gamma > 1.0:
                    continue
                w = np.float32(wa + w_column * x + w_row * y)
                if w > inverse_depth[row, column]:
                    inverse_depth[row, column] = w
                    face[row, column] = first_face + f


@njit(cache=True, nogil=True)
def vertex_normals(vertices: Float32s, faces: Int32s) -> Float32s:
    """(V, 3), (F, 3) -> (V, 3) unit normals of smooth shading: the faces around a vertex, weighted by area."""
    normals = np.zeros_like(vertices)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(len(normals)):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + np.float32(1e-12)
        normals[v, 0] /= length
        normals[v, 1] /= length
        normals[v, 2] /= length
    return normals
