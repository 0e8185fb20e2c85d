# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from hmr_ros.perception.raster import rasterise, vertex_normals

SIZE = 24
FACING = [0, 2, 1]
"""Seen from the camera, image y down: counter-clockwise in space from outside is clockwise on paper."""


def slow_depth(pixels, depth, faces):
    """Nearest depth of every pixel, face by face and pixel by pixel; inf where there is none."""
    out = np.full((SIZE, SIZE), np.inf)
    for face in faces:
        a, b, c = pixels[face]
        area = np.linalg.det(np.stack([b - a, c - a]))
        if area >= 0:
            continue
        for row in range(SIZE):
            for column in range(SIZE):
                p = np.array([column, row])
                w = np.array([np.linalg.det(np.stack([y - x, p - x])) for x, y in ((b, c), (c, a), (a, b))]) / area
                if (w >= 0).all():
                    out[row, column] = min(out[row, column], 1 / (w @ (1 / depth[face])))
    return out


def test_agrees_with_the_obvious_loop():
    random = np.random.default_rng(0)
    pixels, depth = random.uniform(-6, SIZE + 6, (30, 2)), random.uniform(1, 5, 30)
    faces = random.permuted(np.tile(np.arange(30), (40, 1)), axis=1)[:, :3]
    visible = rasterise(pixels, depth, faces, SIZE, SIZE)
    found = np.full((SIZE, SIZE), np.inf)
    found[visible.rows, visible.columns] = 1 / (visible.weights * (1 / depth[faces[visible.face]])).sum(1)
    assert np.allclose(found, slow_depth(pixels, depth, faces))


def test_faces_from_behind_and_before_the_camera_are_left_out():
    pixels = np.array([[2.0, 2], [20, 2], [2, 20]])
    assert len(rasterise(pixels, np.full(3, 2.0), np.array([FACING]), SIZE, SIZE).rows) > 100
    assert len(rasterise(pixels, np.full(3, 2.0), np.array([FACING[::-1]]), SIZE, SIZE).rows) == 0
    assert len(rasterise(pixels, np.array([2.0, 2.0, -1.0]), np.array([FACING]), SIZE, SIZE).rows) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_corners_that_have_no_pixel_do_no_harm(bad):
    pixels = np.array([[2.0, 2], [20, 2], [2, 20], [bad, 5]])
    faces = np.array([FACING, [0, 3, 1]])
    with np.errstate(invalid="ignore", over="ignore"):
        visible = rasterise(pixels, np.full(4, 2.0), faces, SIZE, SIZE)
    assert (visible.rows < SIZE).all()
    assert (visible.columns < SIZE).all()
    assert 0 in visible.face


def test_no_faces_cover_nothing():
    assert len(rasterise(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 3), int), SIZE, SIZE).rows) == 0


def test_normals_of_a_cube_point_outwards():
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    faces = ConvexHull(corners).simplices
    a, b, c = corners[faces].transpose(1, 0, 2)
    inward = (np.cross(b - a, c - a) * a).sum(1) < 0
    faces[inward] = faces[inward][:, ::-1]
    normals = vertex_normals(corners, faces)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    assert ((normals * corners).sum(1) > 1.4).all()
