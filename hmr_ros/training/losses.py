# SPDX-License-Identifier: Apache-2.0
"""The losses of Pose2Mesh: three on the mesh's shape, one on its joints, one on the lifted pose.

A mask is broadcast against its prediction and multiplies prediction and target; the mean is over all elements, masked
ones included, as in the paper's code. As there, the normal and edge losses ignore the masks: where a mesh is unknown,
give the rest mesh as its target.

Source: Choi et al., "Pose2Mesh", ECCV 2020, section 4.3 and its released code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hmr_ros.core.settings import setting
from hmr_ros.networks.pose2mesh import Pose2MeshOutput


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, the paper's by default."""

    vertex: float = setting(1.0, doc="of the vertex loss, m", low=0)
    joint: float = setting(1e-3, doc="of the joint loss, mm", low=0)
    normal: float = setting(0.1, doc="of the surface normal loss", low=0)
    edge: float = setting(20.0, doc="of the edge length loss, m", low=0)
    lift: float = setting(1e-3, doc="of PoseNet's loss, mm", low=0)
    edge_start_epoch: int = setting(7, doc="the edge loss counts in epochs after this one (first epoch: 1)", low=0)


@dataclass(frozen=True, eq=False)
class MeshTargets:
    """The ground truth for a batch, relative to the joint set's root, camera axes.

    ``vertices`` (B, V, 3) m; ``joints`` (B, K, 3) mm; ``pose3d`` (B, J, 3) mm; each mask broadcasts against its
    namesake, e.g. (B, 1, 1) or (B, J, 1), 1 = known.
    """

    vertices: Tensor
    joints: Tensor
    pose3d: Tensor
    vertices_mask: Tensor
    joints_mask: Tensor
    pose3d_mask: Tensor


@dataclass(frozen=True, eq=False)
class MeshLosses:
    """Unweighted losses of Pose2Mesh, scalar tensors."""

    vertex: Tensor
    joint: Tensor
    normal: Tensor
    edge: Tensor
    lift: Tensor

    def weighted(self, weights: LossConfig, epoch: int) -> dict[str, Tensor]:
        """The terms of the total in ``epoch``, which counts from 1."""
        terms = {
            "vertex": weights.vertex * self.vertex,
            "joint": weights.joint * self.joint,
            "normal": weights.normal * self.normal,
            "lift": weights.lift * self.lift,
        }
        return terms | ({"edge": weights.edge * self.edge} if epoch > weights.edge_start_epoch else {})


class Pose2MeshLoss(nn.Module):
    """All losses of the second stage; the first stage is ``masked_l1`` on PoseNet's output alone."""

    faces: Tensor
    regressor: Tensor

    def __init__(self, faces: Tensor, regressor: Tensor) -> None:
        """``faces`` (F, 3) vertex ids; ``regressor`` (K, V) reads the target joints from vertices."""
        super().__init__()
        self.register_buffer("faces", faces.long(), persistent=False)
        self.register_buffer("regressor", regressor, persistent=False)

    def forward(self, output: Pose2MeshOutput, targets: MeshTargets) -> MeshLosses:
        """Compare a batch with the ground truth."""
        predicted, ground_truth = self._edges(output.vertices), self._edges(targets.vertices)
        joints = self.regressor @ (1000 * output.vertices)
        return MeshLosses(
            vertex=masked_l1(output.vertices, targets.vertices, targets.vertices_mask),
            joint=masked_l1(joints, targets.joints, targets.joints_mask),
            normal=normal_loss(predicted, ground_truth),
            edge=edge_loss(predicted, ground_truth),
            lift=masked_l1(output.pose3d, targets.pose3d, targets.pose3d_mask),
        )

    def _edges(self, vertices: Tensor) -> Tensor:
        """(B, V, 3) -> (B, F, 3, 3): the edge vectors around each face."""
        corners = vertices.index_select(1, self.faces.flatten()).unflatten(1, self.faces.shape)
        out: Tensor = corners.roll(-1, 2) - corners
        return out


def joint_error_loss(error: Tensor, joint_error: Tensor) -> Tensor:
    """Smallest where ``joint_error`` is the mean of ``error`` (both (B, 24) m); the root has none.

    The likelihood of an exponential distribution: unlike a Gaussian's, no outlier can run away with it.
    """
    return (torch.log(joint_error[:, 1:]) + error[:, 1:] / joint_error[:, 1:]).mean()


def masked_l1(predicted: Tensor, ground_truth: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference over all elements, masked ones counted as 0.

    All (B, N, 3) in the unit of the result, or what broadcasts to it.
    """
    return F.l1_loss(predicted * mask, ground_truth * mask)


def normal_loss(predicted: Tensor, ground_truth: Tensor) -> Tensor:
    """Mean |cosine| between predicted edges and true face normals; both (B, F, 3, 3) edge vectors."""
    normals = F.normalize(torch.linalg.cross(ground_truth[:, :, 0], ground_truth[:, :, 1]), dim=-1)
    return (F.normalize(predicted, dim=-1) * normals[:, :, None]).sum(-1).abs().mean()


def edge_loss(predicted: Tensor, ground_truth: Tensor) -> Tensor:
    """Mean difference of edge lengths, m; both (B, F, 3, 3) edge vectors."""
    out: Tensor = (predicted.norm(dim=-1) - ground_truth.norm(dim=-1)).abs().mean()
    return out
