# SPDX-License-Identifier: Apache-2.0
"""How the fusion over time is trained: on what an exported Pose2Mesh makes of synthetic sequences.

One stage, "fuse". Joints are posed with the true bone lengths, as the fusion decides on rotations alone; the expected
errors are learnt with the shape as estimated by then. Most of a joint's error lasts for seconds, and hides how late and
how calm it is. So two more terms are learnt: the error without that part, which lag makes larger, and that of second
differences. The network reads its own last answers, so runs of images are answered in order, and errors led back
through a whole run; the answers before it are kept as they were.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.records import join_rows
from hmr_ros.networks.fusion import FusionNet
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.device import moved
from hmr_ros.training.fusion_errors import Batch, Errors, Memory, errors_of
from hmr_ros.training.lifted import Lifter, lifted_chunk
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.synthetic.sequences import SequenceSampler
from hmr_ros.training.windows import RUN, Windows, WindowSampler, mirrored, prepared

ROTATION_WEIGHT = 0.03
"""Of the rotations' error, Frobenius norm: joints do not show how a head or a forearm is twisted."""

ERROR_WEIGHT = 0.01
"""Of the expected errors' likelihood, which is a logarithm and not in m."""

TREMBLING_S = 1 / 30
"""Interval at which second differences and lag count in full; at longer ones they are motion, and a part of an image:
both count less in proportion."""

MM = 1000.0


class FusionRecipe:
    """The fusion over time: one stage, "fuse"."""

    def __init__(self, config: TrainConfig, motion: Motion, body: BodyModel) -> None:
        if config.run.workers or config.run.accumulate > 1:
            raise ValueError(
                "the fusion learns from runs that go on from batch to batch: set run.workers to 0, run.accumulate to 1"
            )
        self._config, self._motion, self._body = config, motion, body
        self._network = FusionNet(config.fusion)
        self._memory: Memory | None = None
        self.modules = nn.ModuleDict({"network": self._network})

    @property
    def topology(self) -> Arrays:
        """Nothing: the network knows no mesh."""
        return {}

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """All of the network."""
        return [(self._network, 1.0)]

    def sampler(self, split: str, stage: str) -> WindowSampler:
        """Windows of lifted sequences, which are made where they are missing; of "train" as mirrors show them, too."""
        windows, training = self._config.windows, split == "train"
        lifter = Lifter(Path(windows.estimator or models_dir() / "pose2mesh.json"), self._body)
        source = SequenceSampler(
            self._motion.select(split), self._body, lifter.joint_set, self._config.sequences, self._config.keypoints
        )
        count = windows.chunks if training else windows.validation_chunks
        directory, seed = Path(windows.lifted) / split, self._config.run.seed + (not training)
        chunks = [lifted_chunk(directory, number, seed, lifter, source) for number in range(count)]
        lifted = join_rows([*chunks, *map(mirrored, chunks)] if training else chunks)
        return WindowSampler(prepared(lifted, self._body), self._body, windows.still)

    def batch(self, sampler: WindowSampler, rng: Generator, count: int) -> Batch:
        """The next runs of ``count`` sequences."""
        return tensors(sampler.sample(rng, count))

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms; ``progress`` changes nothing here. Answers are remembered for the next runs."""
        runs, images = len(batch.newest) // RUN, self._config.sequences.images
        if self._memory is None or len(self._memory.answers) != runs:
            self._memory = Memory.empty(runs, images, batch.rotations.device)
        errors, self._memory = errors_of(self._network, batch, self._memory)
        return self._terms(errors, batch)

    def _terms(self, errors: Errors, batch: Batch) -> dict[str, Tensor]:
        windows, usable = self._config.windows, batch.usable.float()
        ahead = batch.future_known.float() * usable[:, None]
        calm = errors.in_a_row * (TREMBLING_S / batch.interval.clamp_min(TREMBLING_S / 2))
        prompt = usable * (TREMBLING_S / batch.interval.clamp_min(TREMBLING_S))
        return {
            "joints": _mean(errors.joint, usable),
            "rotations": ROTATION_WEIGHT * _mean(errors.rotation, usable),
            "motion": windows.motion * _mean(errors.motion, usable),
            "behind": windows.behind * _mean(errors.behind, prompt),
            "acceleration": windows.acceleration * _mean(errors.acceleration, calm),
            "forecast": windows.forecast * _mean(errors.future, ahead),
            "joint_error": ERROR_WEIGHT * _mean(_surprise(errors.seen, errors.expected), usable),
            "forecast_error": ERROR_WEIGHT * _mean(_surprise(errors.future, errors.expected_future), ahead),
        }

    @torch.no_grad()
    def validate(self, sampler: WindowSampler, stage: str) -> dict[str, float]:
        """mm: of joints, of second differences, of forecasts; of people from their first image on."""
        self.modules.eval()
        people, images = sampler.shape
        people = min(people, self._config.run.validation_people)
        device = next(self._network.parameters()).device
        memory, found = Memory.empty(people, images, device), []
        for image in range(0, images - RUN + 1, RUN):
            batch = tensors(sampler.of_run(np.arange(people), np.full(people, image), image == 0))
            batch = moved(batch, self.modules)
            errors, memory = errors_of(self._network, batch, memory)
            found.append(self._scores(errors, batch))
        self.modules.train()
        return {name: sum(each[name] for each in found) / len(found) for name in found[0]}

    def _scores(self, errors: Errors, batch: Batch) -> dict[str, float]:
        usable = batch.usable.float()
        ahead = batch.future_known.float() * usable[:, None]
        return {
            "joints": MM * float(_mean(errors.joint, usable)),
            "motion": MM * float(_mean(errors.motion, usable)),
            "acceleration": MM * float(_mean(errors.acceleration, errors.in_a_row)),
            "forecast": MM * float(_mean(errors.future, ahead)),
        }


def build_network(config: TrainConfig) -> FusionNet:
    """The untrained network."""
    return FusionNet(config.fusion)


def tensors(windows: Windows) -> Batch:
    """``windows`` as a batch."""
    inputs = windows.poses.of_images
    truth = (windows.rotations, windows.future, windows.future_known, windows.usable)
    bodies = (windows.rest, windows.seen_rest, windows.world_from_virtual, windows.slow_error)
    places = (windows.newest, windows.number)
    rest = (
        *map(_float32, (*bodies, windows.velocity, windows.interval)),
        *places,
        _float32(windows.poses.virtual_from_then),
    )
    return Batch(*map(torch.from_numpy, (*inputs.values(), *truth, *rest, windows.begins)))


def _surprise(error: Tensor, expected: Tensor) -> Tensor:
    """Negative logarithm of an exponential distribution's likelihood, (..., 24); the pelvis has no error."""
    return torch.log(expected) + error.detach() / expected


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over all joints but the pelvis, of rows (...) with ``weight``; ``values`` (..., 24)."""
    return (values[..., 1:].mean(-1) * weight).sum() / weight.sum().clamp_min(1)


def _float32(array: Floats) -> Floats:
    return array.astype("float32")
