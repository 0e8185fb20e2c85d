# SPDX-License-Identifier: Apache-2.0
"""How much memory a training step takes, from the tensors that the backward pass needs of a few samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from numpy.random import default_rng
from torch import Tensor, nn

from hmr_ros.training.config import StageConfig
from hmr_ros.training.device import moved
from hmr_ros.training.optimising import only_these_learn
from hmr_ros.training.recipes import AnyRecipe

MIB, GIB = 2**20, 2**30

SAMPLES = 4
"""People that the memory of one is measured on."""

STATES = {"adamw": 2, "rmsprop": 1}
"""Numbers per weight that an optimiser keeps."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of a training step: ``fixed`` for weights, gradients, optimiser and average; ``sample`` for each sample.

    Libraries need more on top: a context, work space and what the allocator cannot use, on a GPU 1 to 2 GiB.
    """

    fixed: int
    sample: float

    def total(self, batch: int) -> float:
        """Bytes of a step with ``batch`` samples."""
        return self.fixed + batch * self.sample

    def batch(self, memory: float) -> int:
        """The largest batch that fits into ``memory`` bytes; 0 where none does."""
        return max(0, int((memory - self.fixed) / self.sample))


def footprint(recipe: AnyRecipe, stage: str, config: StageConfig) -> Footprint:
    """The memory of a step of ``stage``, measured on SAMPLES samples on the device where the recipe's modules are."""
    only_these_learn(recipe.modules, recipe.trained(stage))
    batch = moved(recipe.batch(recipe.sampler("train", stage), default_rng(0), SAMPLES), recipe.modules)

    def loss() -> Tensor:
        return torch.stack(list(recipe.loss(batch, stage, 1.0).values())).sum()

    saved = saved_bytes(recipe.modules, loss)
    return Footprint(fixed_bytes(recipe.modules, config.optimiser), saved / SAMPLES)


def fixed_bytes(modules: nn.Module, optimiser: str) -> int:
    """Bytes of ``modules``: weights and buffers, their average, gradients and the state of ``optimiser``."""
    tensors = {id(t): t for t in (*modules.parameters(), *modules.buffers())}.values()
    held = sum(_size(tensor) for tensor in tensors)
    averaged = sum(_size(tensor) for tensor in modules.state_dict().values())
    trained = sum(_size(p) for p in modules.parameters() if p.requires_grad)
    return held + averaged + (1 + STATES[optimiser]) * trained


def saved_bytes(modules: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Bytes of the tensors that ``loss``'s backward pass needs, without those of ``modules`` themselves."""
    own = {t.untyped_storage().data_ptr() for t in (*modules.parameters(), *modules.buffers()) if not t.is_sparse}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not tensor.is_sparse and (address := tensor.untyped_storage().data_ptr()) not in own:
            found[address] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        kept = loss()  # alive until all are counted, so that no address is used twice
    del kept
    return sum(found.values())


def _size(tensor: Tensor) -> int:
    if tensor.is_sparse:
        return _size(tensor._values()) + _size(tensor._indices())
    return tensor.numel() * tensor.element_size()
