# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.sparse import csr_array

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO, HUMAN36M, SMPL
from hmr_ros.networks.blocks import block_order
from hmr_ros.networks.chebyshev import BlockLaplacian
from hmr_ros.networks.coarsening import (
    MeshGraph,
    build_mesh_graph,
    face_adjacency,
    joint_laplacian,
    normalised_laplacian,
    rescale,
)

from .meshes import sphere

FACES, POSITIONS = sphere(150)


@pytest.fixture(scope="module")
def graph() -> MeshGraph:
    return build_mesh_graph(FACES, POSITIONS, levels=4)


def test_adjacency_is_binary_and_symmetric():
    adjacency = face_adjacency(FACES, len(POSITIONS)).toarray()
    assert (adjacency == adjacency.T).all()
    assert set(np.unique(adjacency)) == {0, 1}
    assert adjacency.sum() == 2 * (len(POSITIONS) + len(FACES) - 2)  # Euler: edges of a closed genus-0 mesh
    assert (adjacency.diagonal() == 0).all()


def test_levels_halve_exactly(graph):
    assert len(graph.sizes) == 5
    assert all(fine == 2 * coarse for fine, coarse in zip(graph.sizes, graph.sizes[1:], strict=False))
    assert graph.real[0].sum() == len(POSITIONS)


def test_rev_restores_the_vertex_order(graph):
    assert (graph.perm[graph.rev] == np.arange(len(POSITIONS))).all()
    assert graph.real[0][graph.rev].all()


def test_every_real_node_has_a_real_parent_and_every_real_parent_a_real_child(graph):
    for fine, coarse in zip(graph.real, graph.real[1:], strict=False):
        assert (fine.reshape(-1, 2).any(1) == coarse).all()


def test_siblings_are_neighbours_in_the_mesh(graph):
    adjacency = face_adjacency(FACES, len(POSITIONS)).toarray()
    pairs = graph.perm.reshape(-1, 2)[graph.real[0].reshape(-1, 2).all(1)]
    assert len(pairs) > len(POSITIONS) // 3
    assert adjacency[pairs[:, 0], pairs[:, 1]].all()
    assert (pairs[:, 0] < pairs[:, 1]).all()  # the published order of siblings


def test_padding_nodes_are_isolated(graph):
    for laplacian, real in zip(graph.laplacians, graph.real, strict=True):
        dense = laplacian.toarray()
        off_diagonal = dense - np.diag(dense.diagonal())
        assert (off_diagonal[~real] == 0).all()
        assert (off_diagonal[:, ~real] == 0).all()


def test_coarse_weights_sum_the_fine_ones():
    """A coarse Laplacian's null vector is sqrt(degree), whose squares add up to all of the mesh's edge ends."""
    graph = build_mesh_graph(FACES, POSITIONS, levels=2, rescaling="textbook")
    edge_ends = face_adjacency(FACES, len(POSITIONS)).sum()
    for laplacian, real in zip(graph.laplacians, graph.real, strict=True):
        values, vectors = np.linalg.eigh(laplacian.toarray().astype(float)[real][:, real])
        null = vectors[:, 0] ** 2 * edge_ends
        assert values[0] == pytest.approx(-1, abs=1e-6)
        assert null == pytest.approx(np.round(null), abs=1e-3)  # degrees are whole numbers of edge ends


@pytest.mark.parametrize(("rescaling", "low", "high"), [("textbook", -1, 1), ("pose2mesh", -1, -0.5)])
def test_rescaled_spectrum(rescaling, low, high):
    for adjacency in (face_adjacency(FACES, len(POSITIONS)), face_adjacency(*_tetrahedron())):
        spectrum = np.linalg.eigvalsh(rescale(normalised_laplacian(adjacency), rescaling).toarray())
        assert spectrum[[0, -1]] == pytest.approx([low, high], abs=1e-6)


def _tetrahedron() -> tuple[np.ndarray, int]:
    return np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]), 4


