# SPDX-License-Identifier: Apache-2.0
"""The table of all variants, beside the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.metrics import Interval
from hmr_ros.evaluation.ablation.variants import VARIANTS, Variant
from hmr_ros.evaluation.held_out.report import Errors, Grouping, splits

RESAMPLES = 2000


@dataclass(frozen=True)
class Figure:
    """One kind of error of a variant, mm.

    ``mean`` over all seeds and people; ``worse``: difference to the full method on the same people with the same seed;
    ``each``: that difference per seed.
    """

    mean: Interval
    worse: Interval
    each: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """One variant's results beside the paper's."""

    variant: Variant
    mpjpe: Figure
    pa_mpjpe: Figure


def lines(errors: Sequence[Sequence[Errors]], clips: Strings) -> list[Line]:
    """``errors`` of every variant, the full method first, with every seed, on the people of ``clips`` (N,)."""
    return [
        Line(
            variant,
            figure(_stacked(runs, "mpjpe"), _stacked(errors[0], "mpjpe"), clips),
            figure(_stacked(runs, "pa_mpjpe"), _stacked(errors[0], "pa_mpjpe"), clips),
        )
        for variant, runs in zip(VARIANTS, errors, strict=True)
    ]


OCCLUSION = ("keypoints", "cut by border", "hidden")
"""Groupings that say how much of a person is seen: in the paper, what pixels gain grows with what is hidden."""


@dataclass(frozen=True)
class Group:
    """``count`` people of one ``part`` of a grouping, MPJPE in mm.

    ``full``: of the full method; ``worse``: the difference of each other variant to it, as in ``Figure``.
    """

    grouping: str
    part: str
    count: int
    full: Interval
    worse: tuple[Interval, ...]


def groups(errors: Sequence[Sequence[Errors]], groupings: Sequence[Grouping], clips: Strings) -> list[Group]:
    """All people, then each part of the groupings ``OCCLUSION``; the others as in ``lines``."""
    full, *others = (_stacked(runs, "mpjpe") for runs in errors)
    found = []
    for split in splits([g for g in groupings if g.name in OCCLUSION], len(clips)):
        chosen, of = split.chosen, clips[split.chosen]
        worse = tuple(mean_over_runs((other - full)[:, chosen], of) for other in others)
        whole = mean_over_runs(full[:, chosen], of)
        found.append(Group(split.grouping, split.part, int(chosen.sum()), whole, worse))
    return found


def _stacked(runs: Sequence[Errors], name: str) -> Floats:
    """(S, N) mm."""
    return np.stack([getattr(run, name) for run in runs])


def figure(values: Floats, full: Floats, clips: Strings) -> Figure:
    """Errors (S, N) mm of a variant and of the full method: S seeds, N people."""
    worse = values - full
    each = tuple(float(mean) for mean in worse.mean(1))
    return Figure(mean_over_runs(values, clips), mean_over_runs(worse, clips), each)


def mean_over_runs(values: Floats, clips: Strings, confidence: float = 0.95, seed: int = 0) -> Interval:
    """(S, N) -> the mean with its bootstrap interval, which draws seeds and whole clips.

    People of one clip are alike, and so are all people of one training run. Few seeds give too narrow an interval: with
    three, by about a fifth.
    """
    number = np.unique(clips, return_inverse=True)[1]
    count = np.bincount(number)
    total = np.stack([np.bincount(number, weights=row) for row in values])
    rng = default_rng(seed)
    means = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        seeds, drawn = rng.integers(len(values), size=len(values)), rng.integers(len(count), size=len(count))
        means[resample] = total[seeds].mean(0)[drawn].sum() / count[drawn].sum()
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def markdown(found: Sequence[Line]) -> str:
    """The table in Markdown."""
    head = [
        "| | paper's MPJPE, PA-MPJPE | ours: MPJPE | PA-MPJPE | worse than full: MPJPE | PA-MPJPE | each seed |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_row(line) for line in found), "", order(found)])


def markdown_of_groups(found: Sequence[Group]) -> str:
    """The table by occlusion in Markdown."""
    others = [variant.name for variant in VARIANTS[1:]]
    head = f"| MPJPE | people | full | {' | '.join(f'worse: {name}' for name in others)} |"
    rows = [
        f"| {'all' if group.part == 'all' else f'{group.grouping}: {group.part}'} | {group.count} | {group.full} | "
        f"{' | '.join(map(str, group.worse))} |"
        for group in found
    ]
    return "\n".join([head, "|---" * (3 + len(others)) + "|", *rows])


def _row(line: Line) -> str:
    variant, mpjpe, pa_mpjpe = line.variant, line.mpjpe, line.pa_mpjpe
    changed = f" (`{variant.setting} = {variant.value!r}`)" if variant.setting else ""
    means = f"{mpjpe.mean} | {pa_mpjpe.mean}"
    paper = f"{variant.paper_mpjpe}, {variant.paper_pa_mpjpe}"
    if not variant.setting:
        return f"| {variant.name} | {paper} | {means} | | | |"
    each = ", ".join(f"{difference:+.1f}" for difference in mpjpe.each)
    return f"| {variant.name}{changed} | {paper} | {means} | {mpjpe.worse} | {pa_mpjpe.worse} | {each} |"


def order(found: Sequence[Line]) -> str:
    """The variants from best to worst in the paper and in our runs, as a line of text."""
    ours = " < ".join(line.variant.name for line in sorted(found, key=lambda line: line.mpjpe.mean.mean))
    theirs = " < ".join(line.variant.name for line in sorted(found, key=lambda line: line.variant.paper_mpjpe))
    return f"MPJPE, best first. Paper: {theirs}. Ours: {ours}."
