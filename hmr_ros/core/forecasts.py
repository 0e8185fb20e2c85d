# SPDX-License-Identifier: Apache-2.0
"""Forecasts: where people will be a while after an image, how sure that is, and the calibration behind it.

core/temporal/forecasting.py makes them. Measured: docs/fusion.md and docs/uncertainty.md.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.records import Record, check_shape
from hmr_ros.core.skeleton import SMPL

HORIZONS_S = (0.25, 0.5, 1.0)
"""How far ahead the fusion network looks; other times are interpolated."""

LONGEST_S = HORIZONS_S[-1]


@dataclass(frozen=True, eq=False)
class Forecasts(Record):
    """Where P people are expected F times ahead: metres, in the optical frame of the image, which stays where it is.

    ``cam_t`` (P, F, 3): the pelvis; ``joints`` (P, F, 24, 3) positions; ``joint_covariance`` (P, F, 24, 3, 3) m^2,
    relative to the pelvis, and ``root_covariance`` (P, F, 3, 3) m^2; ``ahead_s``: F times after the image's stamp.
    NaN: unknown, as of people who are not ``valid``.
    """

    cam_t: Floats
    joints: Floats
    joint_covariance: Floats
    root_covariance: Floats
    ahead_s: tuple[float, ...]

    def __post_init__(self) -> None:
        people, times = len(self.cam_t), len(self.ahead_s)
        check_shape(self, "cam_t", (people, times, 3))
        check_shape(self, "joints", (people, times, SMPL.size, 3))
        check_shape(self, "joint_covariance", (people, times, SMPL.size, 3, 3))
        check_shape(self, "root_covariance", (people, times, 3, 3))


FORECAST_COLUMNS = ("cam_t", "joints", "joint_covariance", "root_covariance")
"""The arrays of Forecasts."""


@dataclass(frozen=True)
class ForecastCalibration:
    """How far people stray from forecasts at HORIZONS_S (core/temporal/forecasting.py has the model).

    ``root_along`` and ``root_across`` the line of sight, (3,): deviations of the root's way; ``joints`` (3, 24): of
    the joints around the pelvis; all in units that grow with the speed. ``joint_radii`` and ``root_radii`` (3, 3):
    Mahalanobis distances within which the ground truth is at each level.
    """

    root_along: tuple[float, ...]
    root_across: tuple[float, ...]
    joints: tuple[tuple[float, ...], ...]
    joint_radii: tuple[tuple[float, ...], ...]
    root_radii: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        shapes = {"root_along": (3,), "root_across": (3,), "joints": (3, SMPL.size)}
        for name, shape in shapes.items():
            values = np.array(getattr(self, name))
            if values.shape != shape or not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(f"forecast {name}: expected {shape} finite numbers, none below 0, got {values}")
        for name in ("joint_radii", "root_radii"):
            _check_radii(name, getattr(self, name))


def _check_radii(name: str, radii: tuple[tuple[float, ...], ...]) -> None:
    rising = [all(a < b for a, b in itertools.pairwise((0, *of_horizon, math.inf))) for of_horizon in radii]
    if len(radii) != len(HORIZONS_S) or {len(row) for row in radii} != {3} or not all(rising):
        raise ValueError(f"forecast {name}: expected (3, 3) positive numbers, rising in each row, got {radii}")


@functools.cache
def between_horizons(ahead_s: tuple[float, ...]) -> Floats:
    """(F, 4) weights of now and of each of HORIZONS_S, which sum to 1, for times in between."""
    nodes = np.array((0.0, *HORIZONS_S))
    weights = np.stack([np.interp(ahead_s, nodes, row) for row in np.eye(len(nodes))], -1)
    weights.flags.writeable = False
    return weights


def parsed_times(text: str) -> tuple[float, ...]:
    """The times of the setting ``forecast_s``, s, ascending. Raises ValueError for a text that is no list of these.

    A text and not a list, as ROS has no way to set a list of numbers that is empty.

    >>> parsed_times("0.25, 0.5 1"), parsed_times("")
    ((0.25, 0.5, 1.0), ())
    """
    try:
        times = tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        times = (math.nan,)
    if not all(a < b for a, b in itertools.pairwise((0.0, *times))) or any(t > LONGEST_S for t in times):
        raise ValueError(
            f'forecast_s: expected times ahead in s, ascending, up to {LONGEST_S:g}, such as "0.5, 1.0", or nothing, '
            f"got {text!r}"
        )
    return times
