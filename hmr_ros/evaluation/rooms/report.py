# SPDX-License-Identifier: Apache-2.0
"""The table of `hmr evaluate-cameras`: ids, duplicates and positions by the number of cameras, and wrong cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.evaluation.rooms.scores import Scores, mean_error, scores
from hmr_ros.evaluation.rooms.trial import Outcome


@dataclass(frozen=True)
class RoomRow:
    """``rooms`` of one kind with as many ``cameras``; means over rooms, but for the worst ``idf1`` and longest times.

    ``error_cm`` of fused positions, ``single_cm`` of one camera's, and their ``ratio``; ``twice_s``: longest time for
    which someone was two people; ``missed_s``: for which one was missed; ``coverage`` of the root's 50, 90 and 95 %
    regions, percent; ``refused``: cameras that were refused, and ``wrong``: that should have been.
    """

    kind: str
    cameras: int
    rooms: int
    people: int
    ids: int
    idf1: float
    worst_idf1: float
    twice_s: float
    missed_s: float
    error_cm: float
    single_cm: float
    ratio: float
    coverage: tuple[float, ...]
    refused: int
    wrong: int


def row(kind: str, cameras: int, outcomes: Sequence[Outcome], wrong: Sequence[int]) -> RoomRow:
    """Of rooms with as many ``cameras``; those with the numbers ``wrong`` in each must be refused."""
    found = [scores(outcome.instants) for outcome in outcomes]
    single = mean_error(np.concatenate([outcome.single for outcome in outcomes]))
    error = float(np.nanmean([each.error_m for each in found]))
    return RoomRow(
        kind=kind,
        cameras=cameras,
        rooms=len(outcomes),
        people=sum(each.people for each in found),
        ids=sum(each.ids for each in found),
        idf1=round(float(np.mean([each.idf1 for each in found])), 3),
        worst_idf1=round(min(each.idf1 for each in found), 3),
        twice_s=round(max(each.twice_s for each in found), 1),
        missed_s=round(max(each.missed_s for each in found), 1),
        error_cm=round(100 * error, 1),
        single_cm=round(100 * single, 1),
        ratio=round(error / single, 2),
        coverage=_coverage(found),
        refused=sum(len(set(wrong) & set(outcome.refused)) for outcome in outcomes),
        wrong=len(wrong) * len(outcomes),
    )


def _coverage(found: Sequence[Scores]) -> tuple[float, ...]:
    return tuple(round(100 * float(np.mean(column)), 1) for column in zip(*(s.coverage for s in found), strict=True))


_HEADINGS = (
    *("cameras", "rooms", "people", "ids", "IDF1", "worst", "twice s", "missed s", "error cm", "one camera cm"),
    *("ratio", "root in 50, 90, 95 %", "refused"),
)


def table(rows: Sequence[RoomRow]) -> str:
    """``rows`` as text for people to read, columns aligned."""
    lines = [_HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cells(row: RoomRow) -> tuple[str, ...]:
    numbers = (row.idf1, row.worst_idf1, row.twice_s, row.missed_s, row.error_cm, row.single_cm, row.ratio)
    coverage = ", ".join(f"{c:.0f}" for c in row.coverage)
    counts = (f"{row.cameras}, {row.kind}", str(row.rooms), str(row.people), str(row.ids))
    return (*counts, *map(str, numbers), coverage, f"{row.refused} of {row.wrong}" if row.wrong else "-")
