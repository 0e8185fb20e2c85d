# SPDX-License-Identifier: Apache-2.0
"""Which nodes lose most accuracy in fp16, and which must keep fp32 for the network to pass the gates.

A group is a matrix product and the nodes up to the next product. Each group is kept in fp32 once, with all others in
fp16; how much nearer the outputs come to fp32 is the loss of the group.
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
"""Distances of an fp16 network from fp32."""


@dataclass(frozen=True)
class Group:
    """Nodes by name; the first is the product."""

    nodes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the product."""
        return self.nodes[0]


@dataclass(frozen=True)
class Loss:
    """The distance (as Distance.severity) that is left when ``group`` keeps fp32."""

    group: Group
    severity: float


@dataclass(frozen=True, eq=False)
class Conversion:
    """An fp16 network, the nodes ``kept`` in fp32 to pass the gates, and its ``distances`` from fp32."""

    model: ModelProto
    kept: tuple[str, ...]
    distances: tuple[Distance, ...]

    @property
    def accepted(self) -> bool:
        """Whether it passes every gate."""
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
    """The loss of each group other than those ``kept``, the largest first."""
    from hmr_ros.export.fp16 import to_fp16

    candidates = [group for group in groups(model) if group.name not in kept]
    found = [
        Loss(group, _severity(measure(to_fp16(model, (*kept, *group.nodes)))))
        for group in tqdm(candidates, "layer by layer", unit="group", leave=False)
    ]
    return sorted(found, key=lambda loss: loss.severity)


def convert(model: ModelProto, measure: Measure, report: Callable[[list[Loss]], None]) -> Conversion:
    """``model`` in fp16, except for the groups with the largest losses that must keep fp32 to pass the gates.

    At most half of the groups keep fp32. ``report`` gets the losses of all groups if they were needed. The result may
    not be ``accepted``.
    """
    from hmr_ros.export.fp16 import to_fp16

    fp16 = to_fp16(model)
    conversion = Conversion(fp16, (), tuple(measure(fp16)))
    if conversion.accepted:
        return conversion
    ranked = losses(model, (), measure)
    report(ranked)
    for count in range(1, len(ranked) // 2 + 1):
        kept = tuple(name for loss in ranked[:count] for name in loss.group.nodes)
        fp16 = to_fp16(model, kept)
        conversion = Conversion(fp16, kept, tuple(measure(fp16)))
        if conversion.accepted:
            break
    return conversion


def _severity(found: list[Distance]) -> float:
    return max(distance.severity for distance in found)
