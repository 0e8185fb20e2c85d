# SPDX-License-Identifier: Apache-2.0
"""The table of `hmr evaluate --smoothing`: what is left of noise, and what trails behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.evaluation.smoothing.trial import FILTERS, RATES_HZ, Outcomes, chosen

_MOVING_M_S, _STILL_M_S = 0.3, 0.1


@dataclass(frozen=True)
class SmoothingRow:
    """One filter at one frame rate, over ``images``.

    ``lag_ms``: of people faster than 0.3 m/s, by regression of the error on the velocity; ``trailing_mm``: their mean
    distance behind themselves; ``trembling_mm``: mean second difference, per squared image, of people slower than 0.1
    m/s; ``jerkiness_mm``: that of the error, of all people; ``error_mm``: root mean square; ``skating_mm_s``: median
    speed of ankles that stand still.
    """

    filter: str
    rate_hz: float
    images: int
    lag_ms: float
    trailing_mm: float
    trembling_mm: float
    jerkiness_mm: float
    error_mm: float
    skating_mm_s: float


def rows(people: Outcomes) -> list[SmoothingRow]:
    """A row for each rate and filter."""
    return [_row(name, rate, chosen(people, name, rate)) for rate in RATES_HZ for name in FILTERS]


def _row(name: str, rate_hz: float, people: Outcomes) -> SmoothingRow:
    speed = np.linalg.norm(people.velocity, axis=1)
    moving, still = speed > _MOVING_M_S, speed < _STILL_M_S
    behind = -(people.error * people.velocity).sum(1)
    planted = people.feet[people.true_feet < _STILL_M_S]
    return SmoothingRow(
        filter=name,
        rate_hz=rate_hz,
        images=len(people),
        lag_ms=1e3 * float(behind[moving].sum() / max(float((speed[moving] ** 2).sum()), 1e-9)),
        trailing_mm=1e3 * float((behind[moving] / speed[moving]).mean()) if moving.any() else float("nan"),
        trembling_mm=1e3 * float(people.acceleration[still].mean()) if still.any() else float("nan"),
        jerkiness_mm=1e3 * float(people.jerkiness.mean()),
        error_mm=1e3 * float(np.sqrt(np.square(people.error).sum(1).mean())),
        skating_mm_s=1e3 * float(np.median(planted)) if len(planted) else float("nan"),
    )


_HEADINGS = ("filter", "Hz", "images", "lag ms", "trailing mm", "trembling mm", "jerky mm", "error mm", "skating mm/s")


def table(found: Sequence[SmoothingRow]) -> str:
    """``found`` as text for people to read, columns aligned."""
    lines = [_HEADINGS, *(_cells(row) for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cells(row: SmoothingRow) -> tuple[str, ...]:
    numbers = (
        *(row.lag_ms, row.trailing_mm, row.trembling_mm),
        *(row.jerkiness_mm, row.error_mm, row.skating_mm_s),
    )
    return (row.filter, f"{row.rate_hz:.0f}", str(row.images), *(f"{n:.1f}" for n in numbers))
