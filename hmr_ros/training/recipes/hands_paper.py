# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh on hands as published: its network, losses, optimiser and schedule, on FreiHAND or on sampled open hands.

What differs is the 2D input: the paper trains on a detector's joints, and here errors are drawn. FreiHAND's four
versions of a sample are other backgrounds, so without a detector they give the same joints.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.hand_model import HandModel, load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.metrics import pa_mpjpe
from hmr_ros.networks.coarsening import MeshGraph
from hmr_ros.networks.hand_pose2mesh_paper import build_hand_graph, build_hand_pose2mesh
from hmr_ros.networks.pose2mesh import Pose2Mesh, normalise_pose
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import moved
from hmr_ros.training.freihand_hands import freihand_sampler
from hmr_ros.training.losses import MeshLosses, MeshTargets, Pose2MeshLoss, masked_l1
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.recipes.joints import SOURCES
from hmr_ros.training.synthetic.hands import HandBatch, HandSampler

_VALIDATION_SEED = 12345
_REGRESSOR = "joint_regressor"
_AT_ONCE = 64


class Batch(NamedTuple):
    """``pose2d`` (B, 21, 2) normalised; ``pose3d`` (B, 21, 3) mm and ``vertices`` (B, 778, 3) m about the wrist."""

    pose2d: Tensor
    pose3d: Tensor
    vertices: Tensor


class HandSource(Protocol):
    """Draws hands."""

    def sample(self, rng: Generator, count: int) -> HandBatch:
        """``count`` hands."""


class HandPaperRecipe:
    """Pose2Mesh on hands as published: PoseNet first ("lift"), then both ("mesh")."""

    def __init__(self, config: TrainConfig, topology: Arrays | None) -> None:
        self._config, self._hand = config, load_hand_model(hand_path(config))
        if self._hand.side != "right":
            raise ValueError(f"freihand.hand: expected a right hand, {hand_path(config)} is a left one")
        self.topology = topology or _topology(config, self._hand)
        self._network = build_network(config, self.topology)
        self._regressor = np.asarray(self.topology[_REGRESSOR], np.float32)
        self._mesh_loss = Pose2MeshLoss(torch.from_numpy(self._hand.faces), torch.from_numpy(self._regressor))
        self.modules = nn.ModuleDict({"network": self._network, "mesh_loss": self._mesh_loss})

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """PoseNet, then everything."""
        return [(self._network.posenet if stage == "lift" else self._network, 1.0)]

    def sampler(self, split: str, stage: str) -> HandSource:
        """FreiHAND's training or evaluation set, or open hands, drawn by the same law for both."""
        config = self._config
        if config.freihand.directory:
            return freihand_sampler(Path(config.freihand.directory), split, self._hand, config.hand_mix)
        return HandSampler(self._hand, config.hand_mix)

    def batch(self, sampler: HandSource, rng: Generator, count: int, noisy: bool | None = None) -> Batch:
        """``count`` samples; ``noisy``: whether their points have errors (None: as the settings say)."""
        hands = sampler.sample(rng, count)
        noisy = self._config.freihand.errors == "synthetic" if noisy is None else noisy
        joints = self._regressor @ hands.vertices
        wrist = joints[:, :1]
        pose2d = torch.from_numpy(hands.normalized if noisy else hands.exact)
        return Batch(
            normalise_pose(pose2d), torch.from_numpy(1000 * (joints - wrist)), torch.from_numpy(hands.vertices - wrist)
        )

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """The paper's terms with their weights."""
        known = batch.pose3d.new_ones(1)
        if stage == "lift":
            return {"lift": masked_l1(self._network.posenet(batch.pose2d), batch.pose3d, known)}
        targets = MeshTargets(batch.vertices, batch.pose3d, batch.pose3d, known, known, known)
        epoch = 1 + int(progress * self._config.mesh.epochs)
        losses: MeshLosses = self._mesh_loss(self._network(batch.pose2d), targets)
        return losses.weighted(self._config.paper_loss, epoch)

    @torch.no_grad()
    def validate(self, sampler: HandSource, stage: str) -> dict[str, float]:
        """Errors of PoseNet's joints ("lift"), or after alignment of the mesh and its joints, mm."""
        report: dict[str, float] = {}
        network = self._network.eval()
        for source in SOURCES:
            count = self._config.run.validation_people
            batch = moved(self.batch(sampler, default_rng(_VALIDATION_SEED), count, source == "error"), self.modules)
            if stage == "lift":
                error = torch.linalg.vector_norm(_in_parts(network.posenet, batch.pose2d) - batch.pose3d, dim=-1)
                report[f"lift_{source}"] = float(error.mean())
                continue
            vertices = _in_parts(lambda pose2d: network(pose2d).vertices, batch.pose2d)
            joints = network.joint_regressor @ vertices
            report[f"pa_mpjpe_{source}"] = _aligned_error(1000 * joints, batch.pose3d)
            report[f"pa_mpvpe_{source}"] = _aligned_error(1000 * vertices, 1000 * batch.vertices)
        network.train()
        return report


def hand_path(config: TrainConfig) -> Path:
    """The hand model that ``config`` trains on: the user's, or the shipped open hand."""
    return Path(config.freihand.hand) if config.freihand.hand else models_dir() / "open_hand.npz"


def build_network(config: TrainConfig, topology: Arrays) -> Pose2Mesh:
    """The untrained network on the graphs of ``topology``, which also holds what reads its joints."""
    return build_hand_pose2mesh(
        config.hands_paper, MeshGraph.from_arrays(topology), np.asarray(topology[_REGRESSOR], np.float32)
    )


def _topology(config: TrainConfig, hand: HandModel) -> Arrays:
    graph = build_hand_graph(config.hands_paper, hand)
    return {**graph.to_arrays(), _REGRESSOR: np.asarray(hand.keypoint_regressor, np.float32)}


def _in_parts(network: Callable[[Tensor], Tensor], pose2d: Tensor) -> Tensor:
    return torch.cat([network(part) for part in pose2d.split(_AT_ONCE)])


def _aligned_error(predicted: Tensor, ground_truth: Tensor) -> float:
    """Mean PA-MPJPE of points (B, N, 3) mm, mm."""
    p, t = (_metres(points) for points in (predicted, ground_truth))
    return float(pa_mpjpe(p, t).mean())


def _metres(points: Tensor) -> Floats:
    return np.asarray(points.double().cpu().numpy() / 1000)
