# SPDX-License-Identifier: Apache-2.0
"""An exported network read back into PyTorch, for runs that start from a file whose checkpoint is gone.

The exporter renames, transposes, joins and folds weights, and stores equal ones once. So nothing is guessed: a network
of the configured size is exported again with a number in place of each weight, and both graphs are walked from their
outputs. Where a number stands in one, the weight stands in the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from hmr_ros.core.arrays import Float32s
from hmr_ros.export.graph_pairs import Array, Graph, paired_constants
from hmr_ros.export.onnx_graph import Exportable, to_onnx

_FIRST = int(np.float32(16).view(np.uint32)) + 1
"""Bits of the float that stands for number 0. Every second float is used: constants such as 64 end in zeros, and are
none of them."""

_UNDONE: tuple[tuple[Callable[[Float32s], Float32s], Callable[[Float32s], Float32s]], ...] = ((np.exp, np.log),)
"""What the exporter may compute of a whole weight beforehand, and its inverse."""


def read_weights(model: ModelProto, network: Exportable, module: nn.Module) -> dict[str, Tensor]:
    """The weights of ``model`` by their names in ``module``; those that are not exported as they are in ``module``.

    ``network`` is ``module`` as it is exported, of the same size as the one that ``model`` was exported from. Its
    weights are the same afterwards. Raises ValueError that names what of ``model`` does not fit.
    """
    state = {name: value for name, value in module.state_dict().items() if value.is_floating_point()}
    before = {name: value.clone() for name, value in state.items()}
    numbers = _Numbers.of(state)
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(torch.from_numpy(numbers.floats(name)))
    template = to_onnx(network)
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(before[name])
    for wanted, found in paired_constants(Graph.of(template), Graph.of(model)):
        numbers.put(wanted, found)
    weights = numbers.weights()
    if lost := [name for name in state.keys() - weights.keys() if _matters(state[name], network)]:
        raise ValueError(f"{', '.join(sorted(lost))}: folded into other constants by the exporter")
    return {name: value.clone() for name, value in module.state_dict().items()} | weights


@torch.no_grad()
def _matters(weight: Tensor, network: Exportable) -> bool:
    """Whether the outputs of ``network`` depend on ``weight``, one of its own."""
    before, expected = weight.clone(), _outputs(network)
    weight += 1
    changed = any(not torch.equal(a, b) for a, b in zip(expected, _outputs(network), strict=True))
    weight.copy_(before)
    return changed


def _outputs(network: Exportable) -> tuple[Tensor, ...]:
    out = network.module(*network.example)
    return (out,) if isinstance(out, Tensor) else tuple(out)


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Each element of all weights has a number; ``values`` and ``known`` are in that order."""

    shapes: Mapping[str, tuple[int, ...]]
    first: Mapping[str, int]
    values: Float32s
    known: NDArray[np.bool_]

    @staticmethod
    def of(state: Mapping[str, Tensor]) -> _Numbers:
        ends = np.cumsum([0, *(value.numel() for value in state.values())]).tolist()
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        return _Numbers(
            shapes, dict(zip(state, ends, strict=False)), np.zeros(ends[-1], np.float32), np.zeros(ends[-1], np.bool_)
        )

    def floats(self, name: str) -> Float32s:
        """The floats that stand for the numbers of the weight ``name``."""
        shape = self.shapes[name]
        number = self.first[name] + np.arange(int(np.prod(shape)), dtype=np.int64)
        return np.asarray((_FIRST + 2 * number).astype(np.uint32).view(np.float32).reshape(shape))

    def put(self, wanted: Array, found: Array | None) -> None:
        """Of a constant of the numbered network, take what stands in its place; None: the exporter left zeros out."""
        placed = self._placed(wanted)
        if placed is None:
            return
        where, inverse = placed
        if found is None:
            found = np.zeros(wanted.shape, np.float32)
        if found.shape != wanted.shape:
            raise ValueError(f"{self._name(where.flat[0])}: expected {_size(wanted)}, the file has {_size(found)}")
        values = inverse(found.astype(np.float32))
        again = self.known[where] & (self.values[where] != values)
        if again.any():
            raise ValueError(f"{self._name(where[again].flat[0])}: has two values in the file")
        self.values[where], self.known[where] = values, True

    def _placed(self, constant: Array) -> tuple[NDArray[np.int64], Callable[[Float32s], Float32s]] | None:
        """The number at each place of ``constant``, and what makes weights of what is found there; None: no weights."""
        if constant.dtype != np.float32 or not constant.size:
            return None
        bits = np.ascontiguousarray(constant).view(np.uint32).astype(np.int64).reshape(constant.shape) - _FIRST
        if not (bits % 2).any() and bits.min() >= 0 and bits.max() // 2 < len(self.known):
            return bits // 2, lambda found: found
        with np.errstate(over="ignore"):
            for (fold, inverse), (name, shape) in itertools.product(_UNDONE, self.shapes.items()):
                if shape == constant.shape and np.allclose(fold(self.floats(name)), constant, rtol=1e-5, atol=0):
                    return self.first[name] + np.arange(constant.size).reshape(shape), inverse
        return None

    def _name(self, number: int | np.int64) -> str:
        return max((first, name) for name, first in self.first.items() if first <= number)[1]

    def weights(self) -> dict[str, Tensor]:
        """The weights that were found. Raises ValueError for one of which only a part was."""
        found = {}
        for name, shape in self.shapes.items():
            part = slice(self.first[name], self.first[name] + int(np.prod(shape)))
            if self.known[part].all():
                found[name] = torch.from_numpy(self.values[part].reshape(shape).copy())
            elif self.known[part].any():
                raise ValueError(f"{name}: only a part of it is in the file")
        return found


def _size(array: Array) -> str:
    return " x ".join(map(str, array.shape)) or "a single number"
