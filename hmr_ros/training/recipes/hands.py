# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh on hands in its small form, trained on synthetic open hands, drawn and rendered."""

from __future__ import annotations

from pathlib import Path
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
from hmr_ros.training.datasets.seen_hands import read_seen_hands
from hmr_ros.training.device import moved
from hmr_ros.training.losses import joint_error_loss
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.seen_hands import HandSamplers, SeenHandSampler
from hmr_ros.training.synthetic.hands import HandBatch, HandSampler

_JOINT_ERROR_WEIGHT = 0.001
_VALIDATION_SEED = 12345


class Batch(NamedTuple):
    """Inputs and ground truth of B hands in their virtual cameras; m, relative to the wrist joint."""

    keypoints: Tensor
    context: Tensor
    world: Tensor
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

    def sampler(self, split: str, stage: str) -> HandSamplers:
        """Drawn hands by the same law for training and validation, which draw others; rendered ones of the split."""
        settings = self._config.seen_hands
        drawn = HandSampler(self._hand, self._config.hand_mix)
        if not settings.directory:
            return HandSamplers(drawn, None, 0.0)
        rendered = SeenHandSampler(self._hand, read_seen_hands(Path(settings.directory) / split), settings.blind)
        return HandSamplers(drawn, rendered, settings.fraction)

    def batch(self, sampler: HandSamplers, rng: Generator, count: int) -> Batch:
        """``count`` samples with errors as a detector makes them."""
        hands = sampler.sample(rng, count)
        return _batch(hands, hands.normalized, hands.score)

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Mean distances of joints and vertices, m, and the likelihood of the joints' errors."""
        vertices, joints, joint_error = self._network(batch.keypoints, batch.context, batch.world)
        error = torch.linalg.vector_norm(joints - batch.joints, dim=-1)
        return {
            "joints": error[:, 1:].mean(),
            "vertices": torch.linalg.vector_norm(vertices - batch.vertices, dim=-1).mean(),
            "joint_error": _JOINT_ERROR_WEIGHT * joint_error_loss(error.detach(), joint_error),
        }

    @torch.no_grad()
    def validate(self, sampler: HandSamplers, stage: str) -> dict[str, float]:
        """Errors after alignment in mm: of drawn hands with exact points and with errors, and of rendered ones."""
        count = self._config.run.validation_people
        hands = sampler.drawn.sample(default_rng(_VALIDATION_SEED), count)
        full = np.ones_like(hands.score)
        batches = {"true": _batch(hands, hands.exact, full), "error": _batch(hands, hands.normalized, full)}
        if sampler.rendered is not None:
            seen = sampler.rendered.as_seen(count)
            batches["seen"] = _batch(seen, seen.normalized, seen.score)
        self.modules.eval()
        report = {name: value for source, batch in batches.items() for name, value in self._errors(source, batch)}
        self.modules.train()
        return report

    def _errors(self, source: str, batch: Batch) -> list[tuple[str, float]]:
        """Names and means of the errors on a ``batch``, mm."""
        batch = moved(batch, self.modules)
        vertices, joints, _ = self._network(batch.keypoints, batch.context, batch.world)
        return [
            (f"pa_mpjpe_{source}", _aligned_error(joints, batch.joints)),
            (f"pa_mpvpe_{source}", _aligned_error(vertices, batch.vertices)),
        ]


def build_network(config: TrainConfig) -> HandPose2Mesh:
    """The untrained network."""
    return HandPose2Mesh(config.hands)


def _batch(hands: HandBatch, normalized: Floats, score: Floats) -> Batch:
    view = to_virtual_camera(normalized, score, least_size=0)

    def in_virtual_camera(points: Floats) -> Floats:
        """Points (B, N, 3) m of the optical frame, relative to the wrist, in the virtual camera's axes."""
        return (points - hands.joints[:, :1]) @ view.optical_from_virtual

    inputs = (view.keypoints, view.context, hands.world @ view.optical_from_virtual)
    arrays = (*inputs, in_virtual_camera(hands.joints), in_virtual_camera(hands.vertices))
    return Batch(*(torch.from_numpy(np.ascontiguousarray(array, np.float32)) for array in arrays))


def _aligned_error(predicted: Tensor, ground_truth: Tensor) -> float:
    """Mean PA-MPJPE of points (B, N, 3) m, mm."""
    p, t = (points.double().cpu().numpy() for points in (predicted, ground_truth))
    return float(pa_mpjpe(p, t).mean())
