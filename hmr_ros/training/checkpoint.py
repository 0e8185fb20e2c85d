# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: plain numbers, strings and tensors in one file, read without unpickling any object."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.settings import from_mapping
from hmr_ros.training.config import TrainConfig

Weights = Mapping[str, Tensor]
State = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything a run needs to go on, and an exporter to start.

    ``topology`` the arrays a recipe builds its network on; ``weights`` of all trained modules; ``average`` their
    running average; ``stage`` and ``step`` are done; ``best`` the smallest validation so far, of which
    ``validation`` is the report; ``optimiser`` and ``schedule`` are empty where no step follows; ``body_sha256`` of the
    body model's file and ``stage_name``: "" in older files.
    """

    config: TrainConfig
    topology: Mapping[str, NDArray[np.generic]]
    weights: Weights
    average: Weights
    stage: int
    step: int
    best: float
    validation: Mapping[str, float]
    optimiser: State
    schedule: State
    body_sha256: str = ""
    stage_name: str = ""

    def averaged_weights(self, module: str) -> dict[str, Tensor]:
        """The averaged weights of one of the trained modules, for its ``load_state_dict``."""
        prefix = module + "."
        return {name.removeprefix(prefix): value for name, value in self.average.items() if name.startswith(prefix)}


def at_stage(
    stage: int,
    config: TrainConfig,
    topology: Mapping[str, NDArray[np.generic]],
    weights: Weights,
    average: Weights,
    body_sha256: str,
) -> Checkpoint:
    """A run that has not taken a step of the ``stage`` yet, counted from 0, with given weights."""
    return Checkpoint(
        config=config,
        topology=topology,
        weights=weights,
        average=average,
        stage=stage,
        step=0,
        best=math.inf,
        validation={},
        optimiser={},
        schedule={},
        body_sha256=body_sha256,
    )


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write to one side, then move into place: a run that is killed leaves the last whole file.

    OSError, and the last whole file, where there is no room for it.
    """
    state = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    state["config"] = dataclasses.asdict(checkpoint.config)
    state["topology"] = {name: torch.from_numpy(np.array(array)) for name, array in checkpoint.topology.items()}
    with atomic_path(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as err:  # PyTorch's way to say that it could not write
            raise OSError(f"{path}: cannot be written, is the disk full? ({err})") from err


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; ValueError names the file when it is none."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings = state["config"]
        state["topology"] = {name: tensor.numpy() for name, tensor in state["topology"].items()}
        checkpoint = Checkpoint(**state)
    except FileNotFoundError as err:
        raise ValueError(f"{path}: no such checkpoint; hmr train writes them") from err
    except Exception as err:  # torch.load raises whatever the damaged bytes lead to
        raise ValueError(f"{path}: not a checkpoint of hmr train ({type(err).__name__})") from err
    try:
        return dataclasses.replace(checkpoint, config=from_mapping(settings, TrainConfig))
    except ValueError as err:
        raise ValueError(f"{path}: written by another version of hmr train: {err}") from err
