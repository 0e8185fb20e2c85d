# SPDX-License-Identifier: Apache-2.0
"""A recipe knows one method: its network, samples, losses and validation. ``train`` knows the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import MANO
from hmr_ros.training.checkpoint import Checkpoint
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.people import PeopleBatch, PeopleMix, evaluated_people

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Arrays = Mapping[str, NDArray[np.generic]]

Source = TypeVar("Source")
"""What draws the people of a recipe."""

Batch = TypeVar("Batch", bound=tuple[Tensor, ...])
"""The tensors of a training step: a named tuple of each recipe's own."""


_STAGES = {
    "global_to_pixel": ("local", "trunk", "merge", "images"),
    "fusion": ("fuse",),
    "hands": ("lift",),
    "hands_pixel": ("images",),
}


_OPTIONAL = ("trunk", "merge")
"""Stages that are left out where they have no steps, as only some networks have what they train."""

OF_HANDS = ("hands", "hands_paper", "hands_pixel")
"""Recipes that learn hands, and need neither a body nor motion."""


PARTLY_USED = frozenset(
    {
        ("compact", "lift"),
        ("global_to_pixel", "local"),
        ("global_to_pixel", "trunk"),
        ("global_to_pixel", "images"),
        ("fusion", "fuse"),
        ("hands_pixel", "images"),
    }
)
"""Recipes and stages in which a batch may leave weights that are trained without a gradient."""


class PeopleSource(Protocol):
    """Draws people without images; the same generator draws the same."""

    def sample(self, rng: Generator, count: int) -> PeopleBatch:
        """``count`` people."""


class Recipe(Protocol[Source, Batch]):
    """What the training loop asks of a method."""

    modules: nn.ModuleDict
    """All that has weights; "network" is what is exported."""

    @property
    def topology(self) -> Arrays:
        """The arrays that a checkpoint must hold to build the network again."""

    def trained(self, stage: str) -> list[tuple[nn.Module, float]]:
        """The modules that a stage trains, each with its fraction of the learning rate."""

    def sampler(self, split: str, stage: str) -> Source:
        """People of the motion's ``split`` to make batches of: "train" as the settings say, "val" for evaluation."""

    def batch(self, sampler: Source, rng: Generator, count: int) -> Batch:
        """``count`` training samples; the same generator makes the same."""

    def loss(self, batch: Batch, stage: str, progress: float) -> dict[str, Tensor]:
        """Weighted terms, of which the sum is minimised; ``progress`` 0..1 through the stage."""

    def validate(self, sampler: Source, stage: str) -> dict[str, float]:
        """Errors in mm on the same people every time."""


AnyRecipe: TypeAlias = Recipe[Any, Any]
"""Some recipe: the training loop only hands back to it the samplers and batches that it made itself."""


def make_recipe(config: TrainConfig, motion: Motion | None, body: BodyModel, topology: Arrays | None) -> AnyRecipe:
    """The recipe that ``config`` names; ``topology`` of the checkpoint that is resumed, None for a new run.

    ``motion`` may be None where the recipe needs none (``needs_motion``). Raises ValueError for joints that the recipe
    does not know.
    """
    of_hands = config.global_to_pixel.joint_set == MANO.name
    if config.recipe in ("global_to_pixel", "hands_pixel") and of_hands != (config.recipe == "hands_pixel"):
        raise ValueError('global_to_pixel.joint_set: expected "mano" in the recipe hands_pixel, and only there')
    if config.recipe == "hands":
        from hmr_ros.training.recipes.hands import HandRecipe

        return HandRecipe(config)
    if config.recipe == "hands_paper":
        from hmr_ros.training.recipes.hands_paper import HandPaperRecipe

        return HandPaperRecipe(config, topology)
    if config.recipe == "hands_pixel":
        from hmr_ros.training.recipes.hands_pixel import HandPixelRecipe

        return HandPixelRecipe(config, topology)
    if motion is None:
        raise ValueError(f"recipe {config.recipe} needs a motion file: set run.motion")
    if config.recipe == "paper":
        from hmr_ros.training.recipes.paper import PaperRecipe

        return PaperRecipe(config, motion, body, topology)
    if config.recipe == "global_to_pixel":
        from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe

        return GlobalToPixelRecipe(config, motion, body, topology)
    if config.recipe == "fusion":
        from hmr_ros.training.recipes.fusion import FusionRecipe

        return FusionRecipe(config, motion, body)
    from hmr_ros.training.recipes.compact import CompactRecipe

    return CompactRecipe(config, motion, body, topology)


def network_settings(config: TrainConfig) -> DataclassInstance:
    """The settings of the network that the recipe trains."""
    network: DataclassInstance = getattr(config, {"hands_pixel": "global_to_pixel"}.get(config.recipe, config.recipe))
    return network


def needs_motion(config: TrainConfig) -> bool:
    """Whether the recipe draws people from a motion file; hands come from the limits of their fingers."""
    return config.recipe not in OF_HANDS


def stage_names(config: TrainConfig) -> tuple[str, ...]:
    """The stages of the recipe that ``config`` names, each with a ``StageConfig`` of that name in ``config``."""
    names = _STAGES.get(config.recipe, ("lift", "mesh"))
    return tuple(name for name in names if name not in _OPTIONAL or getattr(config, name).steps)


def stage_number(checkpoint: Checkpoint, config: TrainConfig) -> int:
    """Which of the stages of ``config`` the ``checkpoint`` was written in.

    ValueError where ``config`` leaves that stage out.
    """
    names = stage_names(config)
    before = stage_names(dataclasses.replace(config, trunk=StageConfig(steps=0), merge=StageConfig(steps=0)))
    name = checkpoint.stage_name or before[checkpoint.stage]  # an older file: there were no more stages
    if name not in names:
        raise ValueError(f"{name}.steps: the run is in that stage; set its steps, at least {checkpoint.step}")
    return names.index(name)


def mix_of(split: str, mix: PeopleMix) -> PeopleMix:
    """``mix`` for training, or the one that networks are evaluated on."""
    return mix if split == "train" else evaluated_people(mix)


def trained_network(checkpoint: Checkpoint, body: BodyModel) -> nn.Module:
    """The network of a checkpoint with its averaged weights, in evaluation mode."""
    network = _untrained_network(checkpoint, body)
    network.load_state_dict(checkpoint.averaged_weights("network"))
    return network.eval()


def _untrained_network(checkpoint: Checkpoint, body: BodyModel) -> nn.Module:
    """The network that a checkpoint's weights fit into."""
    config, topology = checkpoint.config, checkpoint.topology
    if config.recipe == "paper":
        from hmr_ros.training.recipes import paper

        return paper.build_network(config, body, topology)
    if config.recipe == "global_to_pixel":
        from hmr_ros.training.recipes import global_to_pixel

        return global_to_pixel.build_network(config, body, topology)
    if config.recipe == "hands":
        from hmr_ros.training.recipes import hands

        return hands.build_network(config)
    if config.recipe == "hands_paper":
        from hmr_ros.training.recipes import hands_paper

        return hands_paper.build_network(config, topology)
    if config.recipe == "hands_pixel":
        from hmr_ros.training.recipes import hands_pixel

        return hands_pixel.build_network(config)
    if config.recipe == "fusion":
        from hmr_ros.training.recipes import fusion

        return fusion.build_network(config)
    from hmr_ros.training.recipes import compact

    return compact.build_network(config, body, topology)
