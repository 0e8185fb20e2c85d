# SPDX-License-Identifier: Apache-2.0
"""How a camera moved between images, by its poses in a world that stands still, such as a robot's odometry.

What was seen in an earlier image is carried into the optical frame of the current one, so that the camera's own motion
cancels. Where a pose is missing, or the world jumps, nothing is carried: the camera counts as still in between.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import cross, rotmat_to_rotvec
from hmr_ros.core.records import Record

_UNKNOWN = -1
"""Segment of a pose that is not known."""

_STEP_M, _ACCELERATION_M_S2 = 0.15, 20.0
_TURN_RAD, _ACCELERATION_RAD_S2 = 0.2, 45.0
"""A camera on a robot leaves its steady movement by the first, and half the second times the time squared, at most."""

_FIRST_M_S, _FIRST_RAD_S = 3.0, 6.0
"""How fast it may move where no movement is known yet."""

_OFF_ROTATION = 1e-3


@dataclass(frozen=True, eq=False)
class CameraPose:
    """``world_from_optical`` of one image; only poses of the same ``segment`` are of the same world."""

    world_from_optical: Transform
    segment: int

    def motion_from(self, then: CameraPose | None) -> Transform | None:
        """From the optical frame of the image of ``then`` to that of this one; None: not known."""
        if then is None or then.segment != self.segment:
            return None
        return self.world_from_optical.inverse().after(then.world_from_optical)


@dataclass(frozen=True, eq=False)
class Motions(Record):
    """From the optical frames of N earlier images to the current one: rotations (N, 3, 3), translations (N, 3) m."""

    rotations: Floats
    translations: Floats

    def points(self, points: Floats) -> Floats:
        """(N, ..., 3) m of those images -> of the current one."""
        return self.directions(points) + self.translations.reshape(-1, *[1] * (points.ndim - 2), 3)

    def directions(self, vectors: Floats) -> Floats:
        """(N, ..., 3) of those images -> of the current one."""
        rotations = self.rotations.reshape(-1, *[1] * (vectors.ndim - 2), 3, 3)
        return np.asarray((rotations @ vectors[..., None])[..., 0])

    def covariances(self, covariances: Floats) -> Floats:
        """(N, 3, 3) of those images -> of the current one."""
        return np.asarray(self.rotations @ covariances @ self.rotations.swapaxes(-1, -2))


@dataclass(frozen=True, eq=False)
class CameraPoses(Record):
    """Poses of the images that N tracks relate to: world from optical, with their segments (N,)."""

    rotations: Floats
    translations: Floats
    segments: Ints

    @staticmethod
    def of(pose: CameraPose | None, count: int) -> CameraPoses:
        """The same pose ``count`` times; None: not known."""
        if pose is None:
            pose = CameraPose(Transform.identity(), _UNKNOWN)
        at = pose.world_from_optical
        return CameraPoses(
            np.tile(at.rotation, (count, 1, 1)), np.tile(at.translation, (count, 1)), np.full(count, pose.segment)
        )

    def replaced(self, pose: CameraPose) -> CameraPoses:
        """``pose`` in place of those that it can be compared with."""
        known, others = self._known(pose), CameraPoses.of(pose, len(self))
        return CameraPoses(
            np.where(known[:, None, None], others.rotations, self.rotations),
            np.where(known[:, None], others.translations, self.translations),
            self.segments,
        )

    def motions_to(self, pose: CameraPose | None) -> Motions | None:
        """To the image of ``pose``; no movement in rows where it is not known; None where it is in none."""
        if pose is None or not (known := self._known(pose)).any():
            return None
        now = pose.world_from_optical
        rotations = now.rotation.T @ self.rotations
        translations = (self.translations - now.translation) @ now.rotation
        return Motions(
            np.where(known[:, None, None], rotations, np.eye(3)), np.where(known[:, None], translations, 0.0)
        )

    def _known(self, pose: CameraPose) -> Bools:
        return np.asarray(self.segments == pose.segment)


@dataclass(frozen=True, eq=False)
class _Seen:
    """The last pose, at ``stamp_s``; metres and radians per second since the one before, in the optical frame."""

    stamp_s: float
    pose: CameraPose
    velocity: Floats
    turning: Floats
    is_first: bool = False


class CameraMotion:
    """Poses of the images of one camera, in their order. ``jump``: how the world jumped in the last one, "" if not."""

    def __init__(self) -> None:
        self.jump = ""
        self._segment = 0
        self._last: _Seen | None = None

    def reset(self) -> None:
        """Begin another world."""
        self.jump = ""
        self._segment += 1
        self._last = None

    def __call__(self, world_from_optical: Transform | None, stamp_s: float) -> CameraPose | None:
        """The pose of the image of ``stamp_s`` s; None where the camera's is not known.

        A pose that no camera reaches by moving begins another segment: what is published does not leap along.
        Raises ValueError for a transform that is none.
        """
        self.jump = ""
        if world_from_optical is None:
            return None
        _check(world_from_optical)
        pose, last = CameraPose(world_from_optical, self._segment), self._last
        if last is None or stamp_s <= last.stamp_s:
            self._last = _Seen(stamp_s, pose, np.zeros(3), np.zeros(3), is_first=True)
            return pose
        moved = _moved(last, pose, stamp_s)
        self.jump = _jump(last, moved)
        if self.jump:
            self._segment += 1
            pose = CameraPose(world_from_optical, self._segment)
            moved = _Seen(stamp_s, pose, np.zeros(3), np.zeros(3), is_first=True)
        self._last = dataclasses.replace(moved, pose=pose)
        return pose


def _moved(last: _Seen, pose: CameraPose, stamp_s: float) -> _Seen:
    """``pose`` with the speeds that lead to it from ``last``."""
    motion, dt = last.pose.world_from_optical.inverse().after(pose.world_from_optical), stamp_s - last.stamp_s
    return _Seen(stamp_s, pose, motion.translation / dt, rotmat_to_rotvec(motion.rotation[None])[0] / dt)


def _jump(last: _Seen, moved: _Seen) -> str:
    """How far ``moved`` is from where a camera can be after ``last``, in words; "" where it can be there."""
    dt = moved.stamp_s - last.stamp_s
    first_m, first_rad = (_FIRST_M_S * dt, _FIRST_RAD_S * dt) if last.is_first else (0.0, 0.0)
    metres = float(np.linalg.norm(moved.velocity - last.velocity)) * dt
    radians = float(np.linalg.norm(moved.turning - last.turning)) * dt
    far = metres > _STEP_M + first_m + _ACCELERATION_M_S2 * dt**2 / 2
    wide = radians > _TURN_RAD + first_rad + _ACCELERATION_RAD_S2 * dt**2 / 2
    return f"by {metres:.2f} m and {math.degrees(radians):.0f} degrees within {dt:.3f} s" if far or wide else ""


def _check(transform: Transform) -> None:
    """Raise ValueError unless ``transform`` is rigid."""
    rotation, translation = transform.rotation, transform.translation
    is_rigid = (
        rotation.shape == (3, 3)
        and translation.shape == (3,)
        and np.isfinite(translation).all()
        and (np.abs(rotation @ rotation.T - np.eye(3)) <= _OFF_ROTATION).all()
        and cross(rotation[0], rotation[1]) @ rotation[2] > 0
    )
    if not is_rigid:
        raise ValueError(
            "world: expected a Transform from the optical frame, a rotation (3, 3) and a finite translation (3,), got "
            f"{rotation.tolist()} and {translation.tolist()}"
        )
