# SPDX-License-Identifier: Apache-2.0
"""The calibration of a fusion network: fitted on each half of the takes, tested on the other half, by condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Ints
from hmr_ros.core.forecasts import HORIZONS_S
from hmr_ros.core.records import join_rows
from hmr_ros.core.uncertainty import LEVELS, Calibration
from hmr_ros.evaluation.held_out.residuals import calibration_clips
from hmr_ros.evaluation.sequences.ahead import Ahead
from hmr_ros.evaluation.sequences.calibration import (
    FusedDistances,
    ahead_distances,
    fitted_forecasts,
    fused_distances,
)
from hmr_ros.evaluation.sequences.forecasts import groups
from hmr_ros.evaluation.sequences.report import aligned
from hmr_ros.evaluation.sequences.trial import SOURCES, Case
from hmr_ros.training.datasets.motion import Motion


@dataclass(frozen=True)
class AheadRow:
    """Percent of people of a ``group`` in the regions of each level, ``horizon_s`` ahead; of ``images``."""

    group: str
    horizon_s: float
    images: int
    joints: tuple[float, ...]
    root: tuple[float, ...]


@dataclass(frozen=True)
class FusionReport:
    """A ``calibration``, and what is covered, in percent, of each half of the takes by one fitted on the other half.

    ``joints``: of fused joints now, at each level; ``ahead``: of forecasts, all people first.
    """

    calibration: Calibration
    joints: tuple[float, ...]
    ahead: tuple[AheadRow, ...]

    @property
    def largest_gap(self) -> float:
        """How far the coverage of all people is off, in percent."""
        everyone = [of for row in self.ahead if row.group == "all" for of in (row.joints, row.root)]
        return max(abs(c - 100 * level) for of in (self.joints, *everyone) for c, level in zip(of, LEVELS, strict=True))

    def text(self) -> str:
        """For people to read."""
        now = ", ".join(f"{c:.1f}" for c in self.joints)
        power, radii = self.calibration.seen_power, self.calibration.joint_radii
        head = f"fused joints within {radii}, deviations with the fraction of keypoints seen to the power of {power:g}"
        return f"{head}; crosswise {now} percent\n{table(self.ahead)}"


def fusion_report(cases: Iterable[Case], motion: Motion, of_estimator: Calibration) -> FusionReport:
    """The calibration of the fusion whose ``cases`` these are; the rest of it is the estimator's.

    Each half of the takes is tested with what was fitted on the other one: the halves are of few takes and differ, so
    one of them would say more of its takes than of the regions. What is written is fitted on all. Raises ValueError
    where all people are of one half.
    """
    found = list(cases)
    taught = calibration_clips(motion)
    fused = fused_distances(found)
    _check_halves(taught[fused.clip])
    ahead = join_rows([case.ahead for case in found if case.ahead is not None])
    sources = np.concatenate([[case.source] * len(case.ahead) for case in found if case.ahead is not None])
    tested = [_tested(fused, ahead, sources, known, of_estimator) for known in (taught, ~taught)]
    calibration = _fitted(fused, ahead, of_estimator)
    return FusionReport(calibration, _joined_levels([t[0] for t in tested]), _joined_rows([t[1] for t in tested]))


def _check_halves(taught: Bools) -> None:
    """``taught`` (N,): which images are of the first half."""
    if taught.all() or not taught.any():
        raise ValueError(
            "expected people of two takes of a subject or more, as each half of the takes is tested with the other: "
            "give a --motion with more takes, or more --samples"
        )


def _fitted(fused: FusedDistances, ahead: Ahead, of_estimator: Calibration) -> Calibration:
    return dataclasses.replace(fused.fitted(of_estimator), forecast=fitted_forecasts(ahead))


def _tested(
    fused: FusedDistances, ahead: Ahead, sources: Ints, known: Bools, of_estimator: Calibration
) -> tuple[tuple[int, tuple[float, ...]], tuple[AheadRow, ...]]:
    """What is covered of the clips that are not ``known`` (C,), by what those that are say: joints now, and ahead."""
    now, later = known[fused.clip], known[ahead.clip]
    calibration = _fitted(fused.take(now), ahead.take(later), of_estimator)
    joints = int((~now).sum()), fused.take(~now).coverage(calibration)
    return joints, covered_ahead(ahead.take(~later), sources[~later], calibration)


def _joined_levels(parts: Sequence[tuple[int, tuple[float, ...]]]) -> tuple[float, ...]:
    """The mean of percentages at each level of parts of so many images."""
    images = sum(count for count, _ in parts)
    return tuple(round(sum(n * level[k] for n, level in parts) / images, 1) for k in range(len(LEVELS)))


def _joined_rows(halves: Sequence[Sequence[AheadRow]]) -> tuple[AheadRow, ...]:
    """One row for each group and horizon of both ``halves``."""
    by_name: dict[tuple[str, float], list[AheadRow]] = {}
    for row in (row for half in halves for row in half):
        by_name.setdefault((row.group, row.horizon_s), []).append(row)
    return tuple(_joined(rows) for rows in by_name.values())


def _joined(rows: Sequence[AheadRow]) -> AheadRow:
    joints, root = (_joined_levels([(row.images, getattr(row, name)) for row in rows]) for name in ("joints", "root"))
    return dataclasses.replace(rows[0], images=sum(row.images for row in rows), joints=joints, root=root)


def covered_ahead(ahead: Ahead, sources: Ints, calibration: Calibration) -> tuple[AheadRow, ...]:
    """A row for each group and horizon of ``ahead``, whose keypoints came from ``sources`` (N,)."""
    distances = ahead_distances(ahead, calibration)
    assert distances is not None, "forecasts are calibrated"
    rows = []
    for group, chosen in _conditions(ahead, sources).items():
        for k, seconds in enumerate(HORIZONS_S):
            used = chosen & ahead.known[:, k]
            if used.any():
                rows.append(AheadRow(group, seconds, int(used.sum()), *distances.covered(used, k)))
    return tuple(rows)


def _conditions(ahead: Ahead, sources: Ints) -> dict[str, Bools]:
    moving = groups(ahead)
    found = moving | {source: sources == source for source in SOURCES}
    gross = found["coco"]
    return found | {f"coco, {name}": gross & moving[name] for name in ("standing", "walking")}


def table(rows: Sequence[AheadRow]) -> str:
    """``rows`` as text for people to read, columns aligned."""
    headings = ("group", "ahead s", "images", "joints in 50, 90, 95 %", "root in 50, 90, 95 %")
    return aligned([headings, *map(_cells, rows)])


def _cells(row: AheadRow) -> tuple[str, ...]:
    covered = (" ".join(f"{percent:.1f}" for percent in of) for of in (row.joints, row.root))
    return row.group, f"{row.horizon_s:g}", str(row.images), *covered
