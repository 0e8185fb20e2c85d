# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh on hands in its small form, trained on synthetic open hands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.metrics import pa_mpjpe
from hmr_ros.networks.hand_pose2mesh import HandPose2Mesh
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import moved
from hmr_ros.training.losses import joint_error_loss
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.synthetic.hands import HandBatch, HandSampler

_JOINT_ERROR_WEIGHT = 0.001
_VALIDATION_SEED = 12345


class Batch(NamedTuple):
    """Inputs and ground truth of B hands in their virtual cameras; m, relative to the wrist joint."""

    keypoints: Tensor
    context: Tensor
    joints: Tensor
    vertices: Tensor


class HandRecipe:
    """One stage, "lift": joints, vertices and expected errors at once."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._hand = load_hand_model(models_dir() / "open_hand.npz")
        self._network = HandPose2Mesh(config.hands)
        self.modules = nn.ModuleDict({"network": self._network})

    @property
    def topology(self) -> Arrays:
        """None: the network knows no graph."""
        return {}

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """The network."""
        return [(self._network, 1.0)]

    def sampler(self, split: str, stage: str) -> HandSampler:
        """Hands by the same law for training and validation, which draw others."""
        return HandSampler(self._hand, self._config.hand_mix)

    def batch(self, sampler: HandSampler, rng: Generator, count: int) -> Batch:
        """``count`` samples with errors as a detector makes them."""
        hands = sampler.sample(rng, count)
        return _batch(hands, hands.normalized, hands.score)

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Mean distances of joints and vertices, m, and the likelihood of the joints' errors."""
        vertices, joints, joint_error = self._network(batch.keypoints, batch.context)
        error = torch.linalg.vector_norm(joints - batch.joints, dim=-1)
        return {
            "joints": error[:, 1:].mean(),
            "vertices": torch.linalg.vector_norm(vertices - batch.vertices, dim=-1).mean(),
            "joint_error": _JOINT_ERROR_WEIGHT * joint_error_loss(error.detach(), joint_error),
        }

    @torch.no_grad()
    def validate(self, sampler: HandSampler, stage: str) -> dict[str, float]:
        """Errors after alignment in mm, on exact points and on those with errors."""
        hands = sampler.sample(default_rng(_VALIDATION_SEED), self._config.run.validation_people)
        self.modules.eval()
        report: dict[str, float] = {}
        for source, seen in (("true", hands.exact), ("error", hands.normalized)):
            batch = moved(_batch(hands, seen, np.ones_like(hands.score)), self.modules)
            vertices, joints, _ = self._network(batch.keypoints, batch.context)
            report[f"pa_mpjpe_{source}"] = _aligned_error(joints, batch.joints)
            report[f"pa_mpvpe_{source}"] = _aligned_error(vertices, batch.vertices)
        self.modules.train()
        return report


def build_network(config: TrainConfig) -> HandPose2Mesh:
    """The untrained network."""
    return HandPose2Mesh(config.hands)


def _batch(hands: HandBatch, normalized: Floats, score: Floats) -> Batch:
    view = to_virtual_camera(normalized, score)

    def in_virtual_camera(points: Floats) -> Floats:
        """Points (B, N, 3) m of the optical frame, relative to the wrist, in the virtual camera's axes."""
        return (points - hands.joints[:, :1]) @ view.optical_from_virtual

    arrays = (view.keypoints, view.context, in_virtual_camera(hands.joints), in_virtual_camera(hands.vertices))
    return Batch(*(torch.from_numpy(np.ascontiguousarray(array, np.float32)) for array in arrays))


def _aligned_error(predicted: Tensor, ground_truth: Tensor) -> float:
    """Mean PA-MPJPE of points (B, N, 3) m, mm."""
    p, t = (points.double().cpu().numpy() for points in (predicted, ground_truth))
    return float(pa_mpjpe(p, t).mean())
