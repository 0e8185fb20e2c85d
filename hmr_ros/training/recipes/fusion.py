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
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import SMPL_PARENTS
from hmr_ros.networks.fusion import FusionNet
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.device import moved
from hmr_ros.training.lifted import Lifter, lifted_chunk
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.synthetic.sequences import SequenceSampler
from hmr_ros.training.windows import RUN, Windows, WindowSampler, mirrored, prepared

ROTATION_WEIGHT = 0.03
"""Of the rotations' error, Frobenius norm: joints do not show how a head or a forearm is twisted."""

ERROR_WEIGHT = 0.01
"""Of the expected errors' likelihood, which is a logarithm and not in m."""

FAST_M_S = 0.5
"""Speed of a joint at which an error of its motion counts twice."""

TREMBLING_S = 1 / 30
"""Interval at which second differences and lag count in full; at longer ones they are motion, and a part of an image:
both count less in proportion."""

MM = 1000.0


class Batch(NamedTuple):
    """The fields of PoseWindows and of Windows, as tensors: B runs of RUN images, run after run."""

    rotations: Tensor
    joints: Tensor
    joint_error: Tensor
    age: Tensor
    mask: Tensor
    true: Tensor
    future: Tensor
    future_known: Tensor
    usable: Tensor
    rest: Tensor
    seen_rest: Tensor
    world_from_virtual: Tensor
    slow_error: Tensor
    velocity: Tensor
    interval: Tensor
    newest: Tensor
    number: Tensor
    virtual_from_then: Tensor
    begins: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network reads beside its own answers."""
        return self.rotations, self.joints, self.joint_error, self.age, self.mask

    def image(self, number: int) -> Batch:
        """That of the runs' images ``number`` (B, ...)."""
        return Batch(*(column[number::RUN] for column in self))


class Memory(NamedTuple):
    """What is left of B runs for those that go on: ``answers`` (B, T, 24, 3, 3) to T images, the root's to optical.

    ``error`` (B, 2, 24, 3) m of the last two images' joints, world axes, and which are ``usable`` (B, 2).
    """

    answers: Tensor
    error: Tensor
    usable: Tensor

    @staticmethod
    def empty(runs: int, images: int, device: torch.device | None = None) -> Memory:
        """Nothing has been answered."""
        joints = len(SMPL_PARENTS)
        return Memory(
            torch.zeros(runs, images, joints, 3, 3, device=device),
            torch.zeros(runs, 2, joints, 3, device=device),
            torch.zeros(runs, 2, dtype=torch.bool, device=device),
        )


class Errors(NamedTuple):
    """m, of N = B RUN windows: ``joint`` (N, 24), ``seen`` (N, 24) with the shape as estimated, ``future``
    (N, 3, 24), ``rotation`` (N, 24), ``motion`` (N, 24): apart from what is wrong for long, more where joints are
    fast; ``acceleration`` (N, 24), where three images are ``in_a_row`` (N,); the expected ones of ``seen``, ``future``.
    """

    joint: Tensor
    seen: Tensor
    future: Tensor
    rotation: Tensor
    motion: Tensor
    behind: Tensor
    acceleration: Tensor
    in_a_row: Tensor
    expected: Tensor
    expected_future: Tensor


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
        memory, found = Memory.empty(people, images), []
        for image in range(0, images - RUN + 1, RUN):
            batch = tensors(sampler.of_run(np.arange(people), np.full(people, image), image == 0))
            errors, memory = errors_of(self._network, moved(batch, self.modules), memory)
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


