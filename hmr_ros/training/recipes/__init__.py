"""A recipe knows one method: its network, samples, losses and validation. ``train`` knows the rest."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.random import Generator
from torch import Tensor, nn

from hmr_ros.core.body_model import BodyModel
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import Motion


class Recipe(Protocol):
    """What the training loop asks of a method."""

    stages: tuple[str, ...]
    topology: Any

    @property
    def modules(self) -> nn.ModuleDict: ...

    def sampler(self, motion: Motion) -> Any: ...

    def batch(self, sampler: Any, rng: Generator, count: int) -> Any: ...

    def loss(self, batch: Any, stage: str) -> dict[str, Tensor]: ...

    def validate(self, sampler: Any, stage: str) -> dict[str, float]: ...


def make_recipe(config: TrainConfig, motion: Motion, body: BodyModel, topology: Any) -> Recipe:
    """The recipe that ``config`` names."""
    from hmr_ros.training.recipes.slim import SlimRecipe

    return SlimRecipe(config, motion, body, topology)
