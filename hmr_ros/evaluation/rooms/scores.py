# SPDX-License-Identifier: Apache-2.0
"""Figures of fused people against the truth: ids (IDF1, Ristani et al., ECCV-W 2016), duplicates, positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.evaluation.rooms.trial import Instant
from hmr_ros.perception.assignment import assign

NEAR_M = 0.75
"""A fused person farther from the truth is none of those there."""

SETTLED_S = 1.0
_CHI2 = {0.5: 2.366, 0.9: 6.251, 0.95: 7.815}


@dataclass(frozen=True)
class Scores:
    """``idf1`` 0..1; ``ids`` given to ``people``; ``twice_s``: longest time for which someone was two people.

    ``missed_s``: longest time for which a person in view was missed; ``error_m``: mean distance of positions
    from the truth, after SETTLED_S; ``coverage`` of the 50, 90 and 95 % regions of a normal distribution.
    """

    idf1: float
    ids: int
    people: int
    twice_s: float
    missed_s: float
    error_m: float
    coverage: tuple[float, ...]


def scores(instants: Sequence[Instant]) -> Scores:
    """Of one room."""
    hits: Counter[tuple[int, int]] = Counter()
    given, there = 0, 0
    ids, errors, distances2 = set(), [], []
    for instant in instants:
        pairs = _matched(instant)
        hits.update((int(instant.ids[row]), person) for row, person in pairs)
        there += int(instant.shown.sum())
        given += len(instant.ids) - _excused(instant, pairs)
        ids.update(instant.ids.tolist())
        if instant.time_s >= SETTLED_S:
            errors += [float(np.linalg.norm(instant.roots[r] - instant.truth[p])) for r, p in pairs]
            distances2 += [_mahalanobis2(instant, r, p) for r, p in pairs]
    found2 = np.array(distances2)
    return Scores(
        idf1=2 * _id_hits(hits) / max(given + there, 1),
        ids=len(ids),
        people=len(instants[0].truth),
        twice_s=_longest([_twice(instant) for instant in instants], instants),
        missed_s=_longest([_missed(instant) for instant in instants], instants),
        error_m=float(np.mean(errors)) if errors else float("nan"),
        coverage=tuple(mean_error(found2 <= limit) for limit in _CHI2.values()),
    )


def _matched(instant: Instant) -> list[tuple[int, int]]:
    """(row, person) of those who are near to each other, people whom a camera shows alone."""
    shown = np.flatnonzero(instant.shown)
    if not len(shown) or not len(instant.ids):
        return []
    apart = np.linalg.norm(instant.roots[:, None] - instant.truth[shown][None], axis=-1)
    pairs: Int64s = assign(np.minimum(apart, NEAR_M))
    return [(r, int(shown[c])) for r, c in pairs.tolist() if apart[r, c] < NEAR_M]


def _excused(instant: Instant, pairs: list[tuple[int, int]]) -> int:
    """How many fused people are where someone is whom no camera shows now: remembered, not wrong."""
    hidden, taken = instant.truth[~instant.shown], {row for row, _ in pairs}
    free = [row for row in range(len(instant.ids)) if row not in taken]
    return sum(bool((np.linalg.norm(hidden - instant.roots[row], axis=-1) < 2 * NEAR_M).any()) for row in free)


def _mahalanobis2(instant: Instant, row: int, person: int) -> float:
    error = instant.truth[person] - instant.roots[row]
    return float(error @ np.linalg.solve(instant.covariances[row], error))


def _id_hits(hits: Counter[tuple[int, int]]) -> int:
    """The most hits that one id for each person can have."""
    ids, people = (sorted({key[k] for key in hits}) for k in (0, 1))
    table = np.array([[hits[i, p] for p in people] for i in ids], np.float64)
    if not table.size:
        return 0
    return int(sum(table[r, c] for r, c in assign(-table).tolist()))


def _twice(instant: Instant) -> set[int]:
    """People to whom two fused ones are nearest, and near."""
    if len(instant.ids) < 2:
        return set()
    apart = np.linalg.norm(instant.roots[:, None] - instant.truth[None], axis=-1)
    nearest = Counter(apart.argmin(1)[apart.min(1) < 2 * NEAR_M].tolist())
    return {person for person, count in nearest.items() if count > 1 and instant.shown[person]}


def _missed(instant: Instant) -> set[int]:
    """People whom a camera shows and who are missed: not found yet, or taken for someone else."""
    return set(np.flatnonzero(instant.shown).tolist()) - {person for _, person in _matched(instant)}


def _longest(sets: Sequence[set[int]], instants: Sequence[Instant]) -> float:
    """The longest time, s, for which one person is in all of consecutive ``sets``."""
    longest, since = 0.0, dict[int, float]()
    for people, instant in zip(sets, instants, strict=True):
        since = {person: since.get(person, instant.time_s) for person in people}
        longest = max([longest, *(instant.time_s - at for at in since.values())])
    return longest


def mean_error(errors: Floats | Bools) -> float:
    """The mean of errors (N,), or of what is so (N,); NaN of none."""
    return float(errors.mean()) if len(errors) else float("nan")
