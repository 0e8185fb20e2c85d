# SPDX-License-Identifier: Apache-2.0
"""The table of `hmr evaluate --ground`: errors of distance, stature and feet, and the coverage of the covariances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.evaluation.ground.trial import Outcomes

HIGH_CAMERA_M = 0.8
SETTLED_S = 2.0
_UNDER_M = 0.03
AIRBORNE = "jump_acrobat"
"""Category of clips whose people are in the air for half of the time: a group of its own."""


@dataclass(frozen=True)
class GroundRow:
    """``images`` of ``people`` in a group, on one kind of ``ground``; percent unless it says cm.

    ``distance`` and ``stature`` (after SETTLED_S): median and 90th percentile of the absolute error; ``floor_cm``:
    median distance of the lower sole from the floor that it touches; ``under``: images with soles more than 3 cm under
    the floor; ``grounded``: images in which the ground placed the person; ``coverage`` of the root's regions.
    """

    ground: str
    group: str
    people: int
    images: int
    distance: tuple[float, float]
    stature: tuple[float, float]
    floor_cm: float
    under: float
    grounded: float
    coverage: tuple[float, ...]


def rows(outcomes: Mapping[str, Outcomes], calibration: Calibration | None) -> list[GroundRow]:
    """A row for each ground and each group that has people."""
    radii = calibration.root_radii if calibration else ()
    found = []
    for ground, people in outcomes.items():
        for group, chosen in _groups(people).items():
            if chosen.any():
                found.append(_row(ground, group, people.take(chosen), radii))
    return found


def _groups(people: Outcomes) -> dict[str, Bools]:
    on_floor, high = people.category != AIRBORNE, people.camera_m >= HIGH_CAMERA_M
    standing = people.feet & on_floor
    return {
        "adults": standing & high & ~people.child,
        "children": standing & high & people.child,
        "camera below 0.8 m": standing & ~high,
        "feet out of view": ~people.feet & on_floor,
        "acrobats": ~on_floor,
    }


def _row(ground: str, group: str, people: Outcomes, radii: Sequence[float]) -> GroundRow:
    settled = people.stature[people.time_s >= SETTLED_S]
    touching = people.lowest_m[people.touching]
    known = people.mahalanobis[np.isfinite(people.mahalanobis)]
    return GroundRow(
        ground=ground,
        group=group,
        people=len(np.unique(people.person)),
        images=len(people),
        distance=_spread(people.distance),
        stature=_spread(settled),
        floor_cm=_percentile(100 * np.abs(touching), 50),
        under=_percent(people.lowest_m < -_UNDER_M),
        grounded=_percent(people.grounded),
        coverage=tuple(_percent(known <= radius) for radius in radii),
    )


def _spread(error: Floats) -> tuple[float, float]:
    """Median and 90th percentile of the absolute ``error`` (N,), percent; NaN of none."""
    return _percentile(100 * np.abs(error), 50), _percentile(100 * np.abs(error), 90)


def _percentile(values: Floats, percentile: float) -> float:
    return round(float(np.percentile(values, percentile)), 1) if len(values) else float("nan")


def _percent(chosen: Bools) -> float:
    return round(100 * float(chosen.mean()), 1) if len(chosen) else float("nan")


_HEADINGS = (
    *("ground", "group", "people", "images", "distance", "90 %", "stature", "90 %", "floor cm", "under", "grounded"),
    "root in 50, 90, 95 %",
)


def table(found: Sequence[GroundRow]) -> str:
    """``found`` as text for people to read, columns aligned."""
    lines = [_HEADINGS, *(_cells(row) for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cells(row: GroundRow) -> tuple[str, ...]:
    numbers = (*row.distance, *row.stature, row.floor_cm, row.under, row.grounded)
    coverage = ", ".join(f"{c:.0f}" for c in row.coverage)
    return (row.ground, row.group, str(row.people), str(row.images), *(f"{n:.1f}" for n in numbers), coverage)
