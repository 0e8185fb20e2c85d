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


def moved(batch: Tensors, modules: nn.Module) -> Tensors:
    """``batch`` on the device of ``modules``, all of which is on one."""
    device = next(modules.parameters()).device
    return type(batch)(*(value.to(device, non_blocking=True) for value in batch))
