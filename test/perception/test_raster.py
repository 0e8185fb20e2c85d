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


def test_weights_are_those_of_the_pixel_and_depth_is_right_across_a_face():
    """A slanting face: its corners by the weights give back the pixel, and 1/depth by them is that of the plane."""
    pixels, depth = np.array([[1.0, 2], [22, 4], [5, 21]]), np.array([1.0, 3.0, 7.0])
    faces = np.array([FACING])
    visible = rasterise(pixels, depth, faces, SIZE, SIZE)
    assert len(visible.rows) > 100
    assert np.allclose(visible.weights.sum(1), 1)
    assert np.allclose(visible.interpolate(faces, pixels), np.stack([visible.columns, visible.rows], 1))
    first = np.lexsort((visible.columns, visible.rows))
    assert (np.diff(visible.rows[first] * SIZE + visible.columns[first]) > 0).all(), "every pixel once"


def test_a_face_covers_its_edges_and_corners_and_is_cut_at_the_image():
    square = np.array([[-5.0, -5], [30, -5], [30, 30], [-5, 30]])
    faces = np.array([[0, 2, 1], [0, 3, 2]])
    assert len(rasterise(square, np.ones(4), faces, 20, SIZE).rows) == 20 * SIZE
    small = rasterise(np.array([[3.0, 4], [6, 4], [3, 6]]), np.ones(3), np.array([FACING]), SIZE, SIZE)
    found = set(zip(small.columns.tolist(), small.rows.tolist(), strict=True))
    assert found == {(3, 4), (4, 4), (5, 4), (6, 4), (3, 5), (4, 5), (3, 6)}


@pytest.mark.parametrize(("depth", "is_seen"), [(0.05, False), (0.051, True)])
def test_faces_nearer_than_five_centimetres_are_left_out(depth, is_seen):
    pixels = np.array([[2.0, 2], [20, 2], [2, 20]])
    visible = rasterise(pixels, np.array([1.0, 1.0, depth]), np.array([FACING]), SIZE, SIZE)
    assert (len(visible.rows) > 0) == is_seen


def test_normals_are_means_over_faces_by_their_area():
    vertices = np.random.default_rng(3).normal(size=(7, 3))
    faces = np.array([[0, 1, 2], [2, 3, 4], [4, 5, 0], [1, 3, 5]])
    expected = np.zeros((7, 3))
    for a, b, c in faces:
        for corner in (a, b, c):
            expected[corner] += np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
    expected[:6] /= np.linalg.norm(expected[:6], axis=1, keepdims=True)
    assert np.allclose(vertex_normals(vertices, faces), expected)  # that of a vertex without a face is 0