def test_unknown_rescaling_is_named():
    with pytest.raises(ValueError, match="textboook"):
        rescale(csr_array(np.eye(3)), "textboook")


def test_built_twice_is_the_same(graph):
    again = build_mesh_graph(FACES, POSITIONS, levels=4)
    for (name, first), second in zip(graph.to_arrays().items(), again.to_arrays().values(), strict=True):
        assert (first == second).all(), name


def test_survives_arrays(graph, tmp_path):
    np.savez(tmp_path / "graph.npz", **graph.to_arrays())
    with np.load(tmp_path / "graph.npz") as stored:
        again = MeshGraph.from_arrays(stored)
    assert again.sizes == graph.sizes
    assert (again.rev == graph.rev).all()
    assert all((a != b).nnz == 0 for a, b in zip(graph.laplacians, again.laplacians, strict=True))


def test_finest_keeps_the_tree(graph):
    cut = graph.finest(2)
    assert cut.sizes == graph.sizes[:2]
    assert (cut.perm == graph.perm).all()
    with pytest.raises(ValueError, match=r"1\.\.5 levels, got 6"):
        graph.finest(6)


def test_wrong_sizes_are_refused(graph):
    with pytest.raises(ValueError, match="level 1: expected"):
        MeshGraph(graph.laplacians[::2], graph.perm, graph.real[::2], graph.positions)


@pytest.mark.parametrize("joint_set", [HUMAN36M, COCO, SMPL], ids=lambda s: s.name)
def test_joint_graph_has_bones_pairs_and_self_loops(joint_set):
    laplacian = joint_laplacian(joint_set).toarray()
    linked = np.eye(joint_set.size, dtype=bool)
    for a, b in [*joint_set.edge_indices, *joint_set.pairs]:
        linked[a, b] = linked[b, a] = True
    assert ((laplacian != 0) == linked).all()
    degree = linked.sum(1)  # self loops count
    assert laplacian.diagonal() == pytest.approx(1 - 1 / degree)


@pytest.mark.parametrize("cut", ["planes", "surface"])
@pytest.mark.parametrize("block", [8, 32])
def test_block_order_is_the_same_graph_without_padding(graph, block, cut):
    blocked = block_order(graph, block, cut)
    for level, nodes in enumerate(blocked.nodes):
        assert sorted(nodes) == np.flatnonzero(graph.real[level]).tolist()
        assert blocked.sizes[level] % block == 0
        expected = graph.laplacians[level].toarray()[np.ix_(nodes, nodes)]
        actual = blocked.laplacians[level].toarray()
        assert (actual[: len(nodes), : len(nodes)] == expected).all()
        assert np.count_nonzero(actual) == np.count_nonzero(expected)
    assert (graph.perm[blocked.nodes[0][blocked.node_of_vertex]] == np.arange(len(POSITIONS))).all()


def test_block_order_keeps_parents(graph):
    blocked = block_order(graph, 8)
    for level, parents in enumerate(blocked.parents):
        nodes = blocked.nodes[level]
        assert (blocked.nodes[level + 1][parents[: len(nodes)]] == nodes // 2).all()


@pytest.mark.parametrize("cut", ["planes", "surface"])
def test_blocks_are_patches(graph, cut):
    blocked = block_order(graph, 8, cut)
    vertices = graph.perm[blocked.nodes[0]]
    joint_error = [np.ptp(POSITIONS[vertices[i : i + 8]], axis=0).max() for i in range(0, len(vertices), 8)]
    assert np.mean(joint_error) < 0.9  # of a diameter of 2; a random order gives about 1.7


def test_cuts_across_the_surface_have_smaller_halos_on_a_body():
    body = load_body_model(models_dir() / "open_body.npz")
    graph = build_mesh_graph(body.faces, body.v_template, levels=2)

    def halos(cut):
        return [BlockLaplacian(matrix).weights.shape[2] for matrix in block_order(graph, cut=cut).laplacians]

    assert sum(halos("surface")) < 0.9 * sum(halos("planes"))
