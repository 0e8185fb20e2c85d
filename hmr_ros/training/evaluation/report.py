"""Errors per sample -> a table by groups, with confidence intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.metrics import Interval, bootstrap_mean

Floats = NDArray[np.floating]
Strings = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Errors:
    """One figure per sample, (N,) each.

    ``mpjpe``, ``pa_mpjpe`` on the 14 Human3.6M joints and ``mpvpe`` in mm, ``mpjpe_smpl`` on the 24 SMPL joints in mm;
    ``depth`` signed relative error of the root's distance along the optical axis, NaN where no place was found.
    """

    mpjpe: Floats
    pa_mpjpe: Floats
    mpvpe: Floats
    mpjpe_smpl: Floats
    depth: Floats

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if (shape := getattr(self, f.name).shape) != (len(self),):
                raise ValueError(f"Errors.{f.name}: expected shape {(len(self),)}, got {shape}")

    def __len__(self) -> int:
        return len(self.mpjpe)

    def take(self, index: NDArray[np.bool_]) -> Errors:
        """The samples at ``index``."""
        return Errors(**{f.name: getattr(self, f.name)[index] for f in dataclasses.fields(self)})


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
    """One line of the report. Intervals are in mm; ``depth_*`` in percent of the true depth, of those ``placed``."""

    source: str
    grouping: str
    part: str
    count: int
    mpjpe: Interval
    pa_mpjpe: Interval
    mpvpe: Interval
    mpjpe_smpl: Interval
    depth_median: float | None
    depth_90: float | None
    placed: float


def join_errors(parts: Sequence[Errors]) -> Errors:
    """The samples of all ``parts``, in order."""
    return Errors(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(Errors)})


def join_groupings(parts: Sequence[Sequence[Grouping]]) -> list[Grouping]:
    """Groupings of consecutive batches, joined by position; each batch has the same ones."""
    joined = ((same[0], np.concatenate([g.labels for g in same])) for same in zip(*parts, strict=True))
    return [dataclasses.replace(first, labels=labels) for first, labels in joined]


def summarise(source: str, errors: Errors, groupings: Sequence[Grouping], persons: Strings) -> list[Row]:
    """All samples first, then every part of every grouping that has a sample.

    ``persons`` (N,) names who each sample shows; intervals draw whole persons, as samples of one are alike.
    """
    chosen = [("all", "all", np.ones(len(errors), np.bool_))]
    chosen += [(g.name, part, g.labels == part) for g in groupings for part in g.parts]
    return [_row(source, name, part, errors.take(i), persons[i]) for name, part, i in chosen if i.any()]


def _row(source: str, grouping: str, part: str, errors: Errors, persons: Strings) -> Row:
    number = np.unique(persons, return_inverse=True)[1]
    placed = np.isfinite(errors.depth)
    depth = 100 * np.abs(errors.depth[placed])
    return Row(
        source,
        grouping,
        part,
        len(errors),
        bootstrap_mean(errors.mpjpe, number),
        bootstrap_mean(errors.pa_mpjpe, number),
        bootstrap_mean(errors.mpvpe, number),
        bootstrap_mean(errors.mpjpe_smpl, number),
        float(np.median(depth)) if len(depth) else None,
        float(np.quantile(depth, 0.9)) if len(depth) else None,
        float(placed.mean()),
    )


_HEADINGS = ("2D", "group", "people", "MPJPE", "PA-MPJPE", "MPVPE", "MPJPE-24", "depth %", "90 %", "placed")


def table(rows: Sequence[Row]) -> str:
    """``rows`` as text for people to read, columns aligned."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEADINGS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cells(row: Row) -> tuple[str, ...]:
    group = "all" if row.grouping == "all" else f"{row.grouping}: {row.part}"
    intervals = (row.mpjpe, row.pa_mpjpe, row.mpvpe, row.mpjpe_smpl)
    depth = ("-" if value is None else f"{value:.1f}" for value in (row.depth_median, row.depth_90))
    return (row.source, group, str(row.count), *map(str, intervals), *depth, f"{100 * row.placed:.1f} %")
