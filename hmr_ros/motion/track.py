# SPDX-License-Identifier: Apache-2.0
"""One person's motion: as it was seen, and at a constant rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.records import check_shape

Y_UP = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
"""World of tracks (x forward, y to the left, z up) -> x right, y up, z towards the camera: a rotation."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The person ``name`` in N images at ``times`` (N,) s, rising.

    ``pose`` (N, 24, 3) rotation vectors, the root's into the world, the others child -> parent; ``pelvis`` (N, 3) m,
    position of the pelvis joint in the world: x forward from the camera, y to the left, z up, z = 0 on the floor;
    ``betas`` (10,) the median shape; ``fingers`` (N, 2, 15, 3) rotation vectors of the left and the right hand, zeros
    at rest.
    """

    name: str
    times: Float64s
    pose: Float64s
    pelvis: Float64s
    betas: Float64s
    fingers: Float64s

    def __post_init__(self) -> None:
        check_shape(self, "fingers", (len(self.times), 2, 15, 3))
        check_shape(self, "pose", (len(self.times), 24, 3))
        check_shape(self, "pelvis", (len(self.times), 3))
        check_shape(self, "betas", (10,))
        if np.any(np.diff(self.times) <= 0):
            raise ValueError(f"Samples {self.name}: expected rising times")


@dataclass(frozen=True, eq=False)
class Track:
    """As Samples, at a constant rate of ``fps``: the first of T frames is at ``start_s``, s in the source.

    ``filled``: how many of the frames lie in gaps between images, and are interpolated across them.
    """

    name: str
    fps: float
    start_s: float
    pose: Float64s
    pelvis: Float64s
    betas: Float64s
    filled: int
    fingers: Float64s

    def __post_init__(self) -> None:
        check_shape(self, "fingers", (len(self.pose), 2, 15, 3))

    @property
    def has_fingers(self) -> bool:
        """Whether any finger ever moves."""
        return bool(self.fingers.any())

    def __len__(self) -> int:
        return len(self.pose)

    @property
    def times(self) -> Float64s:
        """(T,) s from the first frame."""
        return np.arange(len(self)) / self.fps

    def rotated(self, axes: Float64s) -> tuple[Float64s, Float64s]:
        """``pose`` and ``pelvis`` in a world with other ``axes`` (3, 3), new from old."""
        pose = self.pose.copy()
        pose[:, 0] = rotmat_to_rotvec(axes @ rotvec_to_rotmat(pose[:, 0]))
        return pose, self.pelvis @ axes.T


def tracks_at(samples: Samples, fps: float, rate_hz: float, max_gap_s: float) -> Iterator[Track]:
    """``samples`` at ``fps``, interpolated: linearly in position, along the shorter arc in rotation.

    Gaps of up to ``max_gap_s`` are filled; at longer ones a new track begins. ``rate_hz`` is that of the images: an
    interval of more than one and a half of theirs is a gap. Tracks of less than two frames are left out.
    """
    ends = np.flatnonzero(np.diff(samples.times) > max(max_gap_s, 1.5 / rate_hz)) + 1
    for rows in np.split(np.arange(len(samples.times)), ends):
        times = samples.times[rows]
        count = int(np.floor((times[-1] - times[0]) * fps + 1e-6)) + 1
        if count >= 2:
            yield _interpolated(samples, rows[0] + np.arange(len(rows)), count, fps, rate_hz)


def _interpolated(samples: Samples, rows: Floats, count: int, fps: float, rate_hz: float) -> Track:
    times, pose, pelvis = samples.times[rows], samples.pose[rows], samples.pelvis[rows]
    wanted = np.minimum(times[0] + np.arange(count) / fps, times[-1])
    before = np.clip(np.searchsorted(times, wanted, "right") - 1, 0, len(times) - 2)
    interval = times[before + 1] - times[before]
    fraction = (wanted - times[before]) / interval
    fingers = samples.fingers[rows].reshape(len(times), -1, 3)
    is_filled = (interval > 1.5 / rate_hz) & (fraction > 1e-6) & (fraction < 1 - 1e-6)
    return Track(
        name=samples.name,
        fps=fps,
        start_s=float(times[0]),
        pose=_between(pose[before], pose[before + 1], fraction),
        pelvis=pelvis[before] + fraction[:, None] * (pelvis[before + 1] - pelvis[before]),
        betas=samples.betas,
        filled=int(is_filled.sum()),
        fingers=_between(fingers[before], fingers[before + 1], fraction).reshape(-1, 2, 15, 3),
    )


def _between(first: Float64s, second: Float64s, fraction: Float64s) -> Float64s:
    """Rotation vectors (T, K, 3) at a ``fraction`` (T,) of the shorter arc from ``first`` to ``second``."""
    start = rotvec_to_rotmat(first)
    step = rotmat_to_rotvec(start.swapaxes(-1, -2) @ rotvec_to_rotmat(second))
    return np.asarray(rotmat_to_rotvec(start @ rotvec_to_rotmat(fraction[:, None, None] * step)), np.float64)
