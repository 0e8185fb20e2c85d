# SPDX-License-Identifier: Apache-2.0
"""Coordinate frames over time: what tf2's buffer does, as much of it as outputs in a fixed frame need.

tf2_ros comes with a ROS installation, but not with its wheels; and its Python buffer keeps what it has when time jumps
back, as it does when a bag starts over.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.rotation import quat_to_rotmat

KEPT_NS = 10_000_000_000
"""How much of the past is kept, as in tf2."""

_MOST_FRAMES, _MOST_POSES = 10_000, 20_000
"""Frames, and poses of each (2 kHz for 10 s): others decide how many they send, not how much is kept."""

_SOON_NS = 1_000_000_000
"""A transform whose publisher has been silent for longer is not waited for."""


class NoTransformError(LookupError):
    """Two frames are not connected, or not at that time."""


class NotYetError(NoTransformError):
    """The transform is likely to come: the newest one is just a little too old."""


@dataclass(frozen=True, eq=False)
class Transform:
    """``rotation`` (3, 3) and ``translation`` (3,) m: from one frame into another."""

    rotation: Floats
    translation: Floats

    def __call__(self, points: Floats) -> Floats:
        """(..., 3) m in the one frame -> the same points in the other."""
        moved: Floats = points @ self.rotation.T + self.translation
        return moved

    def after(self, first: Transform) -> Transform:
        """The composition: ``first``, then this transform."""
        return Transform(self.rotation @ first.rotation, self(first.translation))

    def inverse(self) -> Transform:
        """The inverse transform."""
        return Transform(self.rotation.T, -self.translation @ self.rotation)

    @staticmethod
    @functools.cache
    def identity() -> Transform:
        """The transform that moves nothing; one shared object."""
        return Transform(np.eye(3), np.zeros(3))


@dataclass(frozen=True, eq=False)
class Pose:
    """Child -> parent: ``translation`` (3,) m, ``quat`` (4,) xyzw, unit."""

    translation: Floats
    quat: Floats


@dataclass
class _Link:
    """The transforms from a frame to its parent, by time; a static one has a single pose."""

    parent: str
    is_static: bool
    stamps: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)

    def add(self, stamp_ns: int, pose: Pose) -> None:
        # Where time started over, what is known is of another one.
        if self.is_static or (self.stamps and stamp_ns < self.stamps[-1] - KEPT_NS):
            self.stamps, self.poses = [], []
        same = slice(bisect_left(self.stamps, stamp_ns), bisect_right(self.stamps, stamp_ns))
        self.stamps[same], self.poses[same] = [stamp_ns], [pose]
        old = max(bisect_left(self.stamps, self.stamps[-1] - KEPT_NS), len(self.stamps) - _MOST_POSES)
        del self.stamps[:old], self.poses[:old]

    def at(self, stamp_ns: int, child: str) -> Transform:
        if self.is_static:
            return _transform(self.poses[0])
        if stamp_ns < self.stamps[0]:
            raise NoTransformError(f"{child} -> {self.parent}: the image was taken before its oldest transform")
        if (late_ns := stamp_ns - self.stamps[-1]) > 0:
            error = NotYetError if late_ns < _SOON_NS else NoTransformError
            late = f"{late_ns * 1e-9:.3f} s after its newest transform"
            raise error(f"{child} -> {self.parent}: the image was taken {late}")
        after = bisect_left(self.stamps, stamp_ns)
        if self.stamps[after] == stamp_ns:
            return _transform(self.poses[after])
        first, last = self.stamps[after - 1], self.stamps[after]
        fraction = (stamp_ns - first) / (last - first)
        return _transform(_between(self.poses[after - 1], self.poses[after], fraction))


class FrameTree:
    """All transforms of the last KEPT_NS. Not thread-safe."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}

    def add(self, parent: str, child: str, stamp_ns: int, pose: Pose, *, is_static: bool) -> None:
        """Store a transform, child -> parent. A child whose parent changed loses its history."""
        link = self._links.get(child)
        if link is None and len(self._links) >= _MOST_FRAMES and not self._forget_oldest():
            return
        if link is None or (link.parent, link.is_static) != (parent, is_static):
            link = self._links[child] = _Link(parent, is_static)
        link.add(stamp_ns, pose)

    def is_parent(self, frame: str) -> bool:
        """Whether other frames are given in ``frame``."""
        return any(link.parent == frame for link in self._links.values())

    def _forget_oldest(self) -> bool:
        """Forget the moving frame whose newest pose is the oldest; False where all frames are static."""
        moving = [(link.stamps[-1], child) for child, link in self._links.items() if not link.is_static]
        if moving:
            del self._links[min(moving)[1]]
        return bool(moving)

    def forget_moving(self) -> None:
        """Forget all but the static transforms: time starts again."""
        self._links = {child: link for child, link in self._links.items() if link.is_static}

    def lookup(self, target: str, source: str, stamp_ns: int) -> Transform:
        """The transform from ``source`` into ``target`` at a time, interpolated, never extrapolated.

        Raises NoTransformError, or NotYetError, that names what is missing.
        """
        from_source, from_target = self._way_up(source), self._way_up(target)
        common = next((frame for frame in from_source if frame in set(from_target)), None)
        if common is None:
            raise NoTransformError(f"{source} and {target} are not connected in TF")
        up = self._along(from_source[: from_source.index(common)], stamp_ns)
        down = self._along(from_target[: from_target.index(common)], stamp_ns)
        return down.inverse().after(up)

    def _way_up(self, frame: str) -> list[str]:
        """``frame`` and its ancestors. Raises NoTransformError where they are those of one another."""
        way = [frame]
        while link := self._links.get(way[-1]):
            if link.parent in way:
                circle = [*way[way.index(link.parent) :], link.parent]
                raise NoTransformError(f"TF runs in a circle, which leads to no other frame: {' -> '.join(circle)}")
            way.append(link.parent)
        return way

    def _along(self, frames: list[str], stamp_ns: int) -> Transform:
        """From the first of ``frames`` to the parent of the last."""
        transform = Transform.identity()
        for frame in frames:
            transform = self._links[frame].at(stamp_ns, frame).after(transform)
        return transform


def _transform(pose: Pose) -> Transform:
    return Transform(quat_to_rotmat(pose.quat), pose.translation)


def _between(first: Pose, last: Pose, fraction: float) -> Pose:
    """Interpolated linearly in translation, along the shorter arc in rotation (slerp)."""
    cosine = float(first.quat @ last.quat)
    end = -last.quat if cosine < 0 else last.quat
    angle = np.arccos(min(abs(cosine), 1.0))
    if angle < 1e-6:
        quat = end
    else:
        quat = (np.sin((1 - fraction) * angle) * first.quat + np.sin(fraction * angle) * end) / np.sin(angle)
    return Pose(first.translation + fraction * (last.translation - first.translation), quat / np.linalg.norm(quat))
