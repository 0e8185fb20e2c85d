# SPDX-License-Identifier: Apache-2.0
"""Node order for deployment: the nodes of each level as patches of the rest mesh.

With neighbours side by side, applying a graph Laplacian is one gather and one batched dense product
(chebyshev.BlockLaplacian), which inference engines run several times faster than anything sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.networks.coarsening import MeshGraph

BLOCK = 32
"""Nodes per patch; the fastest of 16 to 64 on a CPU, and what tensor cores like."""

Cut = Literal["planes", "surface"]
"""How patches are cut: by a kd-tree's planes, or across the surface, whose halos are up to a quarter smaller."""

SMOOTHING = 20
"""Rounds of averaging over neighbours, which straighten the cuts."""


@dataclass(frozen=True, eq=False)
class BlockedGraph:
    """A ``MeshGraph`` for deployment: no padding nodes of the tree, neighbours side by side, whole blocks of nodes.

    ``laplacians`` one (M_l, M_l) per level, zero rows on the block padding at the end; ``nodes`` (n_l,) the
    MeshGraph node at each position; ``parents`` per level but the coarsest, (M_l,) position one level
    coarser; ``node_of_vertex`` (V,) finest position of each vertex.
    """

    laplacians: tuple[csr_array, ...]
    nodes: tuple[Int64s, ...]
    parents: tuple[Int64s, ...]
    node_of_vertex: Int64s
    block: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Nodes per level with block padding, finest first."""
        return tuple(laplacian.shape[0] for laplacian in self.laplacians)


def block_order(graph: MeshGraph, block: int = BLOCK, cut: Cut = "planes") -> BlockedGraph:
    """Order each level so that ``block`` consecutive nodes are one patch of the rest mesh."""
    nodes = tuple(
        _leaves(
            np.flatnonzero(real), block, _along_widest_axis(points) if cut == "planes" else _end_to_end(matrix, points)
        )
        for real, matrix, points in zip(graph.real, graph.laplacians, _node_positions(graph), strict=True)
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


def _inverse(ids: Int64s, size: int) -> Int64s:
    """Positions (size,) of the nodes ``ids`` (n,) in it: 0 where a node is missing."""
    position = np.zeros(size, np.int64)
    position[ids] = np.arange(len(ids))
    return position


def _node_positions(graph: MeshGraph) -> list[Floats]:
    """Position of every node, finest first: a coarse node lies at the mean of its real children."""
    first = np.zeros((len(graph.perm), 3))
    first[graph.rev] = graph.positions
    positions: list[Floats] = [first]
    for real in graph.real[:-1]:
        weight = real.reshape(-1, 2, 1).astype(float)
        total = np.maximum(weight.sum(1), 1)
        positions.append((positions[-1].reshape(-1, 2, 3) * weight).sum(1) / total)
    return positions


def _leaves(ids: Int64s, block: int, key: Callable[[Int64s], Floats]) -> Int64s:
    """Halve ``ids`` at the median of ``key(ids)`` until ``block`` are left; only the last leaf may be smaller.

    ``ids`` (n,) node ids; ``key`` maps some of them (m,) to what they are sorted by (m,).
    """
    if len(ids) <= block:
        return ids
    ids = ids[np.argsort(key(ids), kind="stable")]
    half = (-(-len(ids) // block) // 2) * block
    return np.concatenate([_leaves(ids[:half], block, key), _leaves(ids[half:], block, key)])


def _along_widest_axis(points: Floats) -> Callable[[Int64s], Floats]:
    """Key of node ids (n,) -> (n,): the coordinate of ``points`` (N, 3) m that varies most among them."""

    def key(ids: Int64s) -> Floats:
        out: Floats = points[ids, np.argmax(np.ptp(points[ids], axis=0))]
        return out

    return key


def _end_to_end(laplacian: csr_array, points: Floats) -> Callable[[Int64s], Floats]:
    """Each node's position between the two ends of its part of the surface, smoothed over neighbours.

    One end is the node farthest from an arbitrary one, the other the node farthest from that. It cuts limbs and
    sheets across, where a plane would cut through the front and back of a hand at once.

    ``laplacian`` (N, N) for its links; ``points`` (N, 3) m. The key maps node ids (n,) to (n,) m.
    """
    entries = laplacian.tocoo()
    linked = entries.row != entries.col
    rows, columns = entries.row[linked], entries.col[linked]
    lengths = np.linalg.norm(points[rows] - points[columns], axis=1)
    surface = csr_array((np.maximum(lengths, 1e-6), (rows, columns)), shape=laplacian.shape)

    def key(ids: Int64s) -> Floats:
        part = surface[ids][:, ids].tocsr()
        apart = part.sum()  # farther than anything connected

        def distance(node: int) -> Floats:
            out: Floats = np.minimum(dijkstra(part, indices=node), apart)
            return out

        one = distance(int(np.argmax(distance(0))))
        other = distance(int(np.argmax(one)))
        return _smoothed(one - other, part)

    return key


def _smoothed(values: Floats, adjacency: csr_array) -> Floats:
    """``values`` (n,) averaged with those of adjacent nodes, SMOOTHING times; ``adjacency`` (n, n)."""
    average = adjacency.copy()
    average.data = np.ones_like(average.data)
    neighbours = np.maximum(average.sum(1), 1)
    for _ in range(SMOOTHING):
        values = (values + (average @ values) / neighbours) / 2
    return values
