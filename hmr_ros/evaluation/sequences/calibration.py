# SPDX-License-Identifier: Apache-2.0
"""Calibration of the fusion over time: how many of its standard deviations the true joints are away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.uncertainty import LEVELS
from hmr_ros.evaluation.sequences.scores import joint_distances
from hmr_ros.evaluation.sequences.trial import FUSED, Case


@dataclass(frozen=True, eq=False)
class FusedDistances(Record):
    """Mahalanobis ``distance`` (N, 23) of the joints but the pelvis in N images; ``clip`` (N,) of the motion."""

    distance: Floats
    clip: Ints

    def radii(self) -> tuple[float, ...]:
        """Distances within which the fractions LEVELS of all joints are."""
        return tuple(round(float(radius), 4) for radius in np.quantile(self.distance, LEVELS))

    def coverage(self, radii: tuple[float, ...]) -> tuple[float, ...]:
        """Percent of the joints within each of ``radii``."""
        return tuple(100 * float((self.distance <= radius).mean()) for radius in radii)


def fused_distances(cases: Iterable[Case]) -> FusedDistances:
    """The distances of all fused poses of ``cases``."""
    return join_rows([_of_case(case) for case in cases])


def _of_case(case: Case) -> FusedDistances:
    output, truth = case.outputs[FUSED], case.truth
    everything: Bools = np.ones_like(output.known)
    known, distance = joint_distances(output, truth, everything)
    return FusedDistances(distance, np.broadcast_to(truth.clip[:, None], known.shape)[known])
