# SPDX-License-Identifier: Apache-2.0
"""The table of errors by groups, with confidence intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Strings
from hmr_ros.core.metrics import Interval, bootstrap_mean
from hmr_ros.core.records import Record


@dataclass(frozen=True, eq=False)
class Errors(Record):
    """One figure per sample, (N,) each.

    ``mpjpe``, ``pa_mpjpe`` on the 14 Human3.6M joints and ``mpvpe`` in mm, ``mpjpe_smpl`` on the 24 SMPL joints in mm;
    ``pck_05`` and ``pck_10`` percent of keypoints within 0.05 and 0.1 box heights; ``depth`` signed relative error of
    the root's distance along the optical axis, NaN where no position was found.
    """

    mpjpe: Floats
    pa_mpjpe: Floats
    mpvpe: Floats
    mpjpe_smpl: Floats
    pck_05: Floats
    pck_10: Floats
    depth: Floats

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if (shape := getattr(self, f.name).shape) != (len(self),):
                raise ValueError(f"Errors.{f.name}: expected shape {(len(self),)}, got {shape}")


@dataclass(frozen=True, eq=False)
class Grouping:
    """A way to divide samples: ``labels`` (N,) names each sample's part; ``parts`` in the order of the report."""

    name: str
    parts: tuple[str, ...]
    labels: Strings

    def __post_init__(self) -> None:
        if unknown := set(self.labels.tolist()) - set(self.parts):
            raise ValueError(f"Grouping {self.name!r}: expected labels of {self.parts}, got {sorted(unknown)}")


@dataclass(frozen=True)
class Row:
    """One line of the report, of one ``output`` of a method.

    Errors are in mm, ``pck_*`` in percent; ``depth_*`` in percent of the true depth, of the fraction ``placed``, for
    whom a position was found.
    """

    source: str
    output: str
    grouping: str
    part: str
    count: int
    mpjpe: Interval
    pa_mpjpe: Interval
    mpvpe: Interval
    mpjpe_smpl: Interval
    pck_05: Interval
    pck_10: Interval
    depth_median: float | None
    depth_90: float | None
    placed: float


def join_groupings(parts: Sequence[Sequence[Grouping]]) -> list[Grouping]:
    """Groupings of consecutive batches, joined by position; each batch has the same ones."""
    joined = ((same[0], np.concatenate([g.labels for g in same])) for same in zip(*parts, strict=True))
    return [dataclasses.replace(first, labels=labels) for first, labels in joined]


@dataclass(frozen=True, eq=False)
class Split:
    """Some of the samples: those (N,) of one ``part`` of a grouping, or all."""

    grouping: str
    part: str
    chosen: Bools

    def __str__(self) -> str:
        return "all" if self.grouping == "all" else f"{self.grouping}: {self.part}"


def splits(groupings: Sequence[Grouping], count: int) -> list[Split]:
    """All ``count`` samples first, then every part of every grouping that has one."""
    parts = [Split(g.name, part, g.labels == part) for g in groupings for part in g.parts]
    return [Split("all", "all", np.ones(count, np.bool_)), *(part for part in parts if part.chosen.any())]


def summarise(source: str, output: str, errors: Errors, groupings: Sequence[Grouping], persons: Strings) -> list[Row]:
    """One row per split.

    ``persons`` (N,) names the person or clip of each sample; intervals resample whole persons, whose samples are alike.
    """
    chosen = splits(groupings, len(errors))
    return [_row(source, output, split, errors.take(split.chosen), persons[split.chosen]) for split in chosen]


def _row(source: str, output: str, split: Split, errors: Errors, persons: Strings) -> Row:
    number = np.unique(persons, return_inverse=True)[1]
    placed = np.isfinite(errors.depth)
    depth = 100 * np.abs(errors.depth[placed])
    return Row(
        source,
        output,
        split.grouping,
        split.part,
        len(errors),
        bootstrap_mean(errors.mpjpe, number),
        bootstrap_mean(errors.pa_mpjpe, number),
        bootstrap_mean(errors.mpvpe, number),
        bootstrap_mean(errors.mpjpe_smpl, number),
        bootstrap_mean(errors.pck_05, number),
        bootstrap_mean(errors.pck_10, number),
        float(np.median(depth)) if len(depth) else None,
        float(np.quantile(depth, 0.9)) if len(depth) else None,
        float(placed.mean()),
    )


_HEADINGS = tuple("2D|body|group|people|MPJPE|PA-MPJPE|MPVPE|MPJPE-24|PCK@0.05|PCK@0.1|depth %|90 %|placed".split("|"))


def table(rows: Sequence[Row]) -> str:
    """``rows`` as text for people to read, columns aligned."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEADINGS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cells(row: Row) -> tuple[str, ...]:
    group = "all" if row.grouping == "all" else f"{row.grouping}: {row.part}"
    intervals = (row.mpjpe, row.pa_mpjpe, row.mpvpe, row.mpjpe_smpl)
    correct = (f"{interval.mean:.1f}" for interval in (row.pck_05, row.pck_10))
    depth = ("-" if value is None else f"{value:.1f}" for value in (row.depth_median, row.depth_90))
    figures = (*map(str, intervals), *correct, *depth, f"{100 * row.placed:.1f} %")
    return (row.source, row.output, group, str(row.count), *figures)
