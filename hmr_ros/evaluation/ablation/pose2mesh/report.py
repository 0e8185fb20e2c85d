# SPDX-License-Identifier: Apache-2.0
"""The tables of Pose2Mesh's ablations: errors of all seeds, and differences to the first row on the same people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.evaluation.ablation.pose2mesh.tables import Arm
from hmr_ros.evaluation.ablation.pose2mesh.testing import TestErrors
from hmr_ros.evaluation.ablation.report import Figure, figure

SeedErrors = Sequence[Mapping[str, TestErrors]]
"""Errors of one network by test, of every seed."""


@dataclass(frozen=True)
class Cost:
    """What the part of a network after PoseNet takes: trained ``parameters``; ``saved`` MiB that the backward pass of
    one sample needs, ``forward`` ms of one person on one thread.
    """

    parameters: int
    saved: float
    forward: float


@dataclass(frozen=True)
class TestLine:
    """One network on one test; ``figures`` by metric."""

    __test__ = False  # no test of pytest's

    arm: Arm
    test: str
    people: int
    cost: Cost
    figures: Mapping[str, Figure]


def lines(arms: Sequence[Arm], costs: Sequence[Cost], errors: Sequence[SeedErrors]) -> list[TestLine]:
    """``errors`` of every arm with every seed, on the same people; test by test."""
    return [
        TestLine(arm, test, len(first.persons), cost, _figures(test, runs, errors[0], first))
        for test, first in errors[0][0].items()
        for arm, cost, runs in zip(arms, costs, errors, strict=True)
    ]


def _figures(test: str, runs: SeedErrors, reference: SeedErrors, first: TestErrors) -> dict[str, Figure]:
    return {
        metric: figure(_stacked(runs, test, metric), _stacked(reference, test, metric), first.persons)
        for metric in first.values
    }


def _stacked(runs: SeedErrors, test: str, metric: str) -> Floats:
    """(S, N) mm."""
    return np.stack([run[test].values[metric] for run in runs])


def markdown(found: Sequence[TestLine]) -> str:
    """The tables in Markdown, one per test."""
    tests = list(dict.fromkeys(line.test for line in found))
    return "\n\n".join(_table(test, [line for line in found if line.test == test]) for test in tests)


def _table(test: str, found: Sequence[TestLine]) -> str:
    metrics = list(found[0].figures)
    columns = ["", "parameters", "MiB per sample", "ms", "paper's MPJPE, PA-MPJPE", *metrics]
    columns += [f"worse: {metric}" for metric in metrics] + ["each seed"]
    head = [f"{test}, {found[0].people} people:", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *(_row(line, line is found[0]) for line in found)])


def _row(line: TestLine, first: bool) -> str:
    figures = list(line.figures.values())
    paper = ", ".join(map(str, line.arm.paper)) if line.arm.paper else ""
    cost = [f"{line.cost.parameters / 1e6:.2f} M", f"{line.cost.saved:.0f}", f"{line.cost.forward:.0f}"]
    worse = ["" for _ in figures] if first else [str(figure.worse) for figure in figures]
    each = "" if first else ", ".join(f"{difference:+.1f}" for difference in figures[0].each)
    return f"| {' | '.join([line.arm.name, *cost, paper, *(str(f.mean) for f in figures), *worse, each])} |"
