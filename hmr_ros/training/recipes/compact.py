# SPDX-License-Identifier: Apache-2.0
"""How compact Pose2Mesh is trained: samples, losses, validation.

Two stages, as in the paper: "lift" trains the 2D -> 3D network alone, "mesh" the whole. Unlike the paper, the mesh loss
reaches the lifting network too, and distances are Euclidean norms in metres: what MPJPE and MPVPE measure.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.skeleton import HUMAN36M, JOINT_SETS
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.networks.compact_pose2mesh import CompactPose2Mesh, CompactTopology, build_topology
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.device import moved
from hmr_ros.training.lifting_weights import load_lifting
from hmr_ros.training.losses import joint_error_loss
from hmr_ros.training.precision import hidden_precision
from hmr_ros.training.real.data_sets import DataSets
from hmr_ros.training.real.people import annotated_keypoints
from hmr_ros.training.recipes import Arrays, PeopleSource, mix_of
from hmr_ros.training.recipes.joints import SOURCES, Regressor, joint_report
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleSampler, VertexSubset, sample_betas
from hmr_ros.training.synthetic.poses import PoseSource

EDGE_WEIGHT = 0.5
"""Of the edge lengths' error; distances in m have weight 1."""

JOINT_ERROR_WEIGHT = 0.01
"""Of the expected error's likelihood, which is a logarithm and not in m."""

FITTING_BODIES = 400
"""Random bodies that the up-sampling is fitted to."""

HEAD_PEOPLE = 6000
"""People that the head of the stage "lift" is fitted to, of a network that was exported without it."""

LIFTING_FRACTION = 0.5
"""Learning rate of the lifting network in the stage "mesh", as a fraction of the mesh's."""

OBSERVED = {"true": KeypointMix(clean=1.0), "error": KeypointMix("coco", clean=0.0, weak=1.0, strong=1.0, scored=0.0)}
"""How keypoints are observed in a validation."""


class Batch(NamedTuple):
    """What a step trains on: virtual camera axes, metres, relative to the pelvis joint.

    ``keypoints`` (B, J, 3) and ``context`` (B, 1) as in core/geometry/virtual_camera.py; ``joints`` (B, 24, 3);
    ``nodes`` (B, n, 3) mesh nodes; ``surface`` (B, S, 3) Human3.6M joints and 2D keypoints in 3D, regressed from the
    mesh.
    """

    keypoints: Tensor
    context: Tensor
    joints: Tensor
    nodes: Tensor
    surface: Tensor


