# SPDX-License-Identifier: Apache-2.0
"""Smoothing of the hands of tracked people: finger angles and wrists by the one-euro filter (smoothing.py).

One camera sees the outline of a hand from the front as from behind, so that a network may take it for its mirror image
in depth for an image or two, and the wrist jumps by far more than it can rotate. Such jumps are not followed until
they last. Lost hands keep their pose for a moment, then relax to rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.people import UNTRACKED
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.temporal.one_euro import (
    Filtered,
    cutoff_fraction,
    filter_rotations,
    filtered_speed,
    rotations_at_rest,
)

JUMP = np.radians(60.0)
"""A wrist that has rotated by more since it was last believed has jumped ..."""
DOUBT_S = 0.2
"""... and is believed again once that is longer ago."""
HOLD_S = 0.3
"""For so long a hand that is not seen keeps its pose ..."""
RELAX_S = 0.3
"""... then it relaxes to rest with this time constant."""
_RISE_S = 0.1
"""Time constant with which a hand that comes into view takes over from the one at rest."""
_AT_REST = 0.02
"""A weight below is 0: the hand is at rest."""
_NEVER_S = -np.inf


@dataclass(frozen=True, eq=False)
class HandPosture(Record):
    """The hands of P people: ``angles`` (P, 2, 15, 2) rad of the fingers, ``wrists`` (P, 2, 3, 3) wrist -> forearm,
    ``weights`` (P, 2) 0..1 of these in the pose, 0: at rest, and of what is measured 0: not seen.
    """

    angles: Floats
    wrists: Floats
    weights: Floats


@dataclass(frozen=True, eq=False)
class _Tracked(Record):
    """N hands as last seen: ``keys`` (N,), ``stamp_s`` of the image before, ``believed_s`` of the last measurement
    that was believed, ``weights`` (N,), filtered ``angles`` (N, 15, 2) and ``wrists`` (N, 1, 3, 3).
    """

    keys: Ints
    stamp_s: Floats
    believed_s: Floats
    weights: Floats
    angles: Filtered
    wrists: Filtered


class HandSmoother:
    """Smooths the hands of each track; call it with the people of every image, in the order of their stamps.

    ``config`` may be replaced between calls; with a ``min_cutoff`` of 0 believed measurements pass as they are.
    """

    def __init__(self, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self.reset()

    def reset(self) -> None:
        """Forget all hands."""
        self._known: _Tracked | None = None

    def __call__(self, ids: Ints, seen: HandPosture, stamp_s: float) -> HandPosture:
        """The hands ``seen`` in the image at ``stamp_s``, smoothed, of ``ids`` (P,): all who are tracked.

        Hands of other people are forgotten.
        """
        now = _started(ids, seen, stamp_s)
        tracked = _updated(self._before(now), now, self.config)
        self._known = tracked.take(np.repeat(ids != UNTRACKED, 2))
        columns = (tracked.angles.value, tracked.wrists.value[:, 0], tracked.weights)
        return HandPosture(*(column.reshape(len(ids), 2, *column.shape[1:]) for column in columns))

    def _before(self, now: _Tracked) -> _Tracked:
        """The hands of ``now`` in the image before; those that are new as they are now."""
        if self._known is None or (self._known.stamp_s > now.stamp_s.max(initial=_NEVER_S)).any():
            return now
        rows = {int(key): row for row, key in enumerate(self._known.keys)}
        last = [rows.get(int(key), len(self._known) + k) for k, key in enumerate(now.keys)]
        return join_rows([self._known, now]).take(np.array(last, np.int64))


def _started(ids: Ints, seen: HandPosture, stamp_s: float) -> _Tracked:
    """The hands of ``ids`` (P,), two rows each, as they are ``seen``."""
    hands = 2 * len(ids)
    angles = seen.angles.astype(np.float64).reshape(hands, *seen.angles.shape[2:])
    return _Tracked(
        (2 * ids[:, None] + np.arange(2)).reshape(-1),
        np.full(hands, stamp_s),
        np.where(seen.weights.reshape(-1) > 0, stamp_s, _NEVER_S),
        seen.weights.astype(np.float64).reshape(-1),
        Filtered(angles, angles, np.zeros_like(angles)),
        rotations_at_rest(seen.wrists.astype(np.float64).reshape(hands, 1, 3, 3)),
    )


def _updated(before: _Tracked, now: _Tracked, config: SmoothingConfig) -> _Tracked:
    """The hands of ``now``, smoothed by how they were ``before``."""
    dt = np.where(now.stamp_s > before.stamp_s, now.stamp_s - before.stamp_s, 1.0)
    believed = (now.weights > 0) & ~_jumped(before, now)
    fresh = believed & ((before.weights == 0) | (now.stamp_s - before.believed_s > DOUBT_S))
    angles = before.angles.replaced(believed, _filtered_angles(before.angles, now.angles.raw, dt, config))
    wrists = before.wrists.replaced(believed, filter_rotations(before.wrists, now.wrists.raw, dt, config))
    return _Tracked(
        now.keys,
        now.stamp_s,
        np.where(believed, now.stamp_s, before.believed_s),
        _weights(before, now, believed, dt),
        angles.replaced(fresh, now.angles),
        wrists.replaced(fresh, now.wrists),
    )


def _jumped(before: _Tracked, now: _Tracked) -> Bools:
    """(N,) whether a wrist is too far from where it was believed to be just before."""
    turn = rotmat_to_rotvec(before.wrists.raw[:, 0].swapaxes(-1, -2) @ now.wrists.raw[:, 0])
    recent = (before.weights > 0) & (now.stamp_s - before.believed_s <= DOUBT_S)
    return np.asarray(recent & (np.linalg.norm(turn, axis=-1) > JUMP))


def _weights(before: _Tracked, now: _Tracked, believed: Bools, dt: Floats) -> Floats:
    """(N,) weights, ``dt`` (N,) s after those ``before``: towards those of believed hands, else towards rest."""
    rising = now.weights + (before.weights - now.weights) * np.exp(-dt / _RISE_S)
    relaxing_s = np.clip(now.stamp_s - before.believed_s - HOLD_S, 0, dt)
    weights = np.where(believed, rising, before.weights * np.exp(-relaxing_s / RELAX_S))
    return np.where(weights < _AT_REST, 0.0, weights)


def _filtered_angles(last: Filtered, raw: Floats, dt_s: Floats, config: SmoothingConfig) -> Filtered:
    """After a measurement ``raw`` (N, 15, 2) rad, ``dt_s`` (N,) s after the last one."""
    dt = dt_s[:, None, None]
    speed = filtered_speed(last.speed, (raw - last.raw) / dt, dt)
    return Filtered(last.value + cutoff_fraction(speed, dt, config) * (raw - last.value), raw, speed)
