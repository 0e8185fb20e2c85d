# SPDX-License-Identifier: Apache-2.0
"""Compact Pose2Mesh, the shipped one: the paper's two steps in small networks that know the camera.

Input is not bare pixels but the person as its virtual camera sees it (core/geometry/virtual_camera.py) with a score per
keypoint, so the network knows focal length, position in the image and missing joints. ``LiftingNet`` plays
PoseNet's part and ``CoarseMeshNet`` MeshNet's: graph convolutions from coarse to fine, but only up to about a thousand
nodes; a fixed sparse map (upsampling.py) does the rest. Tensors are (B, ...); lengths in metres, relative to the pelvis
joint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s, Floats, Int64s, Ints
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JOINT_SETS, SMPL, joint_set_named
from hmr_ros.networks.blocks import BLOCK, BlockedGraph, block_order
from hmr_ros.networks.chebyshev import BlockLaplacian, ClenshawConv
from hmr_ros.networks.coarsening import MeshGraph, build_mesh_graph
from hmr_ros.networks.upsampling import fit_upsampling, representative_vertices

JOINT_CHANNELS = 16
"""Features of each joint beside its position, from the lifting network: twist, shape, all that is no point."""


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of compact Pose2Mesh."""

    joint_set: str = setting("coco_feet", doc="2D joints that are read", choices=tuple(JOINT_SETS))
    width: int = setting(512, doc="features of the lifting network", low=8)
    blocks: int = setting(4, doc="residual blocks of the lifting network", low=1)
    dropout: float = setting(0.0, doc="fraction of its features dropped in training", low=0, high=0.9)
    channels: int = setting(32, doc="features per mesh node", low=4)
    coarsest: int = setting(7, doc="times the mesh is halved where the graph convolutions start", low=1, high=9)
    finest: int = setting(4, doc="times it is halved where they end", low=0, high=9)