class CompactRecipe:
    """Compact Pose2Mesh: lifting alone ("lift"), then the whole ("mesh")."""

    def __init__(self, config: TrainConfig, motion: Motion, body: BodyModel, topology: Arrays | None) -> None:
        self._config, self._motion, self._body = config, motion, body
        self._data = DataSets(config.data, body).fitted_only() if config.data.weights else None
        self._topology = (
            CompactTopology.from_arrays(topology) if topology else _topology(config, motion.select("train"), body)
        )
        self._network = CompactPose2Mesh(self._topology, config.compact)
        if topology is None and config.run.lifting:
            load_lifting(self._network.lifting, Path(config.run.lifting))
        self._joint_set = JOINT_SETS[config.compact.joint_set]
        # Keypoints are read from the network's mesh nodes, through the up-sampling: good to a millimetre, and a tenth
        # of the vertices to pose. Evaluation poses all of them.
        upsampling = self._topology.upsampling.toarray()
        self._keypoints = body.regressor(self._joint_set.name) @ upsampling
        human36m = body.regressor("human36m") @ upsampling
        self._surface = np.concatenate([human36m, self._keypoints]).astype(np.float32)
        # Lifting alone also predicts surface points: they fix the twist of limbs and head, which joints leave open.
        self._lift_head = nn.Linear(config.compact.width, 3 * len(self._surface))
        self._human36m, self._edge_lengths = Regressor(human36m), EdgeLengths(_node_edges(self._topology))
        unlearnt = {"human36m": self._human36m, "edge_lengths": self._edge_lengths}
        self.modules = nn.ModuleDict({"network": self._network, "lift_head": self._lift_head} | unlearnt)

    @torch.no_grad()
    def fit_lift_head(self) -> None:
        """Fit the head of the stage "lift" to the lifting network as it is: exported files do not hold it."""
        batch = self.batch(self.sampler("train", "lift"), default_rng(0), HEAD_PEOPLE)
        hidden = self._network.lifting.hidden(batch.keypoints, batch.context)
        known = torch.cat([hidden, torch.ones_like(hidden[:, :1])], 1)
        fitted = torch.linalg.lstsq(known, batch.surface.flatten(1)).solution.T
        self._lift_head.weight.copy_(fitted[:, :-1])
        self._lift_head.bias.copy_(fitted[:, -1])

    @property
    def topology(self) -> Arrays:
        """The graphs and maps of the network."""
        return self._topology.to_arrays()

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """Lifting alone, then the mesh, with lifting following slowly so that it keeps what it has learnt."""
        lifting, mesh = self._network.lifting, self._network.mesh
        return (
            [(lifting, 1.0), (self._lift_head, 1.0)] if stage == "lift" else [(lifting, LIFTING_FRACTION), (mesh, 1.0)]
        )

    def sampler(self, split: str, stage: str) -> PeopleSource:
        """People with the vertices that the network's mesh nodes stand for, the same in both stages."""
        nodes = VertexSubset(self._topology.vertices, self._keypoints)
        if self._data is None:
            return self._synthetic(split, nodes)
        synthetic = self._synthetic(split, nodes) if self._config.data.motion and split == "train" else None
        return self._data.people(split, self._joint_set, annotated_keypoints, nodes, synthetic)

    def _synthetic(self, split: str, nodes: VertexSubset) -> PeopleSampler:
        mix = mix_of(split, self._config.people)
        return PeopleSampler(self._motion.select(split), self._body, self._joint_set.name, mix, nodes)

    def batch(self, sampler: PeopleSource, rng: Generator, count: int, mix: KeypointMix | None = None) -> Batch:
        """``count`` samples; ``mix`` overrides how keypoints are observed."""
        people = sampler.sample(rng, count)
        seen = observe(people, self._joint_set, mix or self._config.keypoints, rng)
        view = to_virtual_camera(people.views.to_normalized(seen.pixels), seen.score)

        def in_virtual_camera(points: Float32s) -> Float32s:
            """Points (B, N, 3) m of the optical frame, relative to the pelvis, in the virtual camera's axes."""
            relative = (points - people.joints[:, :1]).astype(np.float32)
            return relative @ view.optical_from_virtual

        nodes = in_virtual_camera(people.vertices)
        arrays = (view.keypoints, view.context, in_virtual_camera(people.joints), nodes, self._surface @ nodes)
        return Batch(*map(torch.from_numpy, arrays))

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms; ``progress`` changes nothing here."""
        network, seen = self._network, (batch.keypoints, batch.context)
        with hidden_precision(batch.keypoints.device, self._config.run.bfloat16):
            hidden = network.lifting.hidden(*(seen if stage == "lift" else network.with_mirror(*seen)))
        hidden = hidden.float()
        joints, features, joint_error = network.lifting.heads(hidden)
        if stage == "lift":
            surface = self._lift_head(hidden).reshape(batch.surface.shape)
            terms = {"surface": _distance(surface, batch.surface)}
        else:
            joints, features, joint_error = network.mean_with_mirror(joints, features, joint_error)
            nodes = network.mesh(joints, features)[:, : batch.nodes.shape[1]]
            human36m = batch.surface[:, : HUMAN36M.size]
            terms = {
                "nodes": _distance(nodes, batch.nodes),
                "human36m": _distance(self._human36m(nodes), human36m),
                "edges": EDGE_WEIGHT * self._edge_error(nodes, batch.nodes),
            }
        error = torch.linalg.vector_norm(joints - batch.joints, dim=-1)
        return terms | {
            "joints": error[:, 1:].mean(),
            "joint_error": JOINT_ERROR_WEIGHT * joint_error_loss(error.detach(), joint_error),
        }

    def _edge_error(self, nodes: Tensor, target: Tensor) -> Tensor:
        """Mean difference of the lengths of the coarse mesh's edges, m: keeps the surface smooth.

        ``nodes`` and ``target`` (B, n, 3) m.
        """
        out: Tensor = (self._edge_lengths(nodes) - self._edge_lengths(target)).abs().mean()
        return out

    @torch.no_grad()
    def validate(self, sampler: PeopleSource, stage: str) -> dict[str, float]:
        """Errors of the lifted Human3.6M joints ("lift"), or of the mesh's."""
        report: dict[str, float] = {}
        self.modules.eval()
        for source in SOURCES:
            people = self._config.run.validation_people
            batch = moved(self.batch(sampler, default_rng(12345), people, OBSERVED[source]), self.modules)
            ground_truth = batch.surface[:, : HUMAN36M.size]
            report |= joint_report(source, self._human36m_joints(batch, stage), ground_truth)
        self.modules.train()
        return report

    def _human36m_joints(self, batch: Batch, stage: str) -> Tensor:
        """(B, 17, 3) m relative to the pelvis, virtual camera's axes."""
        if stage == "lift":
            hidden = self._network.lifting.hidden(batch.keypoints, batch.context)
            out: Tensor = self._lift_head(hidden).reshape(batch.surface.shape)[:, : HUMAN36M.size]
            return out
        nodes, _, _ = self._network.nodes(batch.keypoints, batch.context)
        return self._human36m.forward(nodes[:, : batch.nodes.shape[1]])


