# SPDX-License-Identifier: Apache-2.0
"""MeshNet: from a pose to a mesh, by graph convolutions on ever finer graphs.

``MeshNet`` is the trained form: plain sparse products on the padded tree of ``coarsening``. ``DeployedMeshNet``
computes the same (test: to 1e-5 m) in the form of ``chebyshev.ClenshawConv``: padding nodes dropped, batch norms
folded, up-sampling and vertex order as one gather each.

Source: Choi et al., "Pose2Mesh", ECCV 2020, and the block widths of its released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional as F

from hmr_ros.core.arrays import Int64s
from hmr_ros.networks.blocks import BlockedGraph, block_order
from hmr_ros.networks.chebyshev import BlockLaplacian, ChebConv, ClenshawConv, DenseLaplacian, SparseLaplacian
from hmr_ros.networks.coarsening import MeshGraph

Widths = tuple[int, ...]
"""Features through one block of convolutions: (in, ..., out)."""


@dataclass(frozen=True)
class MeshNetShape:
    """Widths of every block: ``pose`` on the joint graph, ``levels`` one per mesh graph, coarsest first, ``last``."""

    pose: Widths
    levels: tuple[Widths, ...]
    last: Widths

    def __post_init__(self) -> None:
        chain = (*self.levels, self.last)
        if any(before[-1] != after[0] for before, after in pairwise(chain)) or self.pose[-1] != chain[0][0]:
            raise ValueError(f"MeshNetShape: each block must start at the width the one before ends with, got {self}")


BODY_SHAPE = MeshNetShape(
    pose=(5, 32, 64, 64),
    levels=((64, 128, 256), *[(256, 256, 256)] * 4, (256, 128, 128), (128, 128, 128), (128, 128, 128)),
    last=(128, 64, 3),
)
"""The paper's body: 9 coarsenings, of which the 8 finest graphs are used."""

HAND_SHAPE = MeshNetShape(
    pose=(5, 32, 64, 64),
    levels=((64, 128, 256), *[(256, 256, 256)] * 3, (256, 128, 128)),
    last=(128, 64, 3),
)
"""The paper's hand (MANO): 6 coarsenings, of which the 5 finest graphs are used."""


