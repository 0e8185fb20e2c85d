# SPDX-License-Identifier: Apache-2.0
"""How wrong the fusion over time is on runs of images, which it answers in order, reading its own last answers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hmr_ros.core.skeleton import SMPL_PARENTS
from hmr_ros.training.windows import RUN

FAST_M_S = 0.5
"""Speed of a joint at which an error of its motion counts twice."""


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


def _length(difference: Tensor) -> Tensor:
    """(..., 3) -> (...), with a gradient at 0."""
    out: Tensor = (difference.square().sum(-1) + 1e-10).sqrt()
    return out
