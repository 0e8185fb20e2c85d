# SPDX-License-Identifier: Apache-2.0
"""The networks of a table, trained one after another; finished ones are kept, unfinished ones go on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.evaluation.ablation.pose2mesh.tables import Arm
from hmr_ros.training.checkpoint import Checkpoint, at_stage, load_checkpoint
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.device import choose_device
from hmr_ros.training.recipes.paper import build_network
from hmr_ros.training.trainer import Trainer

_POSENET = "network.posenet."
_NETWORK = "network."


class Stopped(KeyboardInterrupt):
    """A signal has ended a training, whose checkpoint is written; the same command goes on."""


def seeded(config: TrainConfig, seed: int) -> TrainConfig:
    """``config`` with the seed number ``seed`` of an ablation, counted from its own."""
    return dataclasses.replace(config, run=dataclasses.replace(config.run, seed=config.run.seed + seed))


def trained(arm: Arm, config: TrainConfig, body: BodyModel, out: Path) -> Path:
    """The last checkpoint of ``arm`` of the recipe ``config``, trained in ``out`` where it was not before.

    Arms that PoseNet does not depend on go on from one PoseNet in ``out``.
    """
    changed = arm.of(config)
    directory = out / arm.file_name
    if not arm.shares_posenet:
        return _run(changed, directory, None)
    alone = dataclasses.replace(config, mesh=dataclasses.replace(config.mesh, steps=0))
    lifted = load_checkpoint(_run(alone, out / "posenet", None))
    return _run(changed, directory, _start(changed, body, lifted))


def _run(config: TrainConfig, directory: Path, start: Checkpoint | None) -> Path:
    """Train in ``directory`` until the end, from its last checkpoint or else from ``start``."""
    path = directory / "last.pt"
    last = load_checkpoint(path) if path.exists() else start
    if path.exists() and last is not None and _is_done(last, config):
        return path
    if Trainer(config, directory, last, choose_device(config.run.device)).train():
        raise Stopped
    return path


def _is_done(last: Checkpoint, config: TrainConfig) -> bool:
    """Whether ``last`` is the end of the last stage that has steps."""
    stages: list[StageConfig] = [config.lift, config.mesh]
    final = 1 if config.mesh.steps else 0
    return last.stage >= final and last.step >= stages[final].steps


def _start(config: TrainConfig, body: BodyModel, lifted: Checkpoint) -> Checkpoint:
    """The beginning of the mesh stage: the PoseNet of ``lifted``, and the other weights untrained by the seed."""
    torch.manual_seed(config.run.seed)
    network = build_network(config, body, lifted.topology)
    fresh = {_NETWORK + name: value for name, value in network.state_dict().items() if not name.startswith("posenet.")}
    weights, average = (
        {name: value for name, value in source.items() if name.startswith(_POSENET) or not name.startswith(_NETWORK)}
        for source in (lifted.weights, lifted.average)
    )
    return at_stage(1, config, lifted.topology, weights | fresh, average | fresh, lifted.body_sha256)
