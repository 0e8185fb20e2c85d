"""Node order for deployment: the nodes of each level as patches of the rest mesh.

With neighbours side by side, applying a graph Laplacian is one gather and one batched dense product
(chebyshev.BlockLaplacian), which inference engines run several times faster than anything sparse.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from hmr_ros.networks.coarsening import Floats, Ints, MeshGraph

BLOCK = 32
"""Nodes per patch; fastest of 32 and 64 on a CPU, and what tensor cores like."""


@dataclass(frozen=True, eq=False)
class BlockedGraph:
    """A ``MeshGraph`` for deployment: no padding nodes of the tree, neighbours side by side, whole blocks of nodes.

    ``laplacians`` one (M_l, M_l) per level, zero rows on the block padding at the end; ``nodes`` (n_l,) the
    MeshGraph node at each position; ``parents`` per level but the coarsest, (M_l,) position one level
    coarser; ``node_of_vertex`` (V,) finest position of each vertex.
    """

    laplacians: tuple[csr_array, ...]
    nodes: tuple[Ints, ...]
    parents: tuple[Ints, ...]
    node_of_vertex: Ints
    block: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Nodes per level with block padding, finest first."""
        return tuple(laplacian.shape[0] for laplacian in self.laplacians)


def block_order(graph: MeshGraph, block: int = BLOCK) -> BlockedGraph:
    """Order each level so that ``block`` consecutive nodes are one patch of the rest mesh (a kd-tree's leaves)."""
    positions = _node_positions(graph)
    nodes = tuple(
        np.flatnonzero(real)[_kd_order(points[real], block)] for real, points in zip(graph.real, positions, strict=True)
    )
    sizes = [-(-len(ids) // block) * block for ids in nodes]
    laplacians = []
    for laplacian, ids, size in zip(graph.laplacians, nodes, sizes, strict=True):
        blocked = laplacian[ids][:, ids].tocsr()
        blocked.resize(size, size)
        laplacians.append(blocked)
    parents = tuple(
        np.pad(_inverse(coarse, graph.sizes[level + 1])[fine // 2], (0, sizes[level] - len(fine)))
        for level, (fine, coarse) in enumerate(pairwise(nodes))
    )
    node_of_vertex = _inverse(nodes[0], graph.sizes[0])[graph.rev]
    return BlockedGraph(tuple(laplacians), nodes, parents, node_of_vertex, block)


def _inverse(ids: Ints, size: int) -> Ints:
    position = np.zeros(size, np.int64)
    position[ids] = np.arange(len(ids))
    return position


def _node_positions(graph: MeshGraph) -> list[Floats]:
    """Position of every node, finest first: a coarse node lies at the mean of its real children."""
    first = np.zeros((len(graph.perm), 3))
    first[graph.rev] = graph.positions
    positions = [first]
    for real in graph.real[:-1]:
        weight = real.reshape(-1, 2, 1).astype(float)
        total = np.maximum(weight.sum(1), 1)
        positions.append((positions[-1].reshape(-1, 2, 3) * weight).sum(1) / total)
    return positions


def _kd_order(points: Floats, block: int) -> Ints:
    """Leaves of a kd-tree one after another, each of ``block`` points but the last."""

    def split(ids: Ints) -> list[Ints]:
        if len(ids) <= block:
            return [ids]
        axis = np.argmax(np.ptp(points[ids], axis=0))
        ids = ids[np.argsort(points[ids, axis], kind="stable")]
        half = (-(-len(ids) // block) // 2) * block
        return split(ids[:half]) + split(ids[half:])

    return np.concatenate(split(np.arange(len(points))))
