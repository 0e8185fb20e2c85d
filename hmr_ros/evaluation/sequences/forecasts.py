# SPDX-License-Identifier: Apache-2.0
"""The second table of `hmr evaluate --sequences`: forecasts by horizon, beside simpler ones, and their coverage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.forecasts import HORIZONS_S
from hmr_ros.core.metrics import MM
from hmr_ros.evaluation.sequences.ahead import STANDING_M_S, WALKING_M_S, Ahead
from hmr_ros.evaluation.sequences.calibration import AheadDistances, ahead_distances
from hmr_ros.evaluation.sequences.report import aligned
from hmr_ros.evaluation.sequences.trial import Case

CM = 100.0


@dataclass(frozen=True)
class ForecastRow:
    """Mean errors ``horizon_s`` ahead, of ``images`` of a ``group`` of people; None: no image.

    ``joints``: around the pelvis, mm, of those of now held, moved on at their velocity, and as forecast; ``root``: of
    its way from here, cm, held, at the filter's velocity, at the same slowly stopping, and as forecast;
    ``joints_covered`` and ``root_covered``: percent in the regions of 50, 90 and 95 %, () where they are unknown, of
    the root with the error of where it is now.
    """

    source: str
    rate_hz: float
    group: str
    horizon_s: float
    images: int
    joints: tuple[float, ...]
    root: tuple[float, ...]
    joints_covered: tuple[float, ...]
    root_covered: tuple[float, ...]


def forecast_rows(case: Case) -> list[ForecastRow]:
    """A row for each group and horizon of the fusion of ``case``; none where it has no fusion."""
    if case.ahead is None:
        return []
    distances = ahead_distances(case.ahead, case.calibration)
    return list(_rows(case, case.ahead, distances))


def groups(ahead: Ahead) -> dict[str, Bools]:
    """Masks (N,) of the images of all people, of those who stand and of those who walk."""
    everyone = np.ones(len(ahead), np.bool_)
    return {"all": everyone, "standing": ahead.speed < STANDING_M_S, "walking": ahead.speed > WALKING_M_S}


def _rows(case: Case, ahead: Ahead, distances: AheadDistances | None) -> Iterator[ForecastRow]:
    joints = {name: MM * _lengths(e)[..., 1:].mean(-1) for name, e in ahead.joint_errors().items()}
    moving = np.isfinite(joints["velocity"][:, 0])
    roots = {name: CM * _lengths(e) for name, e in ahead.root_errors().items()}
    for group, chosen in groups(ahead).items():
        for k, seconds in enumerate(HORIZONS_S):
            used = chosen & moving & ahead.known[:, k]
            if used.any():
                of_joints, of_roots = distances.covered(used, k) if distances else ((), ())
                yield ForecastRow(
                    source=case.source,
                    rate_hz=case.rate_hz,
                    group=group,
                    horizon_s=seconds,
                    images=int(used.sum()),
                    joints=tuple(round(float(e[used, k].mean()), 1) for e in joints.values()),
                    root=tuple(round(float(e[used, k].mean()), 1) for e in roots.values()),
                    joints_covered=of_joints,
                    root_covered=of_roots,
                )


def _lengths(vectors: Floats) -> Floats:
    return np.asarray(np.linalg.norm(vectors, axis=-1))


_HEADINGS = (
    *("2D", "Hz", "group", "ahead s", "images", "joints, mm: hold", "velocity", "forecast"),
    *("root, cm: hold", "velocity", "damped", "forecast", "joints in 50, 90, 95 %", "root in 50, 90, 95 %"),
)


def forecast_table(found: Sequence[ForecastRow]) -> str:
    """``found`` as text for people to read, columns aligned."""
    return aligned([_HEADINGS, *map(_cells, found)])


def _cells(row: ForecastRow) -> tuple[str, ...]:
    covered = (" ".join(f"{c:.0f}" for c in of) or "-" for of in (row.joints_covered, row.root_covered))
    numbers = (*(f"{e:.0f}" for e in row.joints), *(f"{e:.1f}" for e in row.root))
    return row.source, f"{row.rate_hz:g}", row.group, f"{row.horizon_s:g}", str(row.images), *numbers, *covered
