# SPDX-License-Identifier: Apache-2.0
"""Compilation of networks before they are trained, by ``torch.compile``: ``run.compile``."""

from __future__ import annotations

import importlib.util
import os
import shutil

import torch
from torch import nn

_COMPILERS = ("g++", "clang++")
_DEPTH = 2
"""Levels below the network that are compiled as well: some recipes call its parts."""


def compile_network(network: nn.Module, device: torch.device, backend: str = "inductor") -> None:
    """Let ``network`` and its parts be compiled when they are first called; names of weights stay.

    ValueError where ``device`` lacks the compiler that PyTorch needs for it. What cannot be compiled, such as products
    with sparse matrices, runs as it is.
    """
    _check(device)
    level = [network]
    for _ in range(_DEPTH + 1):
        for module in level:
            if not isinstance(module, (nn.ModuleList, nn.ModuleDict)):  # these are never called
                module.compile(backend=backend)
        level = [child for module in level for child in module.children()]


def _check(device: torch.device) -> None:
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise ValueError(
            "run.compile: on a GPU PyTorch compiles with Triton, which is missing: install triton, or unset it"
        )
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", ""), *_COMPILERS))):
        raise ValueError("run.compile: on a CPU PyTorch needs a C++ compiler: install g++, or unset it")
