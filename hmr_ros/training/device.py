# SPDX-License-Identifier: Apache-2.0
"""Where a network is trained: batches are made on the CPU, and moved to it in one place."""

from __future__ import annotations

import os
from typing import TypeVar

import torch
from torch import Tensor, nn

Tensors = TypeVar("Tensors", bound=tuple[Tensor, ...])
"""A named tuple of tensors."""


def choose_device(name: str) -> torch.device:
    """The device called ``name``; "auto" is this process's GPU where there is one, else the CPU.

    ValueError where a GPU is asked for and PyTorch finds none.
    """
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ValueError("run.device is 'cuda', but PyTorch finds no GPU: set it to 'auto' or 'cpu'")
    if name == "cpu" or not found:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


_FORMATS = {"cuda": torch.channels_last}
"""By the type of device: how its kernels read weights of convolutions fastest, where that is not as they are made."""


def place(modules: nn.Module, device: torch.device) -> None:
    """Move ``modules`` to ``device``, the weights of convolutions in the format that suits it.

    Images need none: batches hold them with their channels last, and networks only view them otherwise.
    """
    modules.to(device)
    for module in modules.modules():
        if isinstance(module, nn.Conv2d) and device.type in _FORMATS:
            module.weight.data = module.weight.data.contiguous(memory_format=_FORMATS[device.type])


def pins_memory(device: torch.device) -> bool:
    """Whether batches are made in pinned memory, from which ``device`` copies while it computes."""
    return device.type == "cuda"


def moved(batch: Tensors, modules: nn.Module) -> Tensors:
    """``batch`` on the device of ``modules``, all of which is on one; copies from pinned memory are not waited for."""
    device = next(modules.parameters()).device
    return type(batch)(*(value.to(device, non_blocking=True) for value in batch))