@dataclass(frozen=True, eq=False)
class CompactTopology:
    """What the network knows of the mesh; it travels with the checkpoint.

    ``graph`` its coarsening, ``finest`` and ``coarsest`` the levels in use; ``vertices`` (n,) the vertex that each node
    of the finest level stands for; ``skinning`` (n, 24) their weights; ``upsampling`` (V, n).
    """

    graph: MeshGraph
    finest: int
    coarsest: int
    vertices: Int64s
    skinning: Float32s
    upsampling: csr_array

    @cached_property
    def _blocked(self) -> BlockedGraph:
        return block_order(self.graph)

    @property
    def laplacians(self) -> tuple[csr_array, ...]:
        """Rescaled Laplacian of each level in use, finest first, in block order."""
        return self._blocked.laplacians[self.finest : self.coarsest + 1]

    @property
    def parents(self) -> tuple[Int64s, ...]:
        """For each level in use but the coarsest: every node's parent one level coarser."""
        return self._blocked.parents[self.finest : self.coarsest]

    @property
    def order_of_vertices(self) -> Int64s:
        """(V,) index of each vertex when the vertices are sorted into patches."""
        return self._blocked.node_of_vertex

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays that hold everything; read back by ``from_arrays``."""
        graph = {f"graph.{name}": array for name, array in self.graph.to_arrays().items()}
        up = self.upsampling
        return graph | {
            "levels": np.array([self.finest, self.coarsest]),
            "vertices": self.vertices,
            "skinning": self.skinning,
            "upsampling.data": up.data,
            "upsampling.indices": up.indices,
            "upsampling.indptr": up.indptr,
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> CompactTopology:
        """Inverse of ``to_arrays``."""
        graph = {k.removeprefix("graph."): v for k, v in arrays.items() if k.startswith("graph.")}
        up = tuple(arrays[f"upsampling.{part}"] for part in ("data", "indices", "indptr"))
        finest, coarsest = np.asarray(arrays["levels"], np.int64).tolist()
        vertices, skinning = np.asarray(arrays["vertices"], np.int64), np.asarray(arrays["skinning"], np.float32)
        upsampling = csr_array(up, shape=(len(up[2]) - 1, len(vertices)))
        return CompactTopology(MeshGraph.from_arrays(graph), finest, coarsest, vertices, skinning, upsampling)


def build_topology(bodies: Floats, faces: Ints, weights: Floats, config: CompactConfig) -> CompactTopology:
    """Coarsen the mesh ``faces`` (F, 3) with skinning ``weights`` (V, 24), and fit the up-sampling.

    ``bodies`` (S, V, 3) m: bodies in many poses and shapes, the first one in the rest pose.
    """
    graph = build_mesh_graph(faces, bodies[0], config.coarsest, rescaling="textbook")
    of_node = np.zeros(graph.sizes[config.finest], np.int64)
    of_node[graph.real[config.finest]] = representative_vertices(graph, config.finest)
    vertices = of_node[block_order(graph).nodes[config.finest]]
    upsampling = fit_upsampling(bodies, faces, vertices)
    return CompactTopology(
        graph, config.finest, config.coarsest, vertices, weights[vertices].astype(np.float32), upsampling
    )


class ResidualBlock(nn.Module):
    """Pre-activation residual block of two layers, as in PoseNet, with LayerNorm: the same in training and use."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width)),
            *(nn.LayerNorm(width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, W) -> (B, W)."""
        out: Tensor = x + self.body(x)
        return out


class LiftingNet(nn.Module):
    """Keypoints in a virtual camera -> 3D joints with their expected error, and features per joint."""

    def __init__(self, config: CompactConfig, joints: int = SMPL.size) -> None:
        """``joints``: how many are lifted."""
        super().__init__()
        width, self._joints = config.width, joints
        self.first = nn.Linear(joint_set_named(config.joint_set).size * 3 + 1, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, config.dropout) for _ in range(config.blocks)))
        self.norm = nn.LayerNorm(width)
        self.joints = nn.Linear(width, joints * 3)
        self.features = nn.Linear(width, joints * JOINT_CHANNELS)
        self.joint_error = nn.Linear(width, joints)

    def hidden(self, keypoints: Tensor, context: Tensor) -> Tensor:
        """Keypoints (B, J, 3) x, y, score and context (B, 1) -> hidden features (B, W)."""
        out: Tensor = self.norm(self.blocks(self.first(torch.cat([keypoints.flatten(1), context], 1))))
        return out

    def heads(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden features (B, W) -> joints (B, 24, 3) m, features (B, 24, C) and expected joint error (B, 24) m.

        Learning the joint error must not change the features, so its gradient stops at them.
        """
        joints = self.joints(hidden).reshape(-1, self._joints, 3)
        features = self.features(hidden).reshape(-1, self._joints, JOINT_CHANNELS)
        return joints - joints[:, :1], features, 0.05 * torch.exp(self.joint_error(hidden.detach()))

    def forward(self, keypoints: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keypoints (B, J, 3) and context (B, 1) -> joints, features, joint error as from ``heads``."""
        return self.heads(self.hidden(keypoints, context))


class NodeFirstLaplacian(BlockLaplacian):
    """The same product for tensors (N, B, F): a batch adds columns to each patch's product, and nothing is copied."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, B, F) -> (N, B, F)."""
        patches, _, width = self.weights.shape
        halos = x.index_select(0, self.gather).reshape(patches, width, -1)
        return (self.weights @ halos).reshape(self.nodes, -1, x.shape[2])


class CoarseMeshNet(nn.Module):
    """3D joints and their features -> mesh nodes, by graph convolutions from the coarsest graph up.

    Each node starts at the skinning-weighted mean of the joints; the network adds the difference. Tensors in
    between are (N, B, F): nodes first.
    """

    skinning: Tensor

    def __init__(self, topology: CompactTopology, channels: int) -> None:
        super().__init__()
        laplacians, parents = topology.laplacians, topology.parents
        levels = len(laplacians)
        self.coarsest = laplacians[-1].shape[0]
        self.seed = nn.Linear(SMPL.size * (3 + JOINT_CHANNELS), self.coarsest * channels)
        self.laplacians = nn.ModuleList(NodeFirstLaplacian(laplacian) for laplacian in laplacians)
        self.convolutions = nn.ModuleList(ClenshawConv(channels, channels) for _ in range(levels))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(levels))
        self.last = nn.Linear(channels, 3)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)
        for level, parent in enumerate(parents):
            self.register_buffer(f"parents{level}", torch.from_numpy(parent), persistent=False)
        padded = np.zeros((laplacians[0].shape[0], SMPL.size), np.float32)
        padded[: len(topology.skinning)] = topology.skinning
        self.register_buffer("skinning", torch.from_numpy(padded), persistent=False)

    def forward(self, joints: Tensor, features: Tensor) -> Tensor:
        """Joints (B, 24, 3) m and features (B, 24, C) -> nodes (B, N, 3) m, block padding included."""
        seed = torch.cat([joints, features], -1).flatten(1)
        x = self.seed(seed).reshape(-1, self.coarsest, self.last.in_features).transpose(0, 1)
        for level in reversed(range(len(self.laplacians))):
            x = x + torch.relu(self.convolutions[level](self.norms[level](x), self.laplacians[level]))
            if level:
                x = x.index_select(0, self.get_buffer(f"parents{level - 1}"))
        out: Tensor = self.skinning @ joints + self.last(x).transpose(0, 1)
        return out


