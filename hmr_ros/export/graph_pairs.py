# SPDX-License-Identifier: Apache-2.0
"""Two ONNX graphs of the same network with other weights: which constants stand in the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from hmr_ros.export.fp16 import fold_stored_weights

Array = NDArray[np.generic]

Pair = tuple[Array, Array | None]
"""A constant and the one in its place; None: adding it was left out, as it is zero."""


@dataclass(frozen=True, eq=False)
class Graph:
    """``outputs``; ``stored`` constants; the node that ``made`` each other value, with its place among the outputs."""

    outputs: tuple[str, ...]
    stored: Mapping[str, Array]
    made: Mapping[str, tuple[NodeProto, int]]

    @staticmethod
    def of(model: ModelProto) -> Graph:
        """The graph of ``model``, its weights in the type in which they are stored."""
        graph = fold_stored_weights(model).graph
        made = {name: (node, place) for node in graph.node for place, name in enumerate(node.output)}
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return Graph(tuple(value.name for value in graph.output), stored, made)

    def uncast(self, name: str) -> str:
        """The value ``name`` before all casts: networks in fp16 have more of them."""
        while name in self.made and self.made[name][0].op_type == "Cast":
            name = self.made[name][0].input[0]
        return name


def paired_constants(ours: Graph, theirs: Graph) -> Iterator[Pair]:
    """The constants of ``ours``, each with what stands in its place in ``theirs``, from the outputs on.

    Equal ones of ``theirs`` may be stored once, and the order of operations does not matter. Raises ValueError that
    names the operations at which the graphs part.
    """
    left = list(zip(ours.outputs, theirs.outputs, strict=True))
    seen: set[tuple[str, str]] = set()
    while left:
        a, b = left.pop()
        pair = ours.uncast(a), theirs.uncast(b)
        if pair in seen:
            continue
        seen.add(pair)
        if pair[0] in ours.stored and pair[1] in theirs.stored:
            yield ours.stored[pair[0]], theirs.stored[pair[1]]
            continue
        before = _before(ours, theirs, *pair)
        yield from ((ours.stored[name], None) for name, other in before if not other and name in ours.stored)
        left += [(name, other) for name, other in before if name and other]


def _before(ours: Graph, theirs: Graph, a: str, b: str) -> list[tuple[str, str]]:
    """What the values ``a`` and ``b`` are made of; beside what only one of them has, there is an empty name."""
    node, place = ours.made.get(a, (None, 0))
    other, its_place = theirs.made.get(b, (None, 0))
    if node is None and other is None and not (a in ours.stored or b in theirs.stored):
        return []  # inputs of the networks
    if node and other and (node.op_type, place) == (other.op_type, its_place):
        return list(zip_longest(node.input, other.input, fillvalue=""))
    if node and node.op_type == "Add" and any(name in ours.stored for name in node.input):
        return [(name, "" if name in ours.stored else b) for name in node.input]
    here, there = (n.op_type if n else "no operation" for n in (node, other))
    raise ValueError(f"the networks differ: {there} makes {b!r}, where {here} is expected")
