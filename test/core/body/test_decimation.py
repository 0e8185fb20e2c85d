# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.decimation import _between_cells, _grown, coarse_faces, farthest_points


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


@pytest.mark.parametrize(("count", "fraction"), [(5000, 0.98), (1000, 0.9), (300, 0.7)])
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


def test_cells_grow_as_far_as_dijkstra_says(body):
    scipy_graph = pytest.importorskip("scipy.sparse.csgraph")
    sparse = pytest.importorskip("scipy.sparse")
    vertices, faces = body.v_template, body.faces
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1), axis=0)
    seeds = farthest_points(vertices, 40)
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = sparse.coo_matrix((lengths, edges.T), (len(vertices), len(vertices)))
    reference = scipy_graph.dijkstra(graph, directed=False, indices=seeds)
    owner = _grown(vertices, edges, seeds)
    column = np.searchsorted(np.sort(seeds), owner)
    own = reference[np.argsort(seeds)][column, np.arange(len(vertices))]
    np.testing.assert_allclose(own, reference.min(0), rtol=1e-9)


def test_each_next_point_is_the_farthest_from_all_before(rng):
    points = rng.normal(size=(30, 3))
    chosen = [0]
    while len(chosen) < 9:
        chosen.append(max(range(30), key=lambda k: min(np.linalg.norm(points[k] - points[c]) for c in chosen)))
    assert farthest_points(points, 9).tolist() == chosen
    assert farthest_points(points, 1).tolist() == [0]


def test_triangles_between_three_cells_remain_once_in_their_sense_of_rotation():
    owner = np.array([0, 0, 5, 9, 9, 7, -1])
    faces = np.array([[0, 2, 3], [4, 1, 2], [2, 1, 3], [0, 1, 2], [3, 4, 5], [2, 2, 5], [2, 3, 6], [5, 2, 3]])
    assert _between_cells(owner, faces).tolist() == [[0, 5, 9], [0, 9, 5], [5, 9, 7]]


def test_what_no_edge_leads_to_has_no_cell():
    line = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [4, 0, 0], [9, 0, 0], [10, 0, 0]])
    owner = _grown(line, np.array([[0, 1], [1, 2], [2, 3], [4, 5]]), np.array([0, 3]))
    assert owner.tolist() == [0, 0, 3, 3, -1, -1]


def test_four_triangles_may_be_asked_for(body):
    assert len(coarse_faces(body.v_template, body.faces, 4)) <= 4