class Upsampling(nn.Module):
    """Mesh nodes -> vertices by a fixed sparse map, patch by patch: neighbouring vertices read the same nodes."""

    order: Tensor

    def __init__(self, topology: CompactTopology) -> None:
        super().__init__()
        order = topology.order_of_vertices
        rows = topology.upsampling[np.argsort(order)]
        size = -(-len(order) // BLOCK) * BLOCK
        rows.resize(size, topology.laplacians[0].shape[0])
        self.patches = BlockLaplacian(rows)
        self.register_buffer("order", torch.from_numpy(order), persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """Nodes (B, N, 3) m -> vertices (B, V, 3) m."""
        out: Tensor = self.patches(nodes).index_select(1, self.order)
        return out


class CompactPose2Mesh(nn.Module):
    """The whole network; its ``forward`` is exported.

    It lifts a person and their mirror image, and takes the mean of both: what it errs about one of them only is halved,
    and who is mirrored is lifted as their mirror image. The weights are read once for both: most of what lifting
    one person takes.

    ``keypoints`` (B, J, 3) x, y in the virtual camera and score; ``context`` (B, 1): see core/geometry/virtual_camera.
    """

    input_names = ("keypoints", "context")
    output_names = ("vertices", "joints", "joint_error")

    keypoint_mirror: Tensor
    joint_mirror: Tensor
    flip: Tensor

    def __init__(self, topology: CompactTopology, config: CompactConfig) -> None:
        super().__init__()
        self.lifting = LiftingNet(config)
        mirrors = {"keypoint_mirror": JOINT_SETS[config.joint_set].mirror, "joint_mirror": SMPL.mirror}
        for name, mirror in mirrors.items():
            self.register_buffer(name, torch.from_numpy(mirror), persistent=False)
        self.register_buffer("flip", torch.tensor([-1.0, 1.0, 1.0]), persistent=False)
        self.mesh = CoarseMeshNet(topology, config.channels)
        self.upsampling = Upsampling(topology)

    def with_mirror(self, keypoints: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints (B, J, 3) and context (B, 1), each before those of the mirror image: (2B, J, 3), (2B, 1)."""
        mirrored = keypoints.index_select(1, self.keypoint_mirror) * self.flip
        return torch.stack([keypoints, mirrored], 1).flatten(0, 1), torch.stack([context, context], 1).flatten(0, 1)

    def mean_with_mirror(self, joints: Tensor, features: Tensor, joint_error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What ``LiftingNet.heads`` says of people and mirror images (2B, ...) -> the same of the people (B, ...).

        Features are those of the person alone: what they mean in the mirror is not known.
        """
        person, mirror = joints.unflatten(0, (-1, 2)).unbind(1)
        error, other_error = joint_error.unflatten(0, (-1, 2)).unbind(1)
        turned = mirror.index_select(1, self.joint_mirror) * self.flip
        expected = (error + other_error.index_select(1, self.joint_mirror)) / 2
        return (person + turned) / 2, features.unflatten(0, (-1, 2))[:, 0], expected

    def nodes(self, keypoints: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keypoints and context -> mesh nodes (B, N, 3) m, lifted joints (B, 24, 3) m, joint error (B, 24) m."""
        joints, features, joint_error = self.mean_with_mirror(*self.lifting(*self.with_mirror(keypoints, context)))
        return self.mesh(joints, features), joints, joint_error

    def forward(self, keypoints: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keypoints and context -> vertices (B, V, 3) m, joints (B, 24, 3) m, joint error (B, 24) m."""
        nodes, joints, joint_error = self.nodes(keypoints, context)
        return self.upsampling(nodes), joints, joint_error
