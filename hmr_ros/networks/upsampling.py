# SPDX-License-Identifier: Apache-2.0
"""From a few hundred mesh nodes to every vertex: a fixed sparse linear map, fitted to posed bodies.

Skin moves almost affinely with the skin around it, so a vertex is a weighted sum of nearby nodes with weights that add
up to one, in every pose and shape. The weights are a least-squares fit; no network layer has to run on the fine mesh.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from hmr_ros.core.arrays import Floats, Int64s, Ints
from hmr_ros.networks.coarsening import MeshGraph, face_adjacency

NEIGHBOURS = 12
"""Nodes a vertex depends on."""

RIDGE = 3e-3
"""Pull towards equal weights, relative to the variance of the nodes: large weights would amplify a network's noise."""


def representative_vertices(graph: MeshGraph, level: int) -> Int64s:
    """(n,) the vertex nearest the middle of each real node of ``level``, in that level's order of real nodes."""
    vertices = graph.perm[graph.real[0]]
    cluster = np.flatnonzero(graph.real[0]) >> level
    positions = graph.positions[vertices]
    nodes, member = np.unique(cluster, return_inverse=True)
    middle = np.stack([np.bincount(member, positions[:, a]) for a in range(3)], 1) / np.bincount(member)[:, None]
    distance = np.linalg.norm(positions - middle[member], axis=1)
    order = np.lexsort((distance, member))
    first = np.searchsorted(member[order], np.arange(len(nodes)))
    return vertices[order[first]]


def fit_upsampling(bodies: Floats, faces: Ints, nodes: Int64s) -> csr_array:
    """(V, n) map that rebuilds ``bodies`` (S, V, 3) from their vertices ``nodes`` (n,).

    ``bodies`` should vary in pose and shape; the first one defines which nodes are near a vertex, along the surface.
    """
    near = _nearest_along_surface(bodies[0], faces, nodes)
    around = bodies[:, nodes[near]].transpose(1, 0, 3, 2)  # (V, S, 3, K)
    origin = around.mean(-1, keepdims=True)
    design = (around - origin).reshape(len(near), -1, NEIGHBOURS).astype(np.float64)
    target = (bodies.transpose(1, 0, 2) - origin[..., 0]).reshape(len(near), -1, 1)
    gram = design.transpose(0, 2, 1) @ design
    gram += RIDGE * np.trace(gram, axis1=1, axis2=2)[:, None, None] / NEIGHBOURS * np.eye(NEIGHBOURS)
    # Weights that add up to one: deviations from the mean weight 1/K, whose part along (1, ..., 1) the origin absorbs.
    weights = np.linalg.solve(gram, design.transpose(0, 2, 1) @ target)[..., 0]
    weights += (1 - weights.sum(1, keepdims=True)) / NEIGHBOURS
    rows = np.repeat(np.arange(len(near)), NEIGHBOURS)
    return csr_array((weights.ravel(), (rows, near.ravel())), shape=(len(near), len(nodes)))


def _nearest_along_surface(vertices: Floats, faces: Ints, nodes: Int64s) -> Int64s:
    """(V, K) the ``nodes`` nearest to each vertex on the mesh's edges: never across from thigh to thigh."""
    edges = face_adjacency(faces, len(vertices)).tocoo()
    length = np.linalg.norm(vertices[edges.row] - vertices[edges.col], axis=1)
    distance = dijkstra(csr_array((length, (edges.row, edges.col)), shape=edges.shape), indices=nodes)
    return np.argsort(distance, axis=0, kind="stable")[:NEIGHBOURS].T
