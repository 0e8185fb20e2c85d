# SPDX-License-Identifier: Apache-2.0
"""Layers that several parts share."""

from __future__ import annotations

from torch import nn


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that starts at zero."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def fill_bias(layer: nn.Conv1d, value: float) -> None:
    """Set all biases of ``layer``, which has some, to ``value``."""
    assert layer.bias is not None, "the layer was made without a bias"
    nn.init.constant_(layer.bias, value)
