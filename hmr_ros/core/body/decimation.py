# SPDX-License-Identifier: Apache-2.0
"""Subsets of points and triangles that represent a mesh."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s, Ints


def farthest_points(points: Floats, count: int) -> Int64s:
    """Indices (count,) of ``points`` (N, 3) that lie as far from each other as possible.

    Farthest-point sampling: each next one is the point farthest from all before it (Gonzalez, 1985), so no point is
    farther from a chosen one than twice the best possible. Raises ValueError when there are fewer than ``count``.
    """
    if not 0 < count <= len(points):
        raise ValueError(f"expected 1 to {len(points)} points, got {count}")
    planar = np.ascontiguousarray(points.T)  # sums over three rows are many times faster than over three columns
    chosen = np.zeros(count, np.int64)
    nearest = np.full(len(points), np.inf, points.dtype)
    for k in range(1, count):
        x, y, z = (planar - planar[:, chosen[k - 1], None]) ** 2
        nearest = np.minimum(nearest, x + y + z)
        chosen[k] = nearest.argmax()
    return chosen


def coarse_faces(vertices: Floats, faces: Ints, count: int) -> Int64s:
    """At most ``count`` triangles (N, 3) over some of the same ``vertices`` (V, 3) m that stand for ``faces`` (F, 3).

    The vertices are parted into cells, each around one of some that lie far apart, and grown along its edges
    so that no cell reaches from an arm to the body; triangles whose corners lie in three cells remain, between those
    cells' centres. A closed surface of V vertices has 2 V - 4 triangles (Euler), so about half as many cells do. Faces
    keep their sense of rotation. Raises ValueError for less than 4 triangles.
    """
    if count < 4:
        raise ValueError(f"expected 4 triangles or more, got {count}")
    if count >= len(faces):
        return faces.astype(np.int64)
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1), axis=0)
    order = farthest_points(vertices, min(count // 2 + 2, len(vertices)))
    cells = len(order)
    while len(coarse := _between_cells(_grown(vertices, edges, order[:cells]), faces)) > count:
        cells -= max(1, (len(coarse) - count) // 2)
    return coarse


def _grown(vertices: Floats, edges: Ints, seeds: Int64s) -> Int64s:
    """The seed (V,) that each vertex is nearest to along ``edges`` (E, 2), by relaxation (Bellman-Ford); -1 if none."""
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    start, end = np.concatenate([edges, edges[:, ::-1]]).T
    length = np.concatenate([lengths, lengths])
    by_end = np.argsort(end, kind="stable")
    start, end, length = start[by_end], end[by_end], length[by_end]
    ends, first = np.unique(end, return_index=True)
    distance = np.full(len(vertices), np.inf)
    distance[seeds] = 0.0
    owner = np.full(len(vertices), -1)
    owner[seeds] = seeds
    while True:
        offered = distance[start] + length
        best = np.minimum.reduceat(offered, first)
        nearer = best < distance[ends]
        if not nearer.any():
            return owner
        winner = np.flatnonzero(offered == np.repeat(best, np.diff(np.append(first, len(end)))))
        source = np.zeros(len(vertices), np.int64)
        source[end[winner]] = start[winner]
        distance[ends[nearer]] = best[nearer]
        owner[ends[nearer]] = owner[source[ends[nearer]]]


def _between_cells(owner: Int64s, faces: Ints) -> Int64s:
    """The triangles whose corners lie in three cells, one of each three cells and sense of rotation.

    ``owner`` (V,) the cell of each vertex, -1: none; ``faces`` (F, 3) -> (N, 3) cells.
    """
    corners = owner[faces]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a) & (corners >= 0).all(1)]
    turned = np.argmin(corners, 1)[:, None] + np.arange(3)
    return np.unique(np.take_along_axis(corners, turned % 3, 1), axis=0)
