# SPDX-License-Identifier: Apache-2.0
"""Drift of unseen people from their last state: the covariance that coasting must add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.coasting import VELOCITY_MEMORY_S, coasted
from hmr_ros.training.datasets.motion import Motion

SETTLED_S = 1.0
"""Time after which a pose differs from its start as much as it ever does."""

_ROOT_AFTER_S = 0.5
"""The root's drift is measured where coasting ends."""
_EARLY_S = 0.1
"""The time constant is that of an exponential through the joints' drift at this time and at SETTLED_S."""
_CHUNK = 500


@dataclass(frozen=True, eq=False)
class Drift:
    """Standard deviations per axis, as ``core/uncertainty.grown`` has them.

    ``root_m_s``: of the root from where ``core/temporal/coasting`` expects it, per second; ``joint_m`` (24,): of
    joints, relative to the pelvis, in the end; ``joint_time_s``: the time constant of all joints.
    """

    root_m_s: float
    joint_m: Floats
    joint_time_s: float


def measure_drift(motion: Motion, body: BodyModel, stride: int = 4) -> Drift:
    """Over clips of ``motion``, every category counting as in training; ``stride``: use every stride-th clip."""
    motion = motion.take(motion.clip % stride == 0)
    parts = (motion.pose[first : first + _CHUNK] for first in range(0, len(motion), _CHUNK))
    joints = np.concatenate([body.posed_joints(p[:, 0], p[:, 1:], np.zeros((len(p), 10), np.float32)) for p in parts])
    early, settled = (_joint_drift(motion, joints - joints[:, :1], after_s) for after_s in (_EARLY_S, SETTLED_S))
    fraction = np.clip(early.mean() / max(settled.mean(), 1e-9), 1e-6, 1 - 1e-6)
    return Drift(_root_drift(motion, _ROOT_AFTER_S), settled, float(-_EARLY_S / np.log1p(-fraction)))


def _root_drift(motion: Motion, after_s: float) -> float:
    """Standard deviation of the root from its extrapolation, m/s per axis."""
    before, after = (max(1, round(s * motion.fps)) for s in (VELOCITY_MEMORY_S, after_s))
    frames = _frames_within_clips(motion, before, after)
    velocity = (motion.trans[frames] - motion.trans[frames - before]) * (motion.fps / before)
    expected = coasted(motion.trans[frames], velocity, np.full(len(frames), after / motion.fps))
    return float(_deviation(motion, frames, motion.trans[frames + after] - expected) * motion.fps / after)


def _joint_drift(motion: Motion, joints: Floats, after_s: float) -> Floats:
    """(24,) m: standard deviation of each joint after ``after_s``, left and right pooled."""
    after = max(1, round(after_s * motion.fps))
    frames = _frames_within_clips(motion, 0, after)
    found = _deviation(motion, frames, joints[frames + after] - joints[frames])
    return np.asarray(np.sqrt((found**2 + found[SMPL.mirror] ** 2) / 2))


def _frames_within_clips(motion: Motion, before: int, after: int) -> Int64s:
    """Frames whose clip began ``before`` frames earlier and goes on for ``after`` more; ValueError if there is none."""
    frames: Int64s = np.arange(before, len(motion) - after)
    frames = frames[motion.clip[frames - before] == motion.clip[frames + after]]
    if not len(frames):
        raise ValueError(f"motion: expected a clip of more than {before + after} frames, got none")
    return frames


def _deviation(motion: Motion, frames: Int64s, away: Floats) -> Floats:
    """(N, ..., 3) m at ``frames`` (N,) -> (...) root mean square per axis."""
    weight = motion.weights[frames] / motion.weights[frames].sum()
    return np.asarray(np.sqrt(np.tensordot(weight, (away * away).mean(-1), 1)))
