# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.decimation import _LENGTH_WEIGHT, _Surface, coarse_faces, farthest_points


def test_points_are_spread_over_the_body(body):
    few = farthest_points(body.v_template, 500)
    assert len(set(few.tolist())) == 500
    gaps = np.linalg.norm(body.v_template[:, None] - body.v_template[few][None], axis=-1).min(1)
    assert gaps.max() < 0.06


def test_every_point_may_be_taken():
    points = np.arange(12.0).reshape(4, 3)
    assert sorted(farthest_points(points, 4).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [0, 5])
def test_counts_beyond_the_points_are_refused(count):
    with pytest.raises(ValueError, match=f"expected 1 to 4 points, got {count}"):
        farthest_points(np.zeros((4, 3)), count)


def volume(vertices, faces):
    a, b, c = vertices[faces].swapaxes(0, 1)
    return (a * np.cross(b, c)).sum() / 6


@pytest.mark.parametrize("count", [8, 9])
def test_who_may_keep_all_triangles_keeps_them_as_they_are(count):
    strip = np.stack([np.arange(8), np.arange(1, 9), np.arange(2, 10)], 1)  # open: ten vertices, not six
    points = np.stack([np.arange(10), np.arange(10) % 2, np.zeros(10)], 1)
    np.testing.assert_array_equal(coarse_faces(points, strip, count), strip)


@pytest.mark.parametrize(("count", "fraction"), [(4000, 0.99), (300, 0.85)])
def test_a_coarse_body_is_closed_and_has_nearly_its_volume(body, count, fraction):
    faces = coarse_faces(body.v_template, body.faces, count)
    assert 0.95 * count < len(faces) <= count
    edges = {(int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)}
    assert {(b, a) for a, b in edges} == edges
    kept = volume(body.v_template, faces) / volume(body.v_template, body.faces)
    assert fraction < kept < 1


def test_a_mesh_that_is_coarse_enough_stays(body):
    assert np.array_equal(coarse_faces(body.v_template, body.faces, 13776), body.faces)
    with pytest.raises(ValueError, match="expected 4 triangles or more, got 3"):
        coarse_faces(body.v_template, body.faces, 3)


def test_each_next_point_is_the_farthest_from_all_before(rng):
    points = rng.normal(size=(30, 3))
    chosen = [0]
    while len(chosen) < 9:
        chosen.append(max(range(30), key=lambda k: min(np.linalg.norm(points[k] - points[c]) for c in chosen)))
    assert farthest_points(points, 9).tolist() == chosen
    assert farthest_points(points, 1).tolist() == [0]


def test_four_triangles_may_be_asked_for():
    octahedron = np.concatenate([np.eye(3), -np.eye(3)])
    faces = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]])
    assert len(coarse_faces(octahedron, faces, 4)) == 4


def test_the_error_of_a_collapse_is_its_distance_to_the_planes(body):
    surface = _Surface(body.v_template, body.faces)
    vertices, u = body.v_template.astype(float), 3000
    for v in surface._neighbours(u):
        expected = area = 0.0
        for triangle in np.concatenate([body.faces[(body.faces == end).any(1)] for end in (u, v)]):
            a, b, c = vertices[triangle]
            normal = np.cross(b - a, c - a)
            twice = np.linalg.norm(normal)
            expected += twice * ((vertices[v] - a) @ normal / twice) ** 2
            area += twice
        expected += _LENGTH_WEIGHT * area * ((vertices[u] - vertices[v]) ** 2).sum()
        assert surface._entry(u, v)[0] == pytest.approx(expected, abs=1e-12)


def grid(n):
    """A flat square of (n, n) vertices: positions, and triangles."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(n), np.arange(n)))
    first = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    halves = (first, first + 1, first + n), (first + 1, first + n + 1, first + n)
    return np.stack([x, y, 0.0 * x], 1).astype(float), np.concatenate([np.stack(half, 1) for half in halves])


def test_a_flat_square_keeps_its_border_and_loses_its_inside():
    vertices, faces = grid(9)
    few = coarse_faces(vertices, faces, 40)
    a, b, c = vertices[few].swapaxes(0, 1)
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert len(few) <= 40
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(64)


def test_a_ridge_is_kept_where_flat_parts_are_not():
    vertices, faces = grid(9)
    vertices[:, 2] = -np.abs(vertices[:, 0] - 4)  # a roof
    few = coarse_faces(vertices, faces, 40)
    ridge = {k for k in np.unique(few).tolist() if vertices[k, 0] == 4}
    assert {4, 76} <= ridge, "both of its ends"
    edges = {frozenset((int(a), int(b))) for face in few for a, b in zip(face, np.roll(face, -1), strict=True)}
    assert all(len({np.sign(vertices[k, 0] - 4) for k in edge} - {0.0}) < 2 for edge in edges), "no edge crosses it"


def test_who_changes_the_result_does_not_change_the_next(body):
    first = coarse_faces(body.v_template, body.faces, 300)
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(coarse_faces(body.v_template, body.faces, 300), expected)
