# SPDX-License-Identifier: Apache-2.0
"""One recording as SMPL poses, and what is done to every recording: resampling, cutting at glitches, joining."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import Motion

FPS = 30.0
"""Rate of motion files, frames per second."""

MAX_ROTATION = np.deg2rad(60)
"""No joint rotates further between two frames at 30 fps; a capture glitch does."""
MAX_ROOT_SPEED = 12.0
"""m/s; a sprinter's limit."""
MIN_FRAMES = 20
"""Shorter pieces between two glitches are dropped."""


@dataclass(frozen=True, eq=False)
class Clip:
    """T frames of one subject: ``pose`` (T, 24, 3) axis-angle, ``trans`` (T, 3) m pelvis position, y up.

    ``leg`` m, thigh plus shin, NaN where unknown.
    """

    id: str
    subject: str
    category: str
    pose: Float32s
    trans: Float32s
    fps: float
    leg: float = float("nan")

    def __post_init__(self) -> None:
        frames = len(self.pose)
        if self.pose.shape != (frames, SMPL.size, 3) or self.trans.shape != (frames, 3):
            raise ValueError(
                f"clip {self.id}: expected pose (T, {SMPL.size}, 3) and trans (T, 3), "
                f"got {self.pose.shape} and {self.trans.shape}"
            )
        if not (np.isfinite(self.pose).all() and np.isfinite(self.trans).all()):
            raise ValueError(f"clip {self.id}: expected finite numbers, got NaN or infinity")
        if self.fps <= 0:
            raise ValueError(f"clip {self.id}: expected a positive frame rate, got {self.fps}")

    def __len__(self) -> int:
        return len(self.pose)


def resample(clip: Clip, fps: float = FPS) -> Clip:
    """The frames nearest to a clock of ``fps``: poses stay measured ones, none is interpolated."""
    count = max(1, round(len(clip) / clip.fps * fps))
    index = np.round(np.arange(count) * clip.fps / fps).astype(int).clip(0, len(clip) - 1)
    return dataclasses.replace(clip, pose=clip.pose[index], trans=clip.trans[index], fps=fps)


def cut_at_glitches(clip: Clip) -> list[Clip]:
    """The pieces between jumps of more than MAX_ROTATION (at 30 fps) or MAX_ROOT_SPEED, short ones dropped."""
    rotations = rotvec_to_rotmat(clip.pose.astype(np.float64))
    change = rotmat_to_rotvec(rotations[:-1].swapaxes(-1, -2) @ rotations[1:])
    fastest = np.linalg.norm(change, axis=-1).max(-1, initial=0)
    speed = np.linalg.norm(np.diff(clip.trans, axis=0), axis=-1) * clip.fps
    jumps = np.flatnonzero((fastest > MAX_ROTATION * FPS / clip.fps) | (speed > MAX_ROOT_SPEED)) + 1
    borders = [0, *jumps.tolist(), len(clip)]
    return [
        dataclasses.replace(clip, pose=clip.pose[a:b], trans=clip.trans[a:b])
        for a, b in itertools.pairwise(borders)
        if b - a >= MIN_FRAMES
    ]


def join(clips: Sequence[Clip], split_of_subject: Mapping[str, str], notice: str) -> Motion:
    """One ``Motion`` of all ``clips``, which must share one frame rate."""
    if not clips:
        raise ValueError("no usable clip: every recording was shorter than 20 frames between glitches")
    if len(rates := {c.fps for c in clips}) > 1:
        raise ValueError(f"expected clips of one frame rate, got {sorted(rates)}")
    return Motion(
        pose=np.concatenate([c.pose for c in clips]),
        trans=np.concatenate([c.trans for c in clips]),
        clip=np.repeat(np.arange(len(clips)), [len(c) for c in clips]),
        clip_id=np.array([c.id for c in clips]),
        clip_subject=np.array([c.subject for c in clips]),
        clip_category=np.array([c.category for c in clips]),
        clip_split=np.array([split_of_subject[c.subject] for c in clips]),
        clip_leg=np.array([c.leg for c in clips], np.float32),
        fps=clips[0].fps,
        notice=notice,
    )
