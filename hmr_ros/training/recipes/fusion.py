# SPDX-License-Identifier: Apache-2.0
"""How the fusion over time is trained: on what an exported Pose2Mesh makes of synthetic sequences.

One stage, "fuse". Joints are posed with the true bone lengths, as the fusion decides on rotations alone; the expected
errors are learnt with the shape as estimated by then. Most of a joint's error lasts for seconds, and hides how late and
how calm it is. So two more terms are learnt: the error without that part, which lag makes larger, and that of second
differences, over the windows of three images one after another.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from numpy.random import Generator, default_rng
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
from hmr_ros.training.windows import NEIGHBOURS, Windows, WindowSampler, mirrored, prepared

ROTATION_WEIGHT = 0.03
"""Of the rotations' error, Frobenius norm: joints do not show how a head or a forearm is twisted."""

ERROR_WEIGHT = 0.01
"""Of the expected errors' likelihood, which is a logarithm and not in m."""

FAST_M_S = 0.5
"""Speed of a joint at which an error of its motion counts twice."""

MM = 1000.0


class Batch(NamedTuple):
    """The fields of PoseWindows and of Windows, as tensors."""

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
    stamp: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the network reads."""
        return self.rotations, self.joints, self.joint_error, self.age, self.mask


class Errors(NamedTuple):
    """m: ``joint`` (3 B, 24), ``seen`` (3 B, 24) with the shape as estimated, ``future`` (3 B, 3, 24), ``rotation``
    (3 B, 24), ``motion`` (B, 24): of the newest joints apart from what is wrong for long, more where they are fast;
    ``acceleration`` (B, 24); the expected ones of ``seen`` and ``future``.
    """

    joint: Tensor
    seen: Tensor
    future: Tensor
    rotation: Tensor
    motion: Tensor
    acceleration: Tensor
    expected: Tensor
    expected_future: Tensor


class FusionRecipe:
    """The fusion over time: one stage, "fuse"."""

    def __init__(self, config: TrainConfig, motion: Motion, body: BodyModel) -> None:
        self._config, self._motion, self._body = config, motion, body
        self._network = FusionNet(config.fusion)
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
        return WindowSampler(prepared(lifted, self._body), self._body, windows.young, windows.still)

    def batch(self, sampler: WindowSampler, rng: Generator, count: int) -> Batch:
        """``count`` samples of three windows each."""
        return tensors(sampler.sample(rng, count))

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms; ``progress`` changes nothing here."""
        errors, windows = errors_of(self._network, batch), self._config.windows
        usable = batch.usable.float()
        ahead = batch.future_known.float() * usable[:, None]
        return {
            "joints": _mean(errors.joint, usable),
            "rotations": ROTATION_WEIGHT * _mean(errors.rotation, usable),
            "motion": windows.motion * _mean(errors.motion, _all_usable(batch)),
            "acceleration": windows.acceleration * _mean(errors.acceleration, _all_usable(batch)),
            "forecast": windows.forecast * _mean(errors.future, ahead),
            "joint_error": ERROR_WEIGHT * _mean(_surprise(errors.seen, errors.expected), usable),
            "forecast_error": ERROR_WEIGHT * _mean(_surprise(errors.future, errors.expected_future), ahead),
        }

    @torch.no_grad()
    def validate(self, sampler: WindowSampler, stage: str) -> dict[str, float]:
        """mm: of joints, of second differences, of forecasts."""
        self.modules.eval()
        batch = moved(self.batch(sampler, default_rng(12345), self._config.run.validation_people), self.modules)
        errors, usable = errors_of(self._network, batch), batch.usable.float()
        ahead = batch.future_known.float() * usable[:, None]
        self.modules.train()
        return {
            "joints": MM * float(_mean(errors.joint, usable)),
            "motion": MM * float(_mean(errors.motion, _all_usable(batch))),
            "acceleration": MM * float(_mean(errors.acceleration, _all_usable(batch))),
            "forecast": MM * float(_mean(errors.future, ahead)),
        }


def build_network(config: TrainConfig) -> FusionNet:
    """The untrained network."""
    return FusionNet(config.fusion)


def tensors(windows: Windows) -> Batch:
    """``windows`` as a batch."""
    inputs = windows.poses.inputs
    truth = (windows.rotations, windows.future, windows.future_known, windows.usable)
    bodies = (windows.rest, windows.seen_rest, windows.world_from_virtual, windows.slow_error, windows.stamp)
    return Batch(*map(torch.from_numpy, (*inputs.values(), *truth, *map(_float32, bodies))))


def errors_of(network: nn.Module, batch: Batch) -> Errors:
    """How wrong the network is on ``batch``."""
    fused, expected, moved_by, expected_future = network(*batch.inputs)
    joints, truth = chained(fused, batch.rest), chained(batch.true, batch.rest)
    seen = chained(fused.detach(), batch.seen_rest)
    world = _by_image((joints - truth) @ batch.world_from_virtual.mT)
    fast = 1 + _speed(truth, batch) / FAST_M_S
    return Errors(
        joint=_length(joints - truth),
        seen=_length(seen - truth).detach(),
        future=_length(joints[:, None].detach() + moved_by - batch.future),
        rotation=_length((fused - batch.true).flatten(2)),
        motion=_length(world[:, -1] - _by_image(batch.slow_error)[:, -1]) * fast,
        acceleration=_length(world[:, 0] - 2 * world[:, 1] + world[:, 2]),
        expected=expected,
        expected_future=expected_future,
    )


def chained(rotations: Tensor, rest: Tensor) -> Tensor:
    """Rotations (N, 24, 3, 3) and joints at rest (N, 24, 3) m -> joints (N, 24, 3) m around the pelvis."""
    world, joints = [rotations[:, 0]], [torch.zeros_like(rest[:, 0])]
    for joint, parent in enumerate(SMPL_PARENTS[1:].tolist(), start=1):
        bone = rest[:, joint] - rest[:, parent]
        joints.append(joints[parent] + (world[parent] @ bone[..., None])[..., 0])
        world.append(world[parent] @ rotations[:, joint])
    return torch.stack(joints, 1)


def _by_image(values: Tensor) -> Tensor:
    """(3 B, ...) -> (B, 3, ...), the newest image last."""
    out: Tensor = values.unflatten(0, (-1, NEIGHBOURS))
    return out


def _speed(truth: Tensor, batch: Batch) -> Tensor:
    """(B, 24) m/s of the true joints (3 B, 24, 3) between the last two images."""
    world, stamp = _by_image(truth @ batch.world_from_virtual.mT), _by_image(batch.stamp)
    return _length(world[:, 2] - world[:, 1]) / (stamp[:, 2] - stamp[:, 1])[:, None]


def _all_usable(batch: Batch) -> Tensor:
    """(B,) 1 where all windows of a sample are usable."""
    out: Tensor = batch.usable.unflatten(0, (-1, NEIGHBOURS)).all(1).float()
    return out


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
