# SPDX-License-Identifier: Apache-2.0
"""Stretches of motion capture at any frame rate: poses and positions of people in the world, between its frames."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Array, Bools, Float32s, Floats, Int64s
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotvec_to_quat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import Motion, mirror

LEVEL = np.eye(3)
_LEG = [SMPL.index(f"left_{joint}") for joint in ("hip", "knee", "ankle")]


@dataclass(frozen=True, eq=False)
class Stretches:
    """S people at M moments each, y up, the pelvis at the origin in the plane of the floor at the first moment.

    ``stamps`` (S, T) s of the images, which are the first T moments, one after another; ``rotations`` (S, M, 24, 3, 3),
    the root's into the world; ``pelvis`` (S, M, 3) m; ``known`` (S, M): the motion goes so far; ``clip`` (S,).
    """

    stamps: Floats
    rotations: Floats
    pelvis: Floats
    known: Bools
    clip: Int64s

    def now(self, images: int) -> Stretches:
        """The moments of the images alone."""
        return self._moments(slice(images), (images,))

    def later(self, images: int) -> Stretches:
        """The moments after each image: arrays (S, T, H, ...)."""
        return self._moments(slice(images, None), (images, -1))

    def _moments(self, chosen: slice, shape: tuple[int, ...]) -> Stretches:
        def part(array: Array) -> Array:
            return array[:, chosen].reshape(len(array), *shape, *array.shape[2:])

        return dataclasses.replace(
            self,
            rotations=part(self.rotations),
            pelvis=part(self.pelvis),
            known=part(self.known),
        )


def sample_stretches(
    motion: Motion,
    rest: Floats,
    images: int,
    rates: tuple[float, ...],
    jitter: float,
    horizons_s: tuple[float, ...],
    rng: Generator,
) -> Stretches:
    """Stretches for bodies with ``rest`` joints (S, 24, 3) m: half of them mirrored, with random headings."""
    count = len(rest)
    drawn = rng.random(count) * np.cumsum(motion.weights)[-1]
    chosen = np.searchsorted(np.cumsum(motion.weights), drawn, side="right").clip(max=len(motion) - 1)
    slowest, fastest = np.log(rates)
    rate = np.exp(rng.uniform(slowest, fastest, (count, 1)))
    steps = np.ones((count, images)) + jitter * rng.uniform(-0.5, 0.5, (count, images))
    steps[:, 0] = 0
    stamps = np.cumsum(steps, 1) / rate
    first, last = _clip_ends(motion, motion.clip[chosen])
    begin = chosen - rng.random(count) * stamps[:, -1] * motion.fps
    begin = np.maximum(np.minimum(begin, last - stamps[:, -1] * motion.fps), first)
    moments = np.concatenate([stamps, (stamps[..., None] + horizons_s).reshape(count, -1)], 1)
    frame = begin[:, None] + moments * motion.fps
    rotations, pelvis = _between_frames(motion, np.minimum(frame, last[:, None]), rng.random(count) < 0.5)
    rotations, pelvis = _headed(rotations, pelvis, rng.uniform(-np.pi, np.pi, count))
    pelvis = pelvis * _scale(motion, motion.clip[chosen], rest)[:, None, None]
    return Stretches(stamps, rotations, pelvis - pelvis[:, :1] * [1, 0, 1], frame <= last[:, None], motion.clip[chosen])


def _clip_ends(motion: Motion, clip: Int64s) -> tuple[Int64s, Int64s]:
    """First and last frame of each ``clip`` (S,)."""
    ends = np.flatnonzero(np.diff(motion.clip)) + 1
    first, last = np.concatenate([[0], ends]), np.concatenate([ends, [len(motion)]]) - 1
    number = np.searchsorted(first, np.array([np.flatnonzero(motion.clip == c)[0] for c in clip]), side="right") - 1
    return first[number], last[number]


def _between_frames(motion: Motion, frame: Floats, flip: Bools) -> tuple[Floats, Floats]:
    """Poses and positions at fractional frames (S, M), by normalised linear interpolation of quaternions."""
    low = np.minimum(np.floor(frame), len(motion) - 1).astype(np.int64)
    high = np.where(frame > low, np.minimum(low + 1, len(motion) - 1), low)
    a, b = (_quaternions(motion, rows, flip) for rows in (low, high))
    weight = (frame - low)[..., None, None]
    b = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
    quat = (1 - weight) * a + weight * b
    position = (1 - weight[..., 0]) * motion.trans[low] + weight[..., 0] * motion.trans[high]
    position = np.where(flip[:, None, None], position * [-1, 1, 1], position)
    return quat_to_rotmat(quat / np.linalg.norm(quat, axis=-1, keepdims=True)), position


def _quaternions(motion: Motion, rows: Int64s, flip: Bools) -> Floats:
    pose: Float32s = motion.pose[rows]
    pose[flip] = mirror(pose[flip], np.zeros(3, np.float32))[0]
    return rotvec_to_quat(pose.astype(np.float64))


def _headed(rotations: Floats, pelvis: Floats, heading: Floats) -> tuple[Floats, Floats]:
    """People turned about the vertical by ``heading`` (S,) rad."""
    cosine, sine = np.cos(heading), np.sin(heading)
    turn = np.broadcast_to(LEVEL, (len(heading), 3, 3)).copy()
    turn[:, 0, 0], turn[:, 0, 2], turn[:, 2, 0], turn[:, 2, 2] = cosine, sine, -sine, cosine
    rotations = rotations.copy()
    rotations[:, :, 0] = turn[:, None] @ rotations[:, :, 0]
    return rotations, pelvis @ turn.transpose(0, 2, 1)


def _scale(motion: Motion, clip: Int64s, rest: Floats) -> Floats:
    """(S,) leg of the body over that of the subject; 1 where the latter is unknown."""
    leg = np.linalg.norm(np.diff(rest[:, _LEG], axis=1), axis=-1).sum(-1)
    subject = motion.clip_leg[clip]
    return np.where(np.isfinite(subject), leg / subject, 1.0)
