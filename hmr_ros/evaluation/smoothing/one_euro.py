# SPDX-License-Identifier: Apache-2.0
"""The one-euro filter on positions (Casiez et al., CHI 2012): the baseline of what the robot runs.

A low-pass filter of first order whose cut-off grows with speed: still people do not tremble, moving ones lag less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.records import Record
from hmr_ros.core.temporal.one_euro import cutoff_fraction, filtered_speed


@dataclass(frozen=True, eq=False)
class FilteredPositions(Record):
    """State of N filters: the filtered ``value`` (N, 3) m, the last ``raw`` one, the filtered ``speed`` (N, 3) m/s."""

    value: Floats
    raw: Floats
    speed: Floats


def positions_at_rest(raw: Floats) -> FilteredPositions:
    """(N, 3) m: start to filter points of the optical frame."""
    return FilteredPositions(raw, raw, np.zeros_like(raw))


def filter_positions(last: FilteredPositions, raw: Floats, dt_s: Floats, config: SmoothingConfig) -> FilteredPositions:
    """After a measurement ``raw`` (N, 3) m, ``dt_s`` (N,) s after the last one.

    Along the line of sight, where a camera measures badly, the cut-off is another than across it: the noise of the
    depth must not make the image position tremble, nor its smoothing hold the image position back.
    """
    dt = dt_s[:, None]
    speed = filtered_speed(last.speed, (raw - last.raw) / dt, dt)
    sight = raw / np.maximum(np.linalg.norm(raw, axis=-1, keepdims=True), 1e-9)
    along_speed, along = ((x * sight).sum(-1, keepdims=True) * sight for x in (speed, raw - last.value))
    across_speed, across = speed - along_speed, raw - last.value - along
    along_fraction, across_fraction = (cutoff_fraction(s, dt, config) for s in (along_speed, across_speed))
    return FilteredPositions(last.value + along_fraction * along + across_fraction * across, raw, speed)
