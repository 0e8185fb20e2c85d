# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh as published: a 2D pose lifted to 3D by PoseNet, then to a mesh by MeshNet.

PoseNet predicts millimetres and MeshNet metres, as in the paper's code, and no gradient flows from the mesh to PoseNet:
it learns from its own loss only. Poses are normalised per person, so scale and position in the image are unknown.

Source: Choi, Moon, Lee, "Pose2Mesh: Graph Convolutional Network for 3D Human Pose and Mesh Recovery from a 2D Human
Pose", ECCV 2020.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JOINT_SETS, JointSet
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.networks.coarsening import (
    MeshGraph,
    Rescaling,
    VisitingOrder,
    build_mesh_graph,
    joint_laplacian,
    stable_order,
)
from hmr_ros.networks.mesh_heads import FC_WIDTH, SmplGraph, SmplMLP, SmplParameters, VertexMLP
from hmr_ros.networks.meshnet import (
    BODY_SHAPE,
    HAND_SHAPE,
    DeployedMeshNet,
    MeshNet,
    MeshNetShape,
    coarse_to_fine,
    direct,
    narrowed,
    without_inner_blocks,
)
from hmr_ros.networks.posenet import PAPER_WIDTH, PoseNet

POSE_FEATURES = 5
"""Per joint: its normalised 2D position and PoseNet's 3D position in m."""


@dataclass(frozen=True)
class Pose2MeshConfig:
    """The paper's network and its ablations."""

    joint_set: str = setting("human36m", doc="2D joints that are read", choices=("human36m", "coco", "smpl"))
    posenet_width: int = setting(PAPER_WIDTH, doc="features of PoseNet", low=8)
    dropout: float = setting(0.5, doc="fraction of PoseNet's features dropped in training", low=0, high=0.9)
    target: str = setting("vertices", doc="what MeshNet's part predicts", choices=("vertices", "smpl"))
    network: str = setting("graph", doc="by graph convolutions or fully connected", choices=("graph", "fc"))
    route: str = setting(
        "coarse_to_fine",
        doc="of graph convolutions; direct: all on the finest graph; direct_short: without the widest blocks",
        choices=("coarse_to_fine", "direct", "direct_short"),
    )
    levels: int = setting(8, doc="mesh graphs: 8 as for SMPL's 6,890 vertices, 5 as for MANO's 778", choices=(8, 5))
    narrower: int = setting(1, doc="features of graph convolutions are the paper's divided by this", low=1, high=32)
    fc_width: int = setting(FC_WIDTH, doc="features of the fully connected network", low=8)
    rescaling: str = setting("pose2mesh", doc="of the Laplacians", choices=("pose2mesh", "textbook"))
    errors: str = setting("synthetic", doc="of the 2D poses that are trained on", choices=("synthetic", "none"))

    @property
    def shape(self) -> MeshNetShape:
        """The authors' blocks for so many graphs, before ``narrower``."""
        return next(shape for shape in (BODY_SHAPE, HAND_SHAPE) if len(shape.levels) == self.levels)


class Pose2MeshOutput(NamedTuple):
    """``vertices`` (B, V, 3) m and ``pose3d`` (B, J, 3) mm, both relative to the joint set's root, camera axes."""

    vertices: Tensor
    pose3d: Tensor


class Pose2Mesh(nn.Module):
    """(B, J, 2) normalised poses -> vertices and 3D poses."""

    joint_regressor: Tensor

    input_names = ("keypoints",)
    output_names = ("vertices", "joints")

    def __init__(self, posenet: PoseNet, mesh: nn.Module, joint_set: JointSet, joint_regressor: Tensor) -> None:
        """``mesh`` maps pose features (B, J, 5) to vertices; ``joint_regressor`` (K, V) makes the exported joints."""
        super().__init__()
        self.posenet, self.mesh, self.joint_set = posenet, mesh, joint_set
        self.register_buffer("joint_regressor", joint_regressor, persistent=False)

    def forward(self, pose2d: Tensor) -> Pose2MeshOutput:
        """``pose2d`` (B, J, 2) as ``normalise_pose`` makes it -> vertices and 3D pose."""
        pose3d = self.posenet(pose2d)
        features = torch.cat([pose2d, pose3d.detach() / 1000], -1)
        return Pose2MeshOutput(self.mesh(features), pose3d)

    def export_module(self) -> DeployedPose2Mesh:
        """The same network for inference, from pixels."""
        return DeployedPose2Mesh(self)

    def example_inputs(self, batch: int = 2) -> tuple[Tensor, ...]:
        """Keypoints in px that may be fed to ``export_module()``."""
        return (torch.rand(batch, self.joint_set.size, 2, generator=torch.Generator().manual_seed(0)) * 400 + 100,)