class EdgeLengths(nn.Module):
    """Lengths of edges; moves with the modules it is among, learns nothing."""

    edges: Tensor

    def __init__(self, edges: Int64s) -> None:
        """``edges`` (2, E) node ids."""
        super().__init__()
        self.register_buffer("edges", torch.from_numpy(edges), persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        """(B, n, 3) -> (B, E), in the unit of ``nodes``."""
        a, b = self.edges
        out: Tensor = torch.linalg.vector_norm(nodes[:, a] - nodes[:, b], dim=-1)
        return out


def build_network(config: TrainConfig, body: BodyModel, topology: Arrays) -> CompactPose2Mesh:
    """The untrained network on the graphs of ``topology``, which know all it needs of the body."""
    return CompactPose2Mesh(CompactTopology.from_arrays(topology), config.compact)


def _distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean Euclidean distance of points (B, N, 3) m."""
    out: Tensor = torch.linalg.vector_norm(predicted - target, dim=-1).mean()
    return out


def _node_edges(topology: CompactTopology) -> Int64s:
    """(2, E) edges of the finest level in use."""
    entries = topology.laplacians[0].tocoo()
    upper = entries.row < entries.col
    return np.stack([entries.row[upper], entries.col[upper]]).astype(np.int64)


def _topology(config: TrainConfig, motion: Motion, body: BodyModel) -> CompactTopology:
    """Coarsen the body's mesh and fit the up-sampling on random bodies, the first one at rest."""
    rng = default_rng(config.run.seed)
    pose = PoseSource(motion, config.people.poses).sample(rng, FITTING_BODIES).rotvecs
    betas = sample_betas(config.people.shapes, rng, FITTING_BODIES)
    pose[0], betas[0] = 0, 0
    rotations = torch.from_numpy(rotvec_to_rotmat(pose.astype(np.float64)).astype(np.float32))
    model = TorchBodyModel(body)
    bodies = model.posed(rotations[:, 0], rotations[:, 1:], torch.from_numpy(betas.astype(np.float32))).vertices
    return build_topology(bodies.numpy(), body.faces, body.weights, config.compact)
