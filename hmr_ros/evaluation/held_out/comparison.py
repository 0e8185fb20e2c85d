# SPDX-License-Identifier: Apache-2.0
"""Paired comparison of two outputs on the same people: the difficulty of a person cancels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.metrics import Interval, bootstrap_mean
from hmr_ros.evaluation.held_out.report import Errors, Grouping, Split, splits


@dataclass(frozen=True)
class Gain:
    """The reduction of errors from one output to another on ``count`` people, mm."""

    split: str
    count: int
    mpjpe: Interval
    pa_mpjpe: Interval


def gains(better: Errors, worse: Errors, groupings: Sequence[Grouping], persons: Strings) -> list[Gain]:
    """Errors of ``worse`` minus ``better``, for all people first, then for every split.

    Intervals draw whole ``persons`` (N,), as in ``summarise``.
    """
    return [_gain(better, worse, split, persons) for split in splits(groupings, len(better))]


def _gain(better: Errors, worse: Errors, split: Split, persons: Strings) -> Gain:
    rows, number = split.chosen, np.unique(persons[split.chosen], return_inverse=True)[1]

    def interval(ours: Floats, theirs: Floats) -> Interval:
        return bootstrap_mean((theirs - ours)[rows], number)

    mpjpe, pa_mpjpe = interval(better.mpjpe, worse.mpjpe), interval(better.pa_mpjpe, worse.pa_mpjpe)
    return Gain(str(split), int(rows.sum()), mpjpe, pa_mpjpe)


def verdict(better: str, worse: str, found: Sequence[Gain]) -> str:
    """A line of text: the gain on all people, the splits without a gain, and those where it may be chance."""
    lost = [gain.split for gain in found if gain.mpjpe.mean <= 0 or gain.pa_mpjpe.mean <= 0]
    unsure = [g.split for g in found if g.split not in lost and min(g.mpjpe.low, g.pa_mpjpe.low) <= 0]
    overall = found[0]
    words = [
        f"{better} against {worse}: {overall.mpjpe} mm less MPJPE, {overall.pa_mpjpe} mm less PA-MPJPE;",
        f"less of both on {len(found) - len(lost)} of {len(found)} splits",
    ]
    words += [f"(not: {', '.join(lost)})"] if lost else []
    words += [f"(within the interval: {', '.join(unsure)})"] if unsure else []
    return " ".join(words)
