# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.training.synthetic.images.rendering.raster import NOTHING, Canvas, vertex_normals


def reference(points, faces, height, width):
    """Every face at every pixel, by signed areas; the nearest wins."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    best, winner = np.zeros((height, width)), np.full((height, width), NOTHING)
    for f, corners in enumerate(faces):
        a, b, c = points[corners].astype(np.float64)
        if min(a[2], b[2], c[2]) < 0.05:
            continue

        def area(p, q, x, y):
            return (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])

        whole = area(a, b, c[0], c[1])
        if whole >= 0:  # seen from behind: corners run counter-clockwise where y points down
            continue
        weights = np.stack([area(b, c, columns, rows), area(c, a, columns, rows), area(a, b, columns, rows)]) / whole
        inverse_depth = np.tensordot(1 / np.array([a[2], b[2], c[2]]), weights, 1)
        nearer = (weights >= 0).all(0) & (inverse_depth > best)
        best[nearer], winner[nearer] = inverse_depth[nearer], f
    return best, winner


def random_mesh(rng, faces=60):
    points = rng.uniform((-10, -10, 0.5), (50, 40, 4), (3 * faces, 3)).astype(np.float32)
    points[::17, 2] = rng.uniform(-1, 0.04, len(points[::17]))
    return points, np.arange(3 * faces, dtype=np.int32).reshape(-1, 3)


def test_it_agrees_with_the_reference(rng):
    points, faces = random_mesh(rng)
    canvas = Canvas.blank(30, 40)
    canvas.draw(points, faces, 0)
    depth, winner = reference(points, faces, 30, 40)
    np.testing.assert_array_equal(canvas.face, winner)
    np.testing.assert_allclose(canvas.inverse_depth, depth, rtol=1e-5)


def test_meshes_drawn_one_by_one_share_the_buffer(rng):
    points, faces = random_mesh(rng)
    whole, parts = Canvas.blank(30, 40), Canvas.blank(30, 40)
    whole.draw(points, faces, 0)
    parts.draw(points, faces[:20], 0)
    parts.draw(points, faces[20:], 20)
    np.testing.assert_array_equal(parts.face, whole.face)


def test_neighbours_leave_no_hole():
    """A square of two faces covers all pixels inside it."""
    points = np.array([[2, 2, 1], [2, 12, 1], [12, 12, 1], [12, 2, 1]], np.float32)
    canvas = Canvas.blank(20, 20)
    canvas.draw(points, np.array([[0, 1, 2], [0, 2, 3]], np.int32), 0)
    assert (canvas.face[2:13, 2:13] >= 0).all()
    assert (canvas.face >= 0).sum() == 121


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_normals_point_outwards(axis):
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    normals = vertex_normals(corners, faces)
    assert (np.sign(normals[:, axis]) == np.sign(corners[:, axis])).all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-5)
