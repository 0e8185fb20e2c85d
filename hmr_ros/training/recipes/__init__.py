# SPDX-License-Identifier: Apache-2.0
"""A recipe knows one method: its network, samples, losses and validation. ``train`` knows the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.training.checkpoint import Checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.people import PeopleMix, evaluated_people

Arrays = Mapping[str, NDArray[np.generic]]
Batch = TypeVar("Batch", bound=tuple[Tensor, ...])


class Sampler(Protocol):
    """Draws what a recipe makes batches of; the same generator draws the same."""

    def sample(self, rng: Generator, count: int) -> object:
        """``count`` people."""


class Recipe(Protocol, Generic[Batch]):
    """What the training loop asks of a method."""

    modules: nn.ModuleDict
    """All that has weights; "network" is what is exported."""

    @property
    def topology(self) -> Arrays:
        """What a checkpoint must hold to build the network again."""

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """What a stage trains, each with its fraction of the learning rate."""

    def sampler(self, split: str, stage: str) -> Sampler:
        """People of the motion's ``split`` to make batches of: "train" as the settings say, "val" for evaluation."""

    def batch(self, sampler: Sampler, rng: Generator, count: int) -> Batch:
        """``count`` training samples."""

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms, of which the sum is minimised; ``progress`` 0..1 through the stage."""

    def validate(self, sampler: Sampler, stage: str) -> dict[str, float]:
        """Errors in mm on the same people every time."""


def make_recipe(config: TrainConfig, motion: Motion, body: BodyModel, topology: Arrays | None) -> Recipe:
    """The recipe that ``config`` names; ``topology`` of the checkpoint that is resumed, None for a new run."""
    if config.recipe == "paper":
        from hmr_ros.training.recipes.paper import PaperRecipe

        return PaperRecipe(config, motion, body, topology)
    if config.recipe == "global_to_pixel":
        from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe

        return GlobalToPixelRecipe(config, motion, body, topology)
    from hmr_ros.training.recipes.compact import CompactRecipe

    return CompactRecipe(config, motion, body, topology)


def stage_names(config: TrainConfig) -> tuple[str, ...]:
    """The stages of the recipe that ``config`` names, each with a ``StageConfig`` of that name in ``config``."""
    return ("local", "images") if config.recipe == "global_to_pixel" else ("lift", "mesh")


def mix_of(split: str, mix: PeopleMix) -> PeopleMix:
    """``mix`` for training, or the one that networks are evaluated on."""
    return mix if split == "train" else evaluated_people(mix)


def trained_network(checkpoint: Checkpoint, body: BodyModel) -> nn.Module:
    """The network of a checkpoint with its averaged weights, in evaluation mode."""
    if checkpoint.config.recipe == "paper":
        from hmr_ros.training.recipes.paper import build_network
    elif checkpoint.config.recipe == "global_to_pixel":
        from hmr_ros.training.recipes.global_to_pixel import build_network
    else:
        from hmr_ros.training.recipes.compact import build_network
    network = build_network(checkpoint.config, body, checkpoint.topology)
    network.load_state_dict(checkpoint.averaged_weights("network"))
    return network.eval()
