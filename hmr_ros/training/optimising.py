# SPDX-License-Identifier: Apache-2.0
"""The steps of an optimiser: which weights learn, how fast, and one step down a loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from hmr_ros.training.config import StageConfig


def make_optimiser(stage: StageConfig, trained: Sequence[tuple[nn.Module, float]]) -> torch.optim.Optimizer:
    """The optimiser that ``stage`` asks for, on modules with their fractions of its learning rate."""
    groups = [
        {"params": list(module.parameters()), "lr": fraction * stage.learning_rate}
        for module, fraction in trained
        if fraction
    ]
    if stage.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups)
    return torch.optim.AdamW(groups, weight_decay=stage.weight_decay)


def learning_rate_fraction(stage: StageConfig, step: int) -> float:
    """Learning rate at ``step`` as a fraction of its highest."""
    warm = min(1.0, (step + 1) / max(1, stage.warmup))
    done = min(1.0, step / max(1, stage.steps))
    if stage.schedule == "multistep":
        return float(warm * stage.gamma ** sum(done >= milestone for milestone in stage.milestones))
    return warm * 0.5 * (1 + math.cos(math.pi * done))


def optimise(loss: Tensor, optimiser: torch.optim.Optimizer, modules: nn.Module, clip: float) -> None:
    """One step down ``loss``; a loss that is no number ends the run before it spoils the weights."""
    optimise_parts([loss], 1, optimiser, modules, clip)


def optimise_parts(
    losses: Iterable[Tensor], count: int, optimiser: torch.optim.Optimizer, modules: nn.Module, clip: float
) -> None:
    """One step down the mean of ``count`` losses, whose gradients are summed one after another."""
    optimiser.zero_grad(set_to_none=True)
    for loss in losses:
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()}: lower the learning rate and start again to resume")
        (loss / count).backward()
    if clip:
        nn.utils.clip_grad_norm_(modules.parameters(), clip)
    optimiser.step()


def only_these_learn(modules: nn.Module, trained: Sequence[tuple[nn.Module, float]]) -> None:
    """Freeze all of ``modules`` but those of ``trained`` that have a fraction of the learning rate."""
    modules.requires_grad_(False)
    for module, fraction in trained:
        module.requires_grad_(fraction > 0)
    training_mode(modules)


def training_mode(modules: nn.Module) -> None:
    """Put ``modules`` into training mode, but for normalisations that are frozen: their statistics are, too."""
    modules.train()
    for module in modules.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not any(
            p.requires_grad for p in module.parameters()
        ):
            module.eval()
