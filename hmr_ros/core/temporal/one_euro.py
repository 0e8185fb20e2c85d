# SPDX-License-Identifier: Apache-2.0
"""The one-euro filter of rotations (Casiez et al., CHI 2012).

A low-pass filter of first order whose cut-off grows with speed: still people do not tremble, and moving ones lag less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.camera_motion import Motions
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.records import Record

_SPEED_CUTOFF_HZ = 1.0


@dataclass(frozen=True, eq=False)
class Filtered(Record):
    """State of N filters: the filtered ``value``, the last ``raw`` one, and the filtered ``speed`` per second."""

    value: Floats
    raw: Floats
    speed: Floats

    def replaced(self, rows: Bools, others: Filtered) -> Filtered:
        """These signals, but for those in ``rows`` (N,), which are as in ``others``."""
        if not rows.any():
            return self
        return self.with_rows(rows, others.take(rows))

    def carried(self, motions: Motions) -> Filtered:
        """These (N, J, 3, 3), whose first is that of the root, in the optical frame of another image."""
        value, raw = self.value.copy(), self.raw.copy()
        for rotations in (value, raw):
            rotations[:, 0] = motions.rotations @ rotations[:, 0]
        return Filtered(value, raw, self.speed)


def rotations_at_rest(raw: Floats) -> Filtered:
    """(N, J, 3, 3): start to filter rotations; their speed is (N, J, 3) rad/s."""
    return Filtered(raw, raw, np.zeros(raw.shape[:-1], raw.dtype))


def filter_rotations(last: Filtered, raw: Floats, dt_s: Floats, config: SmoothingConfig) -> Filtered:
    """After a measurement ``raw`` (N, J, 3, 3), ``dt_s`` (N,) s after the last one, along the shortest rotations."""
    dt = dt_s[:, None, None]
    speed = filtered_speed(last.speed, rotmat_to_rotvec(last.raw.swapaxes(-1, -2) @ raw) / dt, dt)
    rotation = rotmat_to_rotvec(last.value.swapaxes(-1, -2) @ raw)
    return Filtered(last.value @ rotvec_to_rotmat(cutoff_fraction(speed, dt, config) * rotation), raw, speed)


def filtered_speed(last: Floats, measured: Floats, dt: Floats) -> Floats:
    """Low-pass filtered speed (..., D) per s: ``last``, updated by ``measured`` (..., D) after ``dt`` s."""
    return last + _low_pass_fraction(_SPEED_CUTOFF_HZ, dt) * (measured - last)


def cutoff_fraction(speed: Floats, dt: Floats, config: SmoothingConfig) -> Floats:
    """Weight of the new value; 1, no smoothing, where the lowest cut-off is 0. ``speed`` (..., D) per s, ``dt`` s."""
    if config.min_cutoff == 0:
        return np.ones_like(dt)
    return _low_pass_fraction(config.min_cutoff + config.beta * np.linalg.norm(speed, axis=-1, keepdims=True), dt)


def _low_pass_fraction(cutoff_hz: Floats | float, dt: Floats) -> Floats:
    """Weight of the new value in a first-order low-pass filter, discretised as in the one-euro filter's paper."""
    ratio = 2 * np.pi * cutoff_hz * dt
    return ratio / (1 + ratio)