def errors_of(network: nn.Module, batch: Batch, memory: Memory) -> tuple[Errors, Memory]:
    """How wrong the network is on the runs of ``batch``, and what is left for those that follow."""
    (fused, expected, moved_by, expected_future), answers = answered(network, batch, memory.answers)
    joints, truth = chained(fused, batch.rest), chained(batch.true, batch.rest)
    seen = chained(fused.detach(), batch.seen_rest)
    world = (joints - truth) @ batch.world_from_virtual.mT
    goes_on = ~batch.image(0).begins
    error = torch.cat([memory.error, world.unflatten(0, (-1, RUN))], 1)
    usable = torch.cat([memory.usable & goes_on[:, None], batch.usable.unflatten(0, (-1, RUN))], 1)
    errors = Errors(
        joint=_length(joints - truth),
        seen=_length(seen - truth).detach(),
        future=_length(joints[:, None].detach() + moved_by - batch.future),
        rotation=_length((fused - batch.true).flatten(2)),
        motion=_length(world - batch.slow_error) * (1 + _length(batch.velocity) / FAST_M_S),
        behind=_behind(world - batch.slow_error, batch.velocity),
        acceleration=_length(error[:, :-2] - 2 * error[:, 1:-1] + error[:, 2:]).flatten(0, 1),
        in_a_row=(usable[:, :-2] & usable[:, 1:-1] & usable[:, 2:]).flatten().float(),
        expected=expected,
        expected_future=expected_future,
    )
    return errors, Memory(answers.detach(), error[:, -2:].detach(), usable[:, -2:])


def _behind(error: Tensor, velocity: Tensor) -> Tensor:
    """(N, 24) m by how much joints with the ``error`` (N, 24, 3) m are behind; that of fast ones counts more."""
    speed = _length(velocity)
    return -(error * velocity).sum(-1) / speed * (speed / FAST_M_S).clamp_max(4)


def answered(network: nn.Module, batch: Batch, answers: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """The network's outputs for all windows of ``batch``, image after image, and ``answers`` with them added."""
    rows, found = torch.arange(len(answers), device=answers.device), []
    for number in range(RUN):
        image = batch.image(number)
        earlier = answers[rows[:, None], image.number[:, 1:]]
        outputs = network(*image.inputs, _turned(earlier, image.virtual_from_then[:, 1:]))
        new = torch.where(image.mask[:, 1, None, None, None] > 0, outputs[0], image.rotations[:, 0])
        answers = answers.index_put((rows, image.newest), _turned(new, image.virtual_from_then[:, 0].mT))
        found.append(outputs)
    return tuple(torch.stack(part, 1).flatten(0, 1) for part in zip(*found, strict=True)), answers


def _turned(rotations: Tensor, turn: Tensor) -> Tensor:
    """Rotations (..., 24, 3, 3) with the root's turned by ``turn`` (..., 3, 3)."""
    root = turn @ rotations[..., 0, :, :]
    return torch.cat([root[..., None, :, :], rotations[..., 1:, :, :]], -3)


def chained(rotations: Tensor, rest: Tensor) -> Tensor:
    """Rotations (N, 24, 3, 3) and joints at rest (N, 24, 3) m -> joints (N, 24, 3) m around the pelvis."""
    world, joints = [rotations[:, 0]], [torch.zeros_like(rest[:, 0])]
    for joint, parent in enumerate(SMPL_PARENTS[1:].tolist(), start=1):
        bone = rest[:, joint] - rest[:, parent]
        joints.append(joints[parent] + (world[parent] @ bone[..., None])[..., 0])
        world.append(world[parent] @ rotations[:, joint])
    return torch.stack(joints, 1)


def _surprise(error: Tensor, expected: Tensor) -> Tensor:
    """Negative logarithm of an exponential distribution's likelihood, (..., 24); the pelvis has no error."""
    return torch.log(expected) + error.detach() / expected


def _length(difference: Tensor) -> Tensor:
    """(..., 3) -> (...), with a gradient at 0."""
    out: Tensor = (difference.square().sum(-1) + 1e-10).sqrt()
    return out


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over all joints but the pelvis, of rows (...) with ``weight``; ``values`` (..., 24)."""
    return (values[..., 1:].mean(-1) * weight).sum() / weight.sum().clamp_min(1)


def _float32(array: Floats) -> Floats:
    return array.astype("float32")