class DeployedPose2Mesh(nn.Module):
    """Keypoints (N, J, 2) px -> vertices (N, V, 3) and joints (N, K, 3), m, relative to the first of the joints.

    Of bodies: SMPL's 24 joints, the first of which is the pelvis.
    """

    joint_regressor: Tensor

    def __init__(self, trained: Pose2Mesh) -> None:
        super().__init__()
        self.posenet = copy.deepcopy(trained.posenet)
        self.mesh = _deployed(trained.mesh)
        self.register_buffer("joint_regressor", trained.joint_regressor, persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints (N, J, 2) px -> vertices (N, V, 3) m and joints (N, K, 3) m."""
        pose2d = normalise_pose(keypoints)
        vertices = self.mesh(torch.cat([pose2d, self.posenet(pose2d) / 1000], -1))
        joints = self.joint_regressor @ vertices
        root = joints.narrow(1, 0, 1)
        return vertices - root, joints - root


def _deployed(mesh: nn.Module) -> nn.Module:
    if isinstance(mesh, MeshNet):
        return DeployedMeshNet(mesh)
    mesh = copy.deepcopy(mesh)
    if isinstance(mesh, SmplGraph) and isinstance(mesh.meshnet, MeshNet):
        mesh.meshnet = DeployedMeshNet(mesh.meshnet)
    return mesh


def normalise_pose(keypoints: Tensor) -> Tensor:
    """(B, J, 2) in any pixel frame -> zero mean and unit standard deviation of x and y, each over the joints.

    The paper first crops the person and scales the crop; both cancel here. It has no guard against a pose without
    extent.
    """
    centred = keypoints - keypoints.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True).sqrt() + 1e-8)


def build_graph(
    body: SkinnedModel, rescaling: Rescaling, shape: MeshNetShape = BODY_SHAPE, order: VisitingOrder = stable_order
) -> MeshGraph:
    """The graphs of the paper's decoder: one coarsening more than it uses, as that decides the order of the tree."""
    levels = len(shape.levels)
    return build_mesh_graph(body.faces, body.v_template, levels + 1, rescaling, order).finest(levels)


def build_pose2mesh(
    config: Pose2MeshConfig, body: BodyModel, graph: MeshGraph, shape: MeshNetShape | None = None
) -> Pose2Mesh:
    """An untrained network. ``graph`` comes from ``build_graph``, or from the checkpoint whose weights follow.

    ``shape``: None is that of ``config``.
    """
    joint_set = JOINT_SETS[config.joint_set]
    posenet = PoseNet(joint_set.size, config.posenet_width, config.dropout)
    mesh = _build_mesh(config, body, graph, shape or config.shape)
    return Pose2Mesh(posenet, mesh, joint_set, torch.from_numpy(body.J_regressor).float())


def _build_mesh(config: Pose2MeshConfig, body: BodyModel, graph: MeshGraph, shape: MeshNetShape) -> nn.Module:
    joint_set = JOINT_SETS[config.joint_set]
    features, vertices = POSE_FEATURES * joint_set.size, body.vertex_count
    if config.target == "vertices":
        if config.network == "fc":
            return VertexMLP(features, vertices, config.fc_width)
        return _build_meshnet(config, graph, shape)
    root = torch.from_numpy(body.regressor(joint_set.name)[joint_set.index(str(joint_set.root))]).float()
    decoder = SmplParameters(TorchBodyModel(body), root)
    if config.network == "fc":
        return SmplMLP(features, decoder, config.fc_width)
    return SmplGraph(_build_meshnet(config, graph, shape), vertices, decoder)


def _build_meshnet(config: Pose2MeshConfig, graph: MeshGraph, shape: MeshNetShape) -> MeshNet:
    """``shape`` is the paper's; ``config`` may ask for fewer features, other levels or fewer blocks."""
    shape = narrowed(shape, config.narrower)
    if config.route == "direct_short":
        shape = without_inner_blocks(shape)
    levels = len(shape.levels)
    route = coarse_to_fine(levels) if config.route == "coarse_to_fine" else direct(levels)
    return MeshNet(joint_laplacian(JOINT_SETS[config.joint_set]), graph, shape, route)
