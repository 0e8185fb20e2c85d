# SPDX-License-Identifier: Apache-2.0
"""The comparisons: which settings each network is trained with, and the paper's errors for it."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.settings import Value, updated
from hmr_ros.training.config import TrainConfig

_MESH_SETTINGS = frozenset(
    f"paper.{name}" for name in ("target", "network", "route", "fc_width", "narrower", "rescaling")
)
"""Settings that PoseNet does not depend on: it learns from its own loss alone."""


@dataclass(frozen=True)
class Arm:
    """One row of a table: the recipe with ``settings`` (dotted names and values) changed.

    ``paper``: MPJPE and PA-MPJPE of the authors on Human3.6M, mm, where they gave them.
    """

    name: str
    settings: tuple[tuple[str, Value], ...] = ()
    paper: tuple[float, float] | None = None

    def of(self, config: TrainConfig) -> TrainConfig:
        """``config`` as this row trains it."""
        return updated(config, dict(self.settings))

    @property
    def shares_posenet(self) -> bool:
        """Whether its PoseNet is that of the unchanged recipe."""
        return all(name in _MESH_SETTINGS for name, _ in self.settings)

    @property
    def file_name(self) -> str:
        """A name for its directory, made of its settings."""
        return "_".join(f"{name.rpartition('.')[2]}-{value}" for name, value in self.settings) or "recipe"


_SMPL, _FC = ("paper.target", "smpl"), ("paper.network", "fc")


def _without(*poses: str) -> tuple[tuple[str, Value], ...]:
    return tuple((f"people.poses.{name}", 0.0) for name in poses)


TABLES: dict[str, tuple[Arm, ...]] = {
    "cells": (
        Arm("vertices, graph", (), (64.9, 48.6)),
        Arm("SMPL parameters, fully connected", (_SMPL, _FC), (72.8, 55.5)),
        Arm("SMPL parameters, graph", (_SMPL,), (79.1, 59.1)),
        Arm("vertices, fully connected", (_FC,), (119.6, 95.1)),
    ),
    "route": (
        Arm("coarse to fine", (), (64.9, 48.6)),
        Arm("direct, without the widest blocks", (("paper.route", "direct_short"),), (65.3, 49.2)),
        Arm("direct, all blocks", (("paper.route", "direct"),)),
    ),
    "errors": (Arm("trained with synthetic 2D errors"), Arm("trained without", (("paper.errors", "none"),))),
    "poses": (
        Arm(
            "recorded frames alone",
            _without("sitting", "lying", "crouching", "low", "reaching", "recombined", "perturbed"),
        ),
        Arm("and sitting, lying, crouching", _without("low", "reaching", "recombined", "perturbed")),
        Arm("and limbs recombined", _without("reaching", "perturbed")),
        Arm("and reaching, joints rotated at random"),
    ),
}
"""By name; the first row of each is what the others are compared with."""

_DATA = ("human36m", "coco", "mpi_inf_3dhp", "mpii", "threedpw", "surreal", "motion")


def arms_of(table: str, config: TrainConfig) -> tuple[Arm, ...]:
    """The rows of ``table``; "data": the data sets of ``config``, added one by one. ValueError with fewer than two."""
    if table != "data":
        return TABLES[table]
    used = [name for name in _DATA if getattr(config.data, name) > 0]
    if len(used) < 2 or used == ["motion"]:
        raise ValueError("table data: expected two data sets with a weight in [data], to add one by one")
    return tuple(
        Arm(" + ".join(used[:count]), tuple((f"data.{name}", 0.0) for name in used[count:]))
        for count in range(1, len(used) + 1)
    )


def check(config: TrainConfig) -> None:
    """ValueError where the recipe is another method, or changes what the tables compare."""
    paper = config.paper
    if config.recipe != "paper" or (paper.target, paper.network, paper.route, paper.errors) != (
        "vertices",
        "graph",
        "coarse_to_fine",
        "synthetic",
    ):
        raise ValueError(
            "expected recipe = 'paper' with the published target, network, route and errors, which the tables change; "
            f"got {config.recipe!r}"
        )
