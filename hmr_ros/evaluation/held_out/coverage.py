# SPDX-License-Identifier: Apache-2.0
"""Coverage: how often the ground truth lies in the confidence regions, over all people and by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Strings
from hmr_ros.core.metrics import Interval, bootstrap_mean
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.uncertainty import LEVELS, Calibration, Uncertainty
from hmr_ros.evaluation.held_out.report import Split, splits
from hmr_ros.evaluation.held_out.residuals import Distances, Residuals, distances


@dataclass(frozen=True)
class Coverage:
    """Percent of the ground truth of ``count`` people within the regions of each of LEVELS."""

    group: str
    count: int
    joints: tuple[Interval, ...]
    root: tuple[Interval, ...]

    @property
    def largest_gap(self) -> float:
        """The largest difference of a coverage from its level, percent."""
        wanted = 100 * np.array(LEVELS * 2)
        return float(np.abs([i.mean for i in (*self.joints, *self.root)] - wanted).max())


def coverages(residuals: Residuals, calibration: Calibration, joint_set: str, takes: Strings) -> list[Coverage]:
    """Coverage of all people first, then of every group; intervals resample whole ``takes`` (N,)."""
    found = distances(residuals, Uncertainty(calibration, joint_set))
    return [_coverage(found, calibration, takes, split) for split in splits(residuals.groupings, len(residuals))]


def _coverage(found: Distances, calibration: Calibration, takes: Strings, split: Split) -> Coverage:
    joints, root, number = found.joints[split.chosen], found.root[split.chosen], takes[split.chosen]

    def interval(within: Bools) -> Interval:
        return bootstrap_mean(100 * within.reshape(len(root), -1).mean(1), np.unique(number, return_inverse=True)[1])

    return Coverage(
        str(split),
        len(root),
        tuple(interval(joints <= radius) for radius in calibration.joint_radii),
        tuple(interval(root <= radius) for radius in calibration.root_radii),
    )


def coverage_by_joint(residuals: Residuals, calibration: Calibration, joint_set: str) -> dict[str, tuple[float, ...]]:
    """Percent of the ground truth of each joint but the pelvis within the regions of each of LEVELS."""
    found = distances(residuals, Uncertainty(calibration, joint_set)).joints
    fractions = [100 * (found <= radius).mean(0) for radius in calibration.joint_radii]
    return {SMPL.joints[joint + 1]: tuple(column) for joint, column in enumerate(np.stack(fractions, 1).tolist())}


_HEADINGS = ("group", "people", *(f"{part} {100 * level:.0f} %" for part in ("joints", "root") for level in LEVELS))


def coverage_table(rows: Sequence[Coverage]) -> str:
    """``rows`` as text for people to read, columns aligned."""
    lines = [_HEADINGS, *((row.group, str(row.count), *map(str, (*row.joints, *row.root))) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
