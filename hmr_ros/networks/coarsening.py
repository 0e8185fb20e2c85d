# SPDX-License-Identifier: Apache-2.0
"""Graph coarsening: from a triangle mesh to the hierarchy of graphs a Pose2Mesh decoder runs on.

Heavy-edge matching halves the graph level by level; a binary-tree order then puts the two children of coarse
node i at the fine nodes 2i and 2i + 1, so that up-sampling is "copy each node twice". Nodes without a sibling get
a padding node beside them. Sizes depend on how ties are broken, so nothing here or elsewhere hard-codes them, and
a trained network carries its own ``MeshGraph``.

Sources: Defferrard et al. 2016 (matching, tree order) as used by Choi et al., "Pose2Mesh", ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.sparse.linalg import eigsh

from hmr_ros.core.arrays import Bools, Floats, Int64s, Ints
from hmr_ros.core.skeleton import JointSet

Rescaling = Literal["pose2mesh", "textbook"]
"""How a Laplacian L with largest eigenvalue l is prepared for Chebyshev polynomials.

"textbook": 2 L / l - I, eigenvalues in [-1, 1]. "pose2mesh": L / (2 l) - I, eigenvalues in [-1, -1/2]: what the
paper's released code computes, needed to reproduce it.
"""

VisitingOrder = Callable[[Floats], Int64s]
"""Weights of nodes (N,) -> their order (N,), the lightest first."""


def stable_order(weights: Floats) -> Int64s:
    """Ascending; nodes of one weight in the order of their numbers, on every processor."""
    return np.argsort(weights, kind="stable")


DENSE_EIGENVALUE_LIMIT = 16
"""Graphs up to this many nodes get their largest eigenvalue from a dense solver; Lanczos needs more."""


@dataclass(frozen=True, eq=False)
class MeshGraph:
    """A mesh and its coarser versions, finest first.

    ``laplacians`` one (N_l, N_l) rescaled Laplacian per level, N_l = 2 N_(l+1), padding nodes included (isolated);
    ``perm`` (N_0,) vertex at each finest node, ids >= V are padding; ``real`` one (N_l,) mask per level, False on
    padding; ``positions`` (V, 3) rest vertices in m, kept to order the nodes for deployment.
    """

    laplacians: tuple[csr_array, ...]
    perm: Int64s
    real: tuple[Bools, ...]
    positions: Floats

    def __post_init__(self) -> None:
        for level, (laplacian, real) in enumerate(zip(self.laplacians, self.real, strict=True)):
            expected = len(self.perm) >> level
            if laplacian.shape != (expected, expected) or real.shape != (expected,):
                raise ValueError(
                    f"MeshGraph level {level}: expected {expected} nodes, "
                    f"got Laplacian {laplacian.shape}, mask {real.shape}"
                )
        if self.real[0].sum() != len(self.positions):
            raise ValueError(f"MeshGraph: {self.real[0].sum()} real nodes, but {len(self.positions)} positions")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Nodes per level with padding, finest first."""
        return tuple(len(mask) for mask in self.real)

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.positions)

    @property
    def rev(self) -> Int64s:
        """(V,) finest node of each vertex: ``output[:, rev]`` drops padding and restores the mesh's order."""
        rev = np.empty(len(self.perm), np.int64)
        rev[self.perm] = np.arange(len(self.perm))
        return rev[: self.vertex_count]

    def finest(self, count: int) -> MeshGraph:
        """The ``count`` finest levels."""
        if not 1 <= count <= len(self.laplacians):
            raise ValueError(f"expected 1..{len(self.laplacians)} levels, got {count}")
        return MeshGraph(self.laplacians[:count], self.perm, self.real[:count], self.positions)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays that hold everything, for a checkpoint or an .npz; read back by ``from_arrays``."""
        arrays: dict[str, NDArray[np.generic]] = {"perm": self.perm, "positions": self.positions}
        for level, (laplacian, real) in enumerate(zip(self.laplacians, self.real, strict=True)):
            arrays |= {f"{level}.data": laplacian.data, f"{level}.indices": laplacian.indices}
            arrays |= {f"{level}.indptr": laplacian.indptr, f"{level}.real": real}
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> MeshGraph:
        """Inverse of ``to_arrays``."""
        levels = sum(name.endswith(".real") for name in arrays)
        real = tuple(np.asarray(arrays[f"{level}.real"], bool) for level in range(levels))
        laplacians = tuple(
            csr_array(
                tuple(arrays[f"{level}.{part}"] for part in ("data", "indices", "indptr")),
                shape=(len(mask), len(mask)),
            )
            for level, mask in enumerate(real)
        )
        perm, positions = np.asarray(arrays["perm"], np.int64), np.asarray(arrays["positions"], np.float32)
        return MeshGraph(laplacians, perm, real, positions)


def build_mesh_graph(
    faces: Ints,
    positions: Floats,
    levels: int = 9,
    rescaling: Rescaling = "pose2mesh",
    order: VisitingOrder = stable_order,
) -> MeshGraph:
    """Coarsen the mesh ``faces`` (F, 3) over ``positions`` (V, 3) m ``levels`` times: ``levels`` + 1 graphs.

    ``order``: in which nodes are matched, by their weights; for the graphs of published weights
    ``unstable_sort.scalar_quicksort_order``.
    """
    graphs, parents = _coarsen(face_adjacency(faces, len(positions)), levels, order)
    orders = _tree_orders(parents)
    padded = [_reorder(graph, order) for graph, order in zip(graphs, orders, strict=True)]
    laplacians = tuple(rescale(normalised_laplacian(graph), rescaling).astype(np.float32) for graph in padded)
    real = tuple(order < graph.shape[0] for graph, order in zip(graphs, orders, strict=True))
    return MeshGraph(laplacians, orders[0], real, np.asarray(positions, np.float32))


def joint_laplacian(joint_set: JointSet) -> csr_array:
    """(J, J) Laplacian of a pose: bones, pairs, neighbours and self loops. Not rescaled, as in the paper's code.

    Pairs are left and right joints; neighbours are those of adjacent fingers.
    """
    adjacency = _symmetric(joint_set.graph_indices, joint_set.size) + eye_array(joint_set.size)
    return normalised_laplacian(adjacency.tocsr()).astype(np.float32)


def face_adjacency(faces: Ints, vertex_count: int) -> csr_array:
    """(V, V) binary, symmetric: 1 where two vertices share an edge."""
    faces = np.asarray(faces, np.int64)
    return _symmetric(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), vertex_count)


def _symmetric(links: Int64s, size: int) -> csr_array:
    """(size, size) binary adjacency of ``links`` (E, 2), both ways."""
    rows, columns = np.concatenate([links, links[:, ::-1]]).T
    adjacency = csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    adjacency.sum_duplicates()
    adjacency.data[:] = 1.0
    return adjacency


def normalised_laplacian(adjacency: csr_array) -> csr_array:
    """I - D^(-1/2) W D^(-1/2); self loops count in D, and an isolated node keeps the row of I."""
    degree = adjacency.sum(0)
    inverse_root = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-12)), 0.0)
    scale = diags_array(inverse_root)
    return (eye_array(adjacency.shape[0]) - scale @ adjacency @ scale).tocsr()


def rescale(laplacian: csr_array, rescaling: Rescaling) -> csr_array:
    """Shift and scale the spectrum for Chebyshev polynomials, see ``Rescaling``."""
    factors = {"pose2mesh": 0.5, "textbook": 2.0}
    if rescaling not in factors:
        raise ValueError(f"expected rescaling in {tuple(factors)}, got {rescaling!r}")
    return (laplacian * (factors[rescaling] / _largest_eigenvalue(laplacian)) - eye_array(laplacian.shape[0])).tocsr()


def _largest_eigenvalue(laplacian: csr_array) -> float:
    size = laplacian.shape[0]
    if size <= DENSE_EIGENVALUE_LIMIT:
        return float(np.linalg.eigvalsh(laplacian.toarray())[-1])
    start = np.random.default_rng(0).normal(size=size)  # ARPACK's own start is random: checkpoints would differ
    return float(eigsh(laplacian, k=1, which="LM", v0=start, return_eigenvectors=False)[0])


def _coarsen(adjacency: csr_array, levels: int, order: VisitingOrder) -> tuple[list[csr_array], list[Int64s]]:
    """Graphs finest first (levels + 1) and the parent of each node of the first ``levels`` of them."""
    graphs, parents = [adjacency], []
    degree = adjacency.sum(0) - adjacency.diagonal()  # the paper's code leaves self loops out on this level only
    for _ in range(levels):
        fine = graphs[-1]
        parent = _heavy_edge_matching(fine, degree, order)
        members = csr_array((np.ones(len(parent)), (parent, np.arange(len(parent)))))
        graphs.append((members @ fine @ members.T).tocsr())
        parents.append(parent)
        degree = graphs[-1].sum(0)
    return graphs, parents


def _heavy_edge_matching(adjacency: csr_array, degree: Floats, order: VisitingOrder) -> Int64s:
    """Parent of each node: visit by ascending weight, pair with the unmatched neighbour of the largest normalised cut.

    The score is (2 Wij + Wii + Wjj) / (di + dj); as in the paper's code, "Wii" is the first stored entry of row i.
    ``adjacency`` (N, N), ``degree`` (N,) -> (N,) parents, numbered from 0.
    """
    adjacency.sort_indices()
    start, columns, weights = adjacency.indptr, adjacency.indices, adjacency.data
    first = weights[np.minimum(start[:-1], len(weights) - 1)]
    parent = np.full(adjacency.shape[0], -1, np.int64)
    clusters = 0
    for node in order(adjacency.sum(0)):
        if parent[node] >= 0:
            continue
        parent[node] = clusters
        row = slice(start[node], start[node + 1])
        free = parent[columns[row]] < 0
        if free.any():
            neighbours = columns[row][free]
            score = (2 * weights[row][free] + first[node] + first[neighbours]) / (
                degree[node] + degree[neighbours] + 1e-9
            )
            parent[neighbours[np.argmax(score)]] = clusters
        clusters += 1
    return parent


def _tree_orders(parents: list[Int64s]) -> list[Int64s]:
    """Node ids of every level, finest first, such that node i's children are nodes 2i and 2i + 1 one level finer.

    A missing child is a padding node with an id beyond the level's real ones.

    ``parents`` one (N_l,) per level but the coarsest -> one (2^k N_coarsest,) of node ids per level.
    """
    orders = [np.arange(parents[-1].max() + 1)]
    for parent in reversed(parents):
        children: dict[int, list[int]] = {}
        for child, owner in enumerate(parent):
            children.setdefault(int(owner), []).append(child)
        padding = count(len(parent))
        order: list[int] = []
        for node in orders[0]:
            pair = children.get(int(node), [])
            order += pair + [next(padding) for _ in range(2 - len(pair))]
        orders.insert(0, np.array(order))
    return orders


def _reorder(adjacency: csr_array, order: Int64s) -> csr_array:
    """``adjacency`` with its nodes at the positions ``order`` gives; padding nodes stay isolated.

    ``adjacency`` (n, n), ``order`` (N,) node at each position -> (N, N).
    """
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    entries = adjacency.tocoo()
    return csr_array((entries.data, (position[entries.row], position[entries.col])), shape=(len(order), len(order)))
