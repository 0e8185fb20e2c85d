# SPDX-License-Identifier: Apache-2.0
"""How Pose2Mesh is trained, to the letter where the data allow: its network, losses, noise and optimiser.

What differs from the published training, unless data sets have a weight, is the data: our synthetic people, all of
whose keypoints lie in the image, as the network has no input for missing ones. Joints are regressed from the mesh.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.networks.coarsening import MeshGraph, Rescaling
from hmr_ros.networks.pose2mesh import Pose2Mesh, build_graph, build_pose2mesh, normalise_pose
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.device import moved
from hmr_ros.training.losses import MeshLosses, MeshTargets, Pose2MeshLoss, masked_l1
from hmr_ros.training.real.data_sets import DataSets
from hmr_ros.training.real.labels import labelled
from hmr_ros.training.real.people import mesh_keypoints
from hmr_ros.training.recipes import Arrays, mix_of
from hmr_ros.training.recipes.joints import SOURCES, Regressor, joint_report
from hmr_ros.training.synthetic.noise import synthetic_error
from hmr_ros.training.synthetic.people import PeopleBatch, PeopleSampler, VertexSubset


class Batch(NamedTuple):
    """``pose2d`` (B, J, 2) normalised; ``pose3d`` (B, J, 3) mm and ``vertices`` (B, V, 3) m, each relative to its root.

    ``pose3d_mask`` and ``vertices_mask`` (B, 1, 1) are 1 where those are known, 0 for people of data sets without.
    """

    pose2d: Tensor
    pose3d: Tensor
    vertices: Tensor
    pose3d_mask: Tensor
    vertices_mask: Tensor


class JointedSource(Protocol):
    """Draws people; ``regressor`` (J, S) reads their joints from the vertices that it poses."""

    @property
    def regressor(self) -> Float32s:
        """Of the network's joint set."""

    def sample(self, rng: Generator, count: int) -> PeopleBatch:
        """``count`` people."""


class PaperRecipe:
    """Pose2Mesh as published: PoseNet first ("lift"), then both ("mesh")."""

    def __init__(self, config: TrainConfig, motion: Motion, body: BodyModel, topology: Arrays | None) -> None:
        self._config, self._motion, self._body = config, motion, body
        self._data = DataSets(config.data, body) if config.data.weights else None
        self._joint_set = JOINT_SETS[config.paper.joint_set]
        self._root = self._joint_set.index(str(self._joint_set.root))
        self._regressor = body.regressor(self._joint_set.name)
        rescaling = cast("Rescaling", config.paper.rescaling)
        self.topology = topology or build_graph(body, rescaling, config.paper.shape).to_arrays()
        self._network = build_network(config, body, self.topology)
        faces, regressor = torch.from_numpy(body.faces), torch.from_numpy(self._regressor)
        self._mesh_loss = Pose2MeshLoss(faces, regressor)
        self._human36m = Regressor(body.regressor("human36m"))
        unlearnt = {"mesh_loss": self._mesh_loss, "human36m": self._human36m}
        self.modules = nn.ModuleDict({"network": self._network} | unlearnt)

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """PoseNet, then everything."""
        return [(self._network.posenet if stage == "lift" else self._network, 1.0)]

    def sampler(self, split: str, stage: str) -> JointedSource:
        """People, whole in the image; PoseNet alone needs only the vertices that its joints are made of."""
        used = np.flatnonzero(self._regressor.any(0))
        joints = VertexSubset(used, self._regressor[:, used]) if stage == "lift" else None
        if self._data is None:
            return self._synthetic(split, joints)
        synthetic = self._synthetic(split, joints) if self._config.data.motion and split == "train" else None
        return self._data.people(split, self._joint_set, mesh_keypoints, joints, synthetic)

    def _synthetic(self, split: str, joints: VertexSubset | None) -> PeopleSampler:
        mix = mix_of(split, self._config.people)
        return PeopleSampler(self._motion.select(split), self._body, self._joint_set.name, mix, joints)

    def batch(self, sampler: JointedSource, rng: Generator, count: int, noisy: bool | None = None) -> Batch:
        """``count`` samples; ``noisy``: whether their 2D poses have the paper's errors (None: as the settings say)."""
        people = labelled(sampler.sample(rng, count), sampler.regressor)
        pixels: Floats = people.pixels
        if self._config.paper.errors == "synthetic" if noisy is None else noisy:
            pixels = synthetic_error(pixels, self._joint_set.name, None, rng)
        pose3d = people.targets
        of_mesh = (sampler.regressor @ people.vertices)[:, self._root, None]
        return Batch(
            normalise_pose(torch.from_numpy(pixels.astype(np.float32))),
            torch.from_numpy(1000 * (pose3d - pose3d[:, self._root, None])),
            torch.from_numpy(people.vertices - of_mesh),
            torch.from_numpy(people.jointed.astype(np.float32))[:, None, None],
            torch.from_numpy(people.fitted.astype(np.float32))[:, None, None],
        )

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """The paper's terms with their weights."""
        known = batch.pose3d_mask
        if stage == "lift":
            return {"lift": masked_l1(self._network.posenet(batch.pose2d), batch.pose3d, known)}
        targets = MeshTargets(batch.vertices, batch.pose3d, batch.pose3d, batch.vertices_mask, known, known)
        epoch = 1 + int(progress * self._config.mesh.epochs)
        losses: MeshLosses = self._mesh_loss(self._network(batch.pose2d), targets)
        return losses.weighted(self._config.paper_loss, epoch)

    @torch.no_grad()
    def validate(self, sampler: JointedSource, stage: str) -> dict[str, float]:
        """Errors of PoseNet's joints ("lift", if they are Human3.6M's) or of the mesh's."""
        report: dict[str, float] = {}
        network = self._network.eval()
        for source in SOURCES:
            people = self._config.run.validation_people
            batch = moved(self.batch(sampler, default_rng(12345), people, source == "error"), self.modules)
            if stage == "lift":
                error = torch.linalg.vector_norm(network.posenet(batch.pose2d) - batch.pose3d, dim=-1)
                report[f"lift_{source}"] = float(error.mean())
                continue
            chunks = [network(pose2d).vertices for pose2d in batch.pose2d.split(64)]
            predicted = torch.cat([self._human36m(vertices) for vertices in chunks])
            report |= joint_report(source, predicted, self._human36m(batch.vertices))
        network.train()
        return report


def build_network(config: TrainConfig, body: BodyModel, topology: Arrays) -> Pose2Mesh:
    """The untrained network on the graphs of ``topology``."""
    return build_pose2mesh(config.paper, body, MeshGraph.from_arrays(topology))
