# SPDX-License-Identifier: Apache-2.0
"""Errors of 2D keypoints that persist from image to image, as those of detectors do.

The errors are Pose2Mesh's (noise.py). Each joint keeps its state, the class of its error and the offset, with the
probability exp(-dt / tau); a white tremble is added to it. Unlike in single images, no candidate is drawn again for
lying near its left-right partner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float64s, Floats, Ints
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JointSet
from hmr_ros.training.synthetic.noise import Taxonomy, frame_scale, human36m_table, taxonomy


@dataclass(frozen=True)
class Persistence:
    """How long errors last."""

    seconds: tuple[float, ...] = setting((0.1, 0.5), doc="smallest and largest time constant of a joint in s", low=1e-3)
    tremble: float = setting(0.3, doc="white part of the error, as a fraction of that of a good keypoint", low=0)
    at_partner: float = setting(0.2, doc="fraction of misses that lie at the left-right partner", low=0, high=1)


@dataclass(frozen=True, eq=False)
class Clock:
    """``dt`` (S, T - 1) s between images, and ``tau`` (S, J) s, the time constant of each joint."""

    dt: Floats
    tau: Floats

    @staticmethod
    def drawn(stamps: Floats, joints: int, persistence: Persistence, rng: Generator) -> Clock:
        """For images at ``stamps`` (S, T) s."""
        low, high = persistence.seconds
        return Clock(np.diff(stamps, axis=1), rng.uniform(low, high, (len(stamps), joints)))

    def held(self, draws: Float64s, rng: Generator) -> Float64s:
        """Independent ``draws`` (S, T, J, K) -> the same, each kept until its joint's state changes."""
        keep = rng.random((*self.dt.shape, self.tau.shape[1])) < np.exp(-self.dt[..., None] / self.tau[:, None])
        changes = np.concatenate([np.ones_like(keep[:, :1]), ~keep], 1)
        number = np.arange(changes.shape[1])[None, :, None]
        since = np.maximum.accumulate(np.where(changes, number, 0), axis=1)
        return np.take_along_axis(draws, since[..., None], 1)


def persistent_error(
    pixels: Floats,
    joint_set: JointSet,
    model: str,
    strength: Floats,
    clock: Clock,
    persistence: Persistence,
    rng: Generator,
) -> Floats:
    """Erroneous copy of keypoints ``pixels`` (S, T, J, 2); ``strength`` (S,): 1 is Pose2Mesh's error, 0 none."""
    if model == "human36m":
        return pixels + strength[:, None, None, None] * _small(pixels, joint_set, clock, persistence, rng)
    table = taxonomy(joint_set, model)
    state = clock.held(rng.random(pixels.shape[:3] + (4,)), rng)
    size = np.sqrt(np.ptp(pixels, axis=2).prod(-1))[..., None, None]
    kind, at_partner = _classes(table, state, strength[:, None, None], persistence.at_partner)
    white = persistence.tremble / 2 * table.outer[:, 0, None] * rng.normal(size=pixels.shape)
    offset = _offset(table, state, kind) + white
    base = np.where(at_partner[..., None], pixels[:, :, table.partner], pixels)
    return np.asarray(base + offset * size * strength[:, None, None, None])


def _small(pixels: Floats, joint_set: JointSet, clock: Clock, persistence: Persistence, rng: Generator) -> Floats:
    """Errors of Human3.6M's detector at full strength, (S, T, J, 2) px."""
    table = human36m_table(joint_set)
    normal = clock.held(rng.normal(size=pixels.shape), rng)
    normal = np.sqrt(1 - persistence.tremble**2) * normal + persistence.tremble * rng.normal(size=pixels.shape)
    occurs = clock.held(rng.random(pixels.shape[:3] + (1,)), rng) < table[:, 4:5]
    scale = frame_scale(pixels.reshape(-1, *pixels.shape[2:])).reshape(*pixels.shape[:2], 1, 1)
    return np.asarray((normal * table[:, 2:4] + table[:, :2]) * occurs * scale * 288 / 256)


def _classes(table: Taxonomy, state: Floats, strength: Floats, at_partner: float) -> tuple[Ints, Bools]:
    """(S, T, J) error class (good, jitter, miss, inversion), and whether the keypoint lies around the partner."""
    inversion = table.probability[:, 3] * strength
    gross = inversion + table.probability[:, 2] * strength
    fraction = state[..., 0]
    below = [fraction < inversion, fraction < gross, fraction < gross + table.probability[:, 1]]
    kind = np.select(below, [3, 2, 1], 0)
    paired = table.partner != np.arange(len(table.partner))
    return kind, (kind == 3) | ((kind == 2) & paired & (state[..., 3] < at_partner))


def _offset(table: Taxonomy, state: Floats, kind: Ints) -> Floats:
    """(S, T, J, 2) distance from where the keypoint should be, in sizes of the box."""
    joint = np.arange(len(table.partner))
    inner, outer = table.inner[joint, kind], table.outer[joint, kind]
    radius, angle = inner + (outer - inner) * state[..., 1], 2 * np.pi * state[..., 2]
    return np.asarray(radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1))
