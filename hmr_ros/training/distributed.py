# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one network: what ``torchrun`` starts, or this process alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Loss = Callable[[object, str, float], Mapping[str, Tensor]]


@dataclass(frozen=True)
class ProcessGroup:
    """``size`` processes of which this is number ``rank``; each takes its fraction of the batches."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.rank == 0

    def fraction(self, numbers: range) -> range:
        """The numbers of this process's batches, when a step takes one batch in every process."""
        return range(numbers.start * self.size + self.rank, numbers.stop * self.size, self.size)

    def parallel(self, loss: Loss, modules: nn.Module, partly_used: bool) -> Loss:
        """``loss`` with the gradients of ``modules`` averaged over all processes.

        ``partly_used``: a batch may leave some of the weights that are trained without a gradient. These are then
        looked for in each step, which takes time.
        """
        if self.size == 1:
            return loss
        return DistributedDataParallel(_LossModule(loss, modules), find_unused_parameters=partly_used)


def join_process_group(device: torch.device) -> ProcessGroup:
    """Meet the other processes that ``torchrun`` has started; without it, be alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ProcessGroup()
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return ProcessGroup(torch.distributed.get_rank(), size)


def leave_process_group() -> None:
    """End what ``join_process_group`` began."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class _LossModule(nn.Module):
    """A loss with the modules it trains, as ``DistributedDataParallel`` wants them."""

    def __init__(self, loss: Loss, modules: nn.Module) -> None:
        super().__init__()
        self._loss, self.trained = loss, modules

    def forward(self, batch: object, stage: str, progress: float) -> Mapping[str, Tensor]:
        """The terms of the loss."""
        return self._loss(batch, stage, progress)
