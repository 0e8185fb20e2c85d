"""Causal smoothing of tracked bodies: the one-euro filter on places and rotations (Casiez et al., CHI 2012).

Low-pass filters of first order whose cut-off grows with speed: still people do not tremble, moving ones do not lag.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.body_model import BETAS
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.people import UNTRACKED, Estimates
from hmr_ros.core.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

MAX_GAP_S = 0.5
"""Who was unseen for longer starts anew: the last speed says nothing any more."""

_SPEED_CUTOFF_HZ = 1.0
_SHAPE_MEMORY = 300
"""The shape is the mean over this many images, and follows slowly after."""


@dataclass(frozen=True, eq=False)
class Filtered:
    """State of N filters: the filtered ``value``, the last ``raw`` one, and the filtered ``speed`` per second."""

    value: Floats
    raw: Floats
    speed: Floats

    def take(self, index: Ints) -> Filtered:
        """The signals at ``index``."""
        return Filtered(self.value[index], self.raw[index], self.speed[index])

    def joined(self, other: Filtered) -> Filtered:
        """These signals, then those of ``other``."""
        pairs = ((self.value, other.value), (self.raw, other.raw), (self.speed, other.speed))
        return Filtered(*(np.concatenate(pair) for pair in pairs))


def places_at_rest(raw: Floats) -> Filtered:
    """(N, 3) m: start to filter points of the optical frame."""
    return Filtered(raw, raw, np.zeros_like(raw))


def rotations_at_rest(raw: Floats) -> Filtered:
    """(N, J, 3, 3): start to filter rotations; their speed is (N, J, 3) rad/s."""
    return Filtered(raw, raw, np.zeros(raw.shape[:-1], raw.dtype))


def filter_places(last: Filtered, raw: Floats, dt_s: Floats, config: SmoothingConfig) -> Filtered:
    """After a measurement ``raw`` (N, 3) m, ``dt_s`` (N,) s after the last one.

    Along the line of sight, where a camera measures badly, the cut-off is another than across it: the noise of the
    depth must not make the image position tremble, nor its smoothing hold the image position back.
    """
    dt = dt_s[:, None]
    speed = _filtered_speed(last.speed, (raw - last.raw) / dt, dt)
    sight = raw / np.maximum(np.linalg.norm(raw, axis=-1, keepdims=True), 1e-9)
    along_speed, along = ((x * sight).sum(-1, keepdims=True) * sight for x in (speed, raw - last.value))
    across_speed, across = speed - along_speed, raw - last.value - along
    value = last.value + _share(along_speed, dt, config) * along + _share(across_speed, dt, config) * across
    return Filtered(value, raw, speed)


def filter_rotations(last: Filtered, raw: Floats, dt_s: Floats, config: SmoothingConfig) -> Filtered:
    """After a measurement ``raw`` (N, J, 3, 3), ``dt_s`` (N,) s after the last one, along the shortest turns."""
    dt = dt_s[:, None, None]
    speed = _filtered_speed(last.speed, rotmat_to_rotvec(last.raw.swapaxes(-1, -2) @ raw) / dt, dt)
    turn = rotmat_to_rotvec(last.value.swapaxes(-1, -2) @ raw)
    return Filtered(last.value @ rotvec_to_rotmat(_share(speed, dt, config) * turn), raw, speed)


def _filtered_speed(last: Floats, measured: Floats, dt: Floats) -> Floats:
    return last + _low_pass_share(_SPEED_CUTOFF_HZ, dt) * (measured - last)


def _share(speed: Floats, dt: Floats, config: SmoothingConfig) -> Floats:
    """Share of the new value; 1, no smoothing, where the lowest cut-off is 0."""
    if config.min_cutoff == 0:
        return np.ones_like(dt)
    return _low_pass_share(config.min_cutoff + config.beta * np.linalg.norm(speed, axis=-1, keepdims=True), dt)


def _low_pass_share(cutoff_hz: Floats | float, dt: Floats) -> Floats:
    """Share of the new value in a first-order low-pass filter."""
    ratio = 2 * np.pi * cutoff_hz * dt
    return ratio / (1 + ratio)


@dataclass(frozen=True, eq=False)
class _Tracks:
    """People as last seen: ``ids``, ``stamp_s``, ``images`` (N,) that their mean ``betas`` (N, 10) are over."""

    ids: Ints
    stamp_s: Floats
    images: Ints
    betas: Floats
    places: Filtered
    rotations: Filtered

    @staticmethod
    def started(ids: Ints, estimates: Estimates, stamp_s: float) -> _Tracks:
        pose = np.concatenate([estimates.global_orient[:, None], estimates.body_pose], 1).astype(np.float64)
        people = len(ids)
        return _Tracks(
            ids,
            np.full(people, stamp_s),
            np.zeros(people, np.int64),
            estimates.betas.astype(np.float64),
            places_at_rest(estimates.cam_t.astype(np.float64)),
            rotations_at_rest(rotvec_to_rotmat(pose)),
        )

    def take(self, index: Ints) -> _Tracks:
        return _Tracks(
            self.ids[index],
            self.stamp_s[index],
            self.images[index],
            self.betas[index],
            self.places.take(index),
            self.rotations.take(index),
        )

    def joined(self, other: _Tracks) -> _Tracks:
        return _Tracks(
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.stamp_s, other.stamp_s]),
            np.concatenate([self.images, other.images]),
            np.concatenate([self.betas, other.betas]),
            self.places.joined(other.places),
            self.rotations.joined(other.rotations),
        )

    def updated(self, now: _Tracks, config: SmoothingConfig) -> _Tracks:
        """The same people, measured as in ``now``."""
        # Who just started is at rest where measured, so any step of time leaves them there.
        dt = np.where(now.stamp_s > self.stamp_s, now.stamp_s - self.stamp_s, 1.0)
        images = np.minimum(self.images + 1, _SHAPE_MEMORY)
        return _Tracks(
            now.ids,
            now.stamp_s,
            images,
            self.betas + (now.betas - self.betas) / images[:, None],
            filter_places(self.places, now.places.raw, dt, config),
            filter_rotations(self.rotations, now.rotations.raw, dt, config),
        )


class BodySmoother:
    """Smooths each tracked body over time; call it with estimates in the order of their stamps.

    Pose and place are filtered, the shape is averaged. The body is posed from the result, so mesh, joints and
    parameters agree exactly and bones keep their lengths, which filtered vertices would not grant. ``config`` may be
    replaced between calls; with a ``min_cutoff`` of 0 only the shape is smoothed.
    """

    def __init__(self, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self._tracks = _nobody()

    def reset(self) -> None:
        """Forget everybody."""
        self._tracks = _nobody()

    def __call__(self, ids: Ints, estimates: Estimates, stamp_s: float) -> Estimates:
        """``estimates`` of the people ``ids`` (P,), smoothed; rows that are not ``valid`` pass unchanged.

        Ids unseen for MAX_GAP_S are forgotten.
        """
        age = stamp_s - self._tracks.stamp_s
        known = self._tracks.take(np.flatnonzero((age > 0) & (age <= MAX_GAP_S)))
        rows = np.flatnonzero(estimates.valid)
        now = _Tracks.started(ids[rows], estimates.take(rows), stamp_s)
        position = {int(i): k for k, i in enumerate(known.ids) if i != UNTRACKED}
        last = [position.get(int(i), len(known.ids) + row) for row, i in enumerate(now.ids)]
        seen = known.joined(now).take(np.array(last, np.int64)).updated(now, self.config)
        self._tracks = known.take(np.flatnonzero(~np.isin(known.ids, now.ids))).joined(seen)
        return estimates.with_rows(rows, _smoothed(estimates.take(rows), seen))


def _nobody() -> _Tracks:
    return _Tracks(
        np.zeros(0, np.int64),
        np.zeros(0),
        np.zeros(0, np.int64),
        np.zeros((0, BETAS)),
        places_at_rest(np.zeros((0, 3))),
        rotations_at_rest(np.zeros((0, SMPL.size, 3, 3))),
    )


def _smoothed(estimates: Estimates, tracks: _Tracks) -> Estimates:
    """``estimates`` with the parameters that ``tracks`` have."""
    pose = rotmat_to_rotvec(tracks.rotations.value)
    return dataclasses.replace(
        estimates, global_orient=pose[:, 0], body_pose=pose[:, 1:], betas=tracks.betas, cam_t=tracks.places.value
    )