def narrowed(shape: MeshNetShape, divisor: int) -> MeshNetShape:
    """``shape`` with all features divided by ``divisor`` but the input's and the output's; at least one each."""

    def less(widths: Widths) -> Widths:
        return tuple(max(1, width // divisor) for width in widths)

    pose, last = (shape.pose[0], *less(shape.pose[1:])), (*less(shape.last[:-1]), shape.last[-1])
    return MeshNetShape(pose, tuple(map(less, shape.levels)), last)


def without_inner_blocks(shape: MeshNetShape) -> MeshNetShape:
    """``shape`` without the blocks that keep the number of features at its widest, and so may be left out."""
    widest = max(max(widths) for widths in shape.levels)
    levels = tuple(widths for widths in shape.levels if set(widths) != {widest})
    return MeshNetShape(shape.pose, levels, shape.last)


class GraphBlock(nn.Module):
    """Chebyshev convolutions, each with batch norm and ReLU, on one graph.

    ``residual`` adds the block's input after the last ReLU, its features resampled to the new width by linear
    interpolation along the feature axis. ``output`` leaves the last convolution bare.
    """

    def __init__(self, widths: Widths, residual: bool = False, output: bool = False) -> None:
        super().__init__()
        self.convs = nn.ModuleList(ChebConv(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(b) for b in (widths[1:-1] if output else widths[1:]))
        self.residual = residual

    def forward(self, x: Tensor, laplacian: nn.Module) -> Tensor:
        """(B, N, widths[0]) -> (B, N, widths[-1])."""
        skip = x
        for index, conv in enumerate(self.convs):
            x = conv(x, laplacian)
            if index < len(self.norms):
                x = F.relu(self.norms[index](x.flatten(0, 1)).view_as(x))
        return x + F.interpolate(skip, x.shape[2], mode="linear") if self.residual else x


Route = tuple[int, ...]
"""Level of the graph that each block of ``MeshNetShape.levels`` runs on, 0 = finest."""


def coarse_to_fine(levels: int) -> Route:
    """One level finer at each block: the method."""
    return tuple(reversed(range(levels)))


def direct(levels: int) -> Route:
    """``levels`` blocks, all on the finest graph: the paper's ablation.

    No details of it are published (docs/ablation.md). Here the Linear layer still makes the coarsest level's nodes (to
    make all the finest ones it would need 10^9 weights), which are copied to all their descendants at once.
    """
    return (0,) * levels


class MeshNet(nn.Module):
    """(B, J, F) pose features -> (B, V, 3) vertices in m.

    A Linear layer maps the joints to the coarsest graph's nodes; on the way to a finer level every node is copied to
    its two children.
    """

    rev: Tensor

    def __init__(
        self, joint_laplacian: csr_array, graph: MeshGraph, shape: MeshNetShape = BODY_SHAPE, route: Route | None = None
    ) -> None:
        """``graph`` has one level per entry of ``shape.levels`` (see ``MeshGraph.finest``), unless ``route`` is given.

        ``route``: the level of each entry of ``shape.levels``; ValueError where it does not fit the graph.
        """
        super().__init__()
        levels = len(graph.laplacians)
        self.graph, self.joint_matrix = graph, joint_laplacian
        self.route = coarse_to_fine(levels) if route is None else route
        if len(self.route) != len(shape.levels) or max(self.route) >= levels:
            raise ValueError(f"expected a graph of {len(shape.levels)} levels, got {levels}")
        operators = {level: SparseLaplacian(graph.laplacians[level]) for level in set(self.route)}
        self.laplacians = nn.ModuleList(operators[level] for level in self.route)
        self.joint_laplacian = SparseLaplacian(joint_laplacian)
        self.pose = GraphBlock(shape.pose)
        self.lift = nn.Linear(joint_laplacian.shape[0] * shape.pose[-1], graph.sizes[-1] * shape.levels[0][0])
        self.blocks = nn.ModuleList(GraphBlock(widths, residual=True) for widths in shape.levels)
        self.last = GraphBlock(shape.last, output=True)
        self.register_buffer("rev", torch.from_numpy(graph.rev), persistent=False)

    def nodes(self, x: Tensor) -> Tensor:
        """(B, J, F) -> (B, N_0, 3): the finest graph's nodes in tree order, padding included."""
        x = self.lift(self.pose(x, self.joint_laplacian).flatten(1))
        x = x.unflatten(1, (self.graph.sizes[-1], -1))
        for (before, level), block, laplacian in zip(
            _steps(self.route, self.graph), self.blocks, self.laplacians, strict=True
        ):
            x = block(x.repeat_interleave(2 ** (before - level), 1), laplacian)
        out: Tensor = self.last(x, self.laplacians[-1])
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, F) -> (B, V, 3) m, in the mesh's vertex order."""
        return self.nodes(x).index_select(1, self.rev)


def _steps(route: Route, graph: MeshGraph) -> list[tuple[int, int]]:
    """(level before, level of) each block; the Linear layer leaves the nodes at the coarsest level."""
    return list(pairwise((len(graph.laplacians) - 1, *route)))


class DeployedGraph(nn.Module):
    """The graph a block runs on, and how nodes come there: ``copy`` up-samples, ``copied_laplacian`` is L after it."""

    def __init__(self, laplacian: nn.Module, copy: nn.Module, copied_laplacian: nn.Module) -> None:
        super().__init__()
        self.laplacian, self.copy, self.copied_laplacian = laplacian, copy, copied_laplacian


class DeployedBlock(nn.Module):
    """A ``GraphBlock`` in evaluation mode, with batch norms folded, and the up-sampling before it."""

    def __init__(self, block: GraphBlock) -> None:
        super().__init__()
        norms = [*block.norms, *[None] * (len(block.convs) - len(block.norms))]
        convs = [_folded(conv, norm) for conv, norm in zip(block.convs, norms, strict=True)]
        self.convs = nn.ModuleList(convs)
        self.activations = len(block.norms)
        self.skip = _resampling(convs[0].direct.in_features, convs[-1].direct.out_features)
        self.residual = block.residual

    def forward(self, x: Tensor, graph: DeployedGraph) -> Tensor:
        """(B, M, widths[0]) before up-sampling -> (B, N, widths[-1])."""
        first = self.convs[0]
        assert isinstance(first, ClenshawConv), "made in the constructor"
        y = first.upsampled(x, graph.copy, graph.copied_laplacian, graph.laplacian)
        for index, conv in enumerate(self.convs):
            y = y if index == 0 else conv(y, graph.laplacian)
            y = F.relu(y) if index < self.activations else y
        out: Tensor = y + graph.copy(self.skip(x)) if self.residual else y
        return out


def _folded(conv: nn.Module, norm: nn.Module | None) -> ClenshawConv:
    """A convolution of a ``GraphBlock`` with the norm that follows it, None after the last one of a network."""
    assert isinstance(conv, ChebConv), "GraphBlock is made of these"
    assert norm is None or isinstance(norm, nn.BatchNorm1d)
    return ClenshawConv.from_chebyshev(conv, norm)


def _resampling(features_in: int, features_out: int) -> nn.Module:
    """Linear interpolation of the feature axis as a fixed matrix, which every engine runs."""
    if features_in == features_out:
        return nn.Identity()
    matrix = F.interpolate(torch.eye(features_in)[None], features_out, mode="linear")[0]
    linear = nn.Linear(features_in, features_out, bias=False)
    linear.weight.data = matrix.T.contiguous()
    return linear


class CopyNodes(nn.Module):
    """Give each node the features of an ancestor: up-sampling as one gather."""

    ancestors: Tensor

    def __init__(self, ancestors: Int64s) -> None:
        super().__init__()
        self.register_buffer("ancestors", torch.from_numpy(ancestors), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F) -> (B, M, F)."""
        return x.index_select(1, self.ancestors)


class DeployedMeshNet(nn.Module):
    """The exact equivalent of a trained ``MeshNet``, for inference only."""

    def __init__(self, net: MeshNet) -> None:
        super().__init__()
        blocked = block_order(net.graph, cut="surface")
        laplacians = {level: BlockLaplacian(blocked.laplacians[level], blocked.block) for level in {*net.route, 0}}
        graphs = [_arrive(blocked, laplacians[level], before, level) for before, level in _steps(net.route, net.graph)]
        self.graphs = nn.ModuleList([*graphs, _stay(laplacians[0])])
        self.blocks = nn.ModuleList(
            DeployedBlock(block) for block in (*net.blocks, net.last) if isinstance(block, GraphBlock)
        )
        self.pose, self.pose_graph = DeployedBlock(net.pose), _stay(DenseLaplacian(net.joint_matrix))
        self.coarse_nodes = blocked.sizes[-1]
        self.lift = _select_nodes(net.lift, net.graph.sizes[-1], blocked.nodes[-1], self.coarse_nodes)
        self.vertices = CopyNodes(blocked.node_of_vertex)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, F) -> (B, V, 3) m."""
        x = self.lift(self.pose(x, self.pose_graph).flatten(1)).unflatten(1, (self.coarse_nodes, -1))
        for block, graph in zip(self.blocks, self.graphs, strict=True):
            x = block(x, graph)
        out: Tensor = self.vertices(x)
        return out


def _stay(laplacian: nn.Module) -> DeployedGraph:
    return DeployedGraph(laplacian, nn.Identity(), laplacian)


def _arrive(blocked: BlockedGraph, laplacian: nn.Module, before: int, level: int) -> DeployedGraph:
    """The graph of ``level``, entered from level ``before``: the same or a coarser one."""
    if before == level:
        return _stay(laplacian)
    ancestors = blocked.parents[level]
    for coarser in range(level + 1, before):
        ancestors = blocked.parents[coarser][ancestors]
    nodes = np.arange(len(ancestors))
    copies = csr_array((np.ones(len(nodes)), (nodes, ancestors)), shape=(len(nodes), blocked.sizes[before]))
    copied = (blocked.laplacians[level] @ copies).tocsr()
    return DeployedGraph(laplacian, CopyNodes(ancestors), BlockLaplacian(copied, blocked.block))


def _select_nodes(linear: nn.Linear, nodes: int, kept: Int64s, size: int) -> nn.Linear:
    """``linear`` for the output nodes ``kept`` only, then zeros up to ``size`` nodes.

    ``kept`` (n,) of the ``nodes`` output nodes -> a layer of ``size`` output nodes, n <= size.
    """
    features = linear.out_features // nodes
    selected = nn.Linear(linear.in_features, size * features)
    index = torch.from_numpy(kept)
    for name in ("weight", "bias"):
        source = getattr(linear, name).data.unflatten(0, (nodes, features))
        target = torch.zeros(size, *source.shape[1:])
        target[: len(kept)] = source[index]
        getattr(selected, name).data = target.flatten(0, 1)
    return selected
