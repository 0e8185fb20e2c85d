# SPDX-License-Identifier: Apache-2.0
"""Subsets of points and triangles that represent a mesh."""

from __future__ import annotations

import functools
import heapq
import math
from operator import add

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

    Edges are collapsed, one end onto the other, in the order of the error that it makes: the squared distance to the
    planes of the triangles that were there (Garland and Heckbert, SIGGRAPH 1997). A closed surface stays closed, and
    faces keep their sense of rotation. Borders stay as they are: a surface with holes may keep more than ``count``.
    Raises ValueError for less than 4 triangles.
    """
    if count < 4:
        raise ValueError(f"expected 4 triangles or more, got {count}")
    if count >= len(faces):
        return faces.astype(np.int64)
    return np.array(_collapsed(vertices.tobytes(), str(vertices.dtype), faces.tobytes(), str(faces.dtype), count))


@functools.lru_cache(maxsize=8)
def _collapsed(vertices: bytes, vertex_dtype: str, faces: bytes, face_dtype: str, count: int) -> Int64s:
    """``coarse_faces`` of arrays as bytes; the cameras of a process, and its later activations, ask for the same."""
    surface = _Surface(
        np.frombuffer(vertices, vertex_dtype).reshape(-1, 3), np.frombuffer(faces, face_dtype).reshape(-1, 3)
    )
    for min_cosine in (_MIN_COSINE, -1.0):  # a coarse surface may have to fold over to become coarser
        surface.collapse(count, min_cosine)
    return surface.triangles()


_MIN_COSINE = 0.2
"""Of the angle by which a collapse may turn a triangle."""

_LENGTH_WEIGHT = 1e-3
"""Of the squared length of an edge beside the distances: flat parts get even triangles."""

_Point = tuple[float, float, float]


class _Surface:
    """A surface of triangles whose edges collapse."""

    def __init__(self, vertices: Floats, faces: Ints) -> None:
        self._points: list[_Point] = [(x, y, z) for x, y, z in vertices.tolist()]
        self._faces: dict[int, tuple[int, int, int]] = {k: (a, b, c) for k, (a, b, c) in enumerate(faces.tolist())}
        self._around: list[set[int]] = [set() for _ in self._points]
        for k, face in self._faces.items():
            for vertex in face:
                self._around[vertex].add(k)
        self._quadrics = _quadrics(vertices, faces)
        self._changes = [0] * len(self._points)

    def triangles(self) -> Int64s:
        """(N, 3) those that are left, in the order in which they were given."""
        return np.array(list(self._faces.values()), np.int64).reshape(-1, 3)

    def collapse(self, count: int, min_cosine: float) -> None:
        """Collapse edges until ``count`` triangles are left, or none may collapse without turning one too far."""
        if len(self._faces) <= count:
            return
        queue = [self._entry(u, v) for u in range(len(self._points)) for v in self._neighbours(u)]
        heapq.heapify(queue)
        while queue and len(self._faces) > count:
            _, u, v, changes = heapq.heappop(queue)
            if changes != self._changes[u] + self._changes[v] or not self._may_collapse(u, v, min_cosine):
                continue
            self._collapse(u, v)
            for other in self._neighbours(v):
                heapq.heappush(queue, self._entry(v, other))
                heapq.heappush(queue, self._entry(other, v))

    def _entry(self, u: int, v: int) -> tuple[float, int, int, int]:
        """The error of moving ``u`` onto ``v``, and what tells whether it is still that."""
        (ax, ay, az), (x, y, z) = self._points[u], self._points[v]
        xx, xy, xz, xw, yy, yz, yw, zz, zw, ww, area = map(add, self._quadrics[u], self._quadrics[v])
        error = x * (xx * x + 2 * (xy * y + xz * z + xw)) + y * (yy * y + 2 * (yz * z + yw)) + z * (zz * z + 2 * zw)
        length = (ax - x) * (ax - x) + (ay - y) * (ay - y) + (az - z) * (az - z)
        return error + ww + _LENGTH_WEIGHT * area * length, u, v, self._changes[u] + self._changes[v]

    def _neighbours(self, vertex: int) -> set[int]:
        return {other for k in self._around[vertex] for other in self._faces[k]} - {vertex}

    def _may_collapse(self, u: int, v: int, min_cosine: float) -> bool:
        """Whether the surface stays one: what ``u`` and ``v`` share is their triangles, and none turns too far."""
        shared = self._around[u] & self._around[v]
        between = {other for k in shared for other in self._faces[k]} - {u, v}
        around_u = self._neighbours(u)
        if around_u & self._neighbours(v) != between or len(between) != len(shared) or len(self._faces) < 6:
            return False
        if len(around_u) != len(self._around[u]):  # u lies on a border, which stays as it is
            return False
        return all(self._turns_little(k, u, v, min_cosine) for k in self._around[u] - shared)

    def _turns_little(self, k: int, u: int, v: int, min_cosine: float) -> bool:
        """Whether triangle ``k`` keeps its direction when its corner ``u`` moves onto ``v``."""
        if min_cosine <= -1:
            return True
        before = [self._points[vertex] for vertex in self._faces[k]]
        after = [self._points[v if vertex == u else vertex] for vertex in self._faces[k]]
        n, m = _normal(*before), _normal(*after)
        cosine = n[0] * m[0] + n[1] * m[1] + n[2] * m[2]
        return cosine > min_cosine * math.sqrt(_squared(n) * _squared(m))

    def _collapse(self, u: int, v: int) -> None:
        """Move ``u`` onto ``v``."""
        for k in self._around[u] & self._around[v]:
            for vertex in self._faces.pop(k):
                self._around[vertex].discard(k)
        for k in self._around[u]:
            a, b, c = self._faces[k]
            self._faces[k] = (v if a == u else a, v if b == u else b, v if c == u else c)
            self._around[v].add(k)
        self._around[u] = set()
        self._quadrics[v] = tuple(map(add, self._quadrics[u], self._quadrics[v]))
        self._changes[v] += 1


def _quadrics(vertices: Floats, faces: Ints) -> list[tuple[float, ...]]:
    """For each vertex the sum over its triangles of area times squared distance to their planes, as a quadratic form.

    Ten entries of a symmetric 4 x 4 matrix, row by row from its diagonal on, and the area.
    """
    a, b, c = vertices.astype(np.float64)[faces].swapaxes(0, 1)
    normals = np.cross(b - a, c - a)
    areas = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.maximum(areas, np.finfo(np.float64).tiny)
    planes = np.concatenate([normals, -(normals * a).sum(1, keepdims=True)], 1)
    rows, columns = np.triu_indices(4)
    forms = areas * np.concatenate([planes[:, rows] * planes[:, columns], np.ones_like(areas)], 1)
    sums = np.zeros((len(vertices), forms.shape[1]))
    np.add.at(sums, faces.ravel(), np.repeat(forms, 3, axis=0))
    return [tuple(row) for row in sums.tolist()]


def _minus(a: _Point, b: _Point) -> _Point:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _squared(a: _Point) -> float:
    return a[0] * a[0] + a[1] * a[1] + a[2] * a[2]


def _normal(a: _Point, b: _Point, c: _Point) -> _Point:
    (ux, uy, uz), (vx, vy, vz) = _minus(b, a), _minus(c, a)
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
