# SPDX-License-Identifier: Apache-2.0
"""PCK, the fraction of joints within a distance of their labels, and its confidence intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.metrics import Interval, bootstrap_mean
from hmr_ros.core.skeleton import COCO17

_BODY_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
PARTS = tuple(next((p for p in _BODY_PARTS if p in joint), "head") for joint in COCO17.joints)
"""The part that each of the 17 joints counts to."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Distances of M methods' joints from the labels of N people.

    ``errors`` (M, N, 17) distance to the label in torso lengths, infinite where a method estimated no body;
    ``distances`` (M, N, 17) the same by the method's own covariances (``regions``), NaN where unknown; ``labelled`` (N,
    17); ``upright`` (N,).
    """

    errors: Floats
    distances: Floats
    labelled: Bools
    upright: Bools

    def __post_init__(self) -> None:
        people = len(self.upright)
        same = self.errors.shape == self.distances.shape
        if not same or self.errors.shape[1:] != (people, COCO17.size) or self.labelled.shape != (people, COCO17.size):
            raise ValueError(
                f"Outcome: expected errors and distances (M, {people}, 17) and labelled ({people}, 17), "
                f"got {self.errors.shape}, {self.distances.shape} and {self.labelled.shape}"
            )


@dataclass(frozen=True)
class Row:
    """PCK of a group of joints, in percent: of each method, and how much each gains on the one before it."""

    group: str
    people: int
    joints: int
    pck: tuple[Interval, ...]
    gain: tuple[Interval, ...]


def join(outcomes: Sequence[Outcome]) -> Outcome:
    """The people of all ``outcomes``, of which there is at least one."""
    return Outcome(
        np.concatenate([o.errors for o in outcomes], 1),
        np.concatenate([o.distances for o in outcomes], 1),
        np.concatenate([o.labelled for o in outcomes]),
        np.concatenate([o.upright for o in outcomes]),
    )


def summarise(outcome: Outcome, threshold: float) -> list[Row]:
    """PCK@``threshold`` of all people, of upright and other people, then by body part; empty groups are omitted.

    Intervals are 95 % bootstrap intervals that resample whole people, as the joints of a person are correlated.
    """
    upright = outcome.upright[:, None]
    groups = [("all", outcome.labelled), ("upright", outcome.labelled & upright)]
    groups.append(("others", outcome.labelled & ~upright))
    groups += [(part, outcome.labelled & (np.array(PARTS) == part)) for part in dict.fromkeys(PARTS)]
    return [_row(name, outcome.errors, chosen, threshold) for name, chosen in groups if chosen.any()]


def _row(name: str, errors: Floats, chosen: Bools, threshold: float) -> Row:
    person = np.nonzero(chosen)[0]
    hits = 100.0 * (errors[:, chosen] <= threshold)
    return Row(
        group=name,
        people=len(np.unique(person)),
        joints=len(person),
        pck=tuple(bootstrap_mean(hit, person) for hit in hits),
        gain=tuple(bootstrap_mean(after - before, person) for before, after in pairwise(hits)),
    )


def table(rows: Sequence[Row], methods: Sequence[str]) -> str:
    """``rows`` as text for people to read, columns aligned."""
    headings = ("group", "people", "joints", *methods, *(f"{b} - {a}" for a, b in pairwise(methods)))
    cells = [headings, *((r.group, str(r.people), str(r.joints), *map(str, r.pck + r.gain)) for r in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def as_json(rows: Sequence[Row], methods: Sequence[str]) -> list[dict[str, object]]:
    """``rows`` for machines: intervals by the name of their method."""
    return [
        {
            "group": row.group,
            "people": row.people,
            "joints": row.joints,
            "pck": {m: dataclasses.asdict(i) for m, i in zip(methods, row.pck, strict=True)},
            "gain": {m: dataclasses.asdict(i) for m, i in zip(methods[1:], row.gain, strict=True)},
        }
        for row in rows
    ]
