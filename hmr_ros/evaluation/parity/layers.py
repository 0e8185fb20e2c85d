# SPDX-License-Identifier: Apache-2.0
"""Which nodes lose most in half, and which to keep in fp32 until the rest is accurate enough.

A group is a matrix product and what follows it up to the next one. Each is kept in fp32 once, with all others in half:
how much nearer that comes to fp32 is what the group costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from hmr_ros.evaluation.parity.quantities import Distance

if TYPE_CHECKING:
    from onnx import ModelProto

Measure = Callable[["ModelProto"], list[Distance]]
"""Distances from fp32 of a network in half."""


@dataclass(frozen=True)
class Group:
    """Nodes by name; the first is the product."""

    nodes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The product's."""
        return self.nodes[0]


@dataclass(frozen=True)
class Loss:
    """What is left of the distance (as Distance.severity) when ``group`` keeps fp32."""

    group: Group
    severity: float


@dataclass(frozen=True, eq=False)
class Conversion:
    """A network in half, the nodes that were kept in fp32 for the gate's sake, and how far it is from fp32."""

    model: ModelProto
    kept: tuple[str, ...]
    distances: tuple[Distance, ...]

    @property
    def accepted(self) -> bool:
        """Whether every gate lets it pass."""
        return all(distance.accepted for distance in self.distances)


def groups(model: ModelProto) -> list[Group]:
    """The products of ``model`` in order, each with the nodes up to the next."""
    from hmr_ros.export.fp16 import PRODUCTS, fold_stored_weights

    found: list[list[str]] = []
    for node in fold_stored_weights(model).graph.node:
        if node.op_type in PRODUCTS:
            found.append([])
        if found:
            found[-1].append(node.name)
    return [Group(tuple(names)) for names in found]


def losses(model: ModelProto, kept: tuple[str, ...], measure: Measure) -> list[Loss]:
    """What each group costs beside those ``kept`` already, the most costly first."""
    from hmr_ros.export.fp16 import to_fp16

    candidates = [group for group in groups(model) if group.name not in kept]
    found = [
        Loss(group, _severity(measure(to_fp16(model, (*kept, *group.nodes)))))
        for group in tqdm(candidates, "layer by layer", unit="group", leave=False)
    ]
    return sorted(found, key=lambda loss: loss.severity)


def convert(model: ModelProto, measure: Measure, report: Callable[[list[Loss]], None]) -> Conversion:
    """``model`` in half; where that is too far off, the most costly groups keep fp32, half as many as help.

    ``report`` gets the costs of all groups if they were needed. The result may not be ``accepted``.
    """
    from hmr_ros.export.fp16 import to_fp16

    half = to_fp16(model)
    conversion = Conversion(half, (), tuple(measure(half)))
    if conversion.accepted:
        return conversion
    ranked = losses(model, (), measure)
    report(ranked)
    for count in range(1, len(ranked) // 2 + 1):
        kept = tuple(name for loss in ranked[:count] for name in loss.group.nodes)
        half = to_fp16(model, kept)
        conversion = Conversion(half, kept, tuple(measure(half)))
        if conversion.accepted:
            break
    return conversion


def _severity(found: list[Distance]) -> float:
    return max(distance.severity for distance in found)
