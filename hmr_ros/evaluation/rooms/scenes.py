# SPDX-License-Identifier: Apache-2.0
"""Rooms: cameras in their corners, and people of motion capture who walk about or stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Camera
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.people import ShapeMix, sample_betas

JOINT_SET = "coco_feet"
RATE_HZ = 10.0
TICKS_HZ = 100.0
"""People are known at so many times a second: cameras' clocks differ by less than a frame."""

ROOM_M = (7.0, 6.0)
_EYE_M = 2.3
_FOCAL = 0.62
_SIZE = (1280, 720)
_CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
_WORLD_FROM_MOTION = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""Motion capture has y up, the world z."""

_STANDING = 0.25
_POSES_HZ = 20.0


@dataclass(frozen=True, eq=False)
class RoomCamera:
    """A ``camera`` whose pose is ``actual`` and said to be ``stated``, world from optical.

    Images are taken at ``times`` (T,) s; their stamps are ``late_s`` later.
    """

    name: str
    camera: Camera
    actual: Transform
    stated: Transform
    times: Floats
    late_s: float


@dataclass(frozen=True, eq=False)
class Walkers:
    """P people at times that are ``1 / TICKS_HZ`` s apart, z up, metres.

    ``roots`` (P, T, 3); ``keypoints`` (P, K, J, 3) around the root and ``poses`` (P, K, 24, 3) rotvecs, at _POSES_HZ;
    ``betas`` (P, 10); ``statures`` (P,).
    """

    roots: Floats
    keypoints: Floats
    poses: Floats
    betas: Floats
    statures: Floats

    def roots_at(self, time_s: float) -> Floats:
        """(P, 3) m."""
        return np.asarray(self.roots[:, min(round(time_s * TICKS_HZ), self.roots.shape[1] - 1)])

    def keypoints_at(self, time_s: float) -> Floats:
        """(P, J, 3) m."""
        return np.asarray(self.keypoints[:, self._pose(time_s)] + self.roots_at(time_s)[:, None])

    def poses_at(self, time_s: float) -> Floats:
        """(P, 24, 3) rotvecs, the root's to the world."""
        return np.asarray(self.poses[:, self._pose(time_s)])

    def _pose(self, time_s: float) -> int:
        return min(round(time_s * _POSES_HZ), int(self.keypoints.shape[1]) - 1)


@dataclass(frozen=True)
class Errors:
    """What is wrong with a room: ``clock_s`` largest error of stamps; the pose of one camera by metres and radians."""

    clock_s: float = 0.05
    aside_m: float = 0.03
    angle_rad: float = float(np.deg2rad(2))


@dataclass(frozen=True, eq=False)
class Room:
    """The ``cameras`` of a room and the ``walkers`` in it for ``seconds``."""

    cameras: tuple[RoomCamera, ...]
    walkers: Walkers
    seconds: float


def turned(room: Room, degrees: float, rng: Generator) -> Room:
    """``room`` with the last camera said to look elsewhere, by a rotation about the vertical."""
    side = float(rng.choice([-1, 1]))
    turn = rotvec_to_rotmat(np.array([0, 0, side * np.deg2rad(degrees)]))
    return _restated(room, lambda pose: Transform(turn @ pose.rotation, pose.translation))


def inverted(room: Room) -> Room:
    """``room`` with the last camera said to be upside down."""
    return _restated(room, lambda pose: Transform(pose.rotation @ np.diag([-1.0, -1, 1]), pose.translation))


def swapped(room: Room) -> Room:
    """``room`` with the last two cameras said to be each where the other is."""
    *others, one, other = room.cameras
    one, other = dataclasses.replace(one, stated=other.stated), dataclasses.replace(other, stated=one.stated)
    return dataclasses.replace(room, cameras=(*others, one, other))


def _restated(room: Room, change: Callable[[Transform], Transform]) -> Room:
    *others, last = room.cameras
    return dataclasses.replace(room, cameras=(*others, dataclasses.replace(last, stated=change(last.stated))))


def sample_room(
    motion: Motion, body: BodyModel, cameras: int, people: int, seconds: float, errors: Errors, rng: Generator
) -> Room:
    """A random room; its last camera is the one whose pose is wrong."""
    walkers = sample_walkers(motion, body, [_way(seconds, rng) for _ in range(people)], rng)
    return room_of(walkers, [_placed(number, rng) for number in range(cameras)], seconds, errors, rng)


def room_of(walkers: Walkers, poses: Sequence[Transform], seconds: float, errors: Errors, rng: Generator) -> Room:
    """``walkers`` before cameras at ``poses``, world from optical; the last one's is wrong."""
    cameras, found = len(poses), []
    for number, actual in enumerate(poses):
        camera = Camera.pinhole(_FOCAL * float(np.hypot(*_SIZE)), *_SIZE)
        stated = _wrong(actual, errors, rng) if number == cameras - 1 else actual
        times = np.arange(rng.uniform(0, 1 / RATE_HZ) + 0.06, seconds - 0.06, 1 / RATE_HZ)
        late_s = float(rng.uniform(-errors.clock_s, errors.clock_s))
        found.append(RoomCamera(f"camera{number}", camera, actual, stated, times, late_s))
    return Room(tuple(found), walkers, seconds)


def _placed(number: int, rng: Generator) -> Transform:
    """A camera in a corner that looks at about the middle of the room."""
    eye = np.append(_CORNERS[number] * (np.array(ROOM_M) / 2 + 0.5), _EYE_M + rng.uniform(-0.3, 0.3))
    target = np.append(rng.uniform(-0.7, 0.7, 2), 0.9)
    return looking(eye, target)


def looking(eye: Floats, target: Floats) -> Transform:
    """World from optical of a level camera at ``eye`` (3,) m that looks at ``target`` (3,) m."""
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, [0.0, 0, 1])
    x /= np.linalg.norm(x)
    return Transform(np.stack([x, np.cross(z, x), z], 1), eye)


def _wrong(actual: Transform, errors: Errors, rng: Generator) -> Transform:
    """``actual``, rotated about a random axis and moved in a random direction."""
    axis, aside = (x / np.linalg.norm(x) for x in rng.normal(size=(2, 3)))
    turn = rotvec_to_rotmat(errors.angle_rad * axis)
    return Transform(turn @ actual.rotation, actual.translation + errors.aside_m * aside)


def sample_walkers(motion: Motion, body: BodyModel, ways: Sequence[Floats], rng: Generator) -> Walkers:
    """Random people on ``ways``, each (T, 2) m on the floor at TICKS_HZ."""
    betas = sample_betas(ShapeMix(children=0.15), rng, len(ways))
    parts = [_posed(motion, body, betas[[k]], way, rng) for k, way in enumerate(ways)]
    roots, keypoints, poses = (np.stack(column) for column in zip(*parts, strict=True))
    statures = np.ptp((body.v_template + np.einsum("vcb,pb->pvc", body.shapedirs, betas))[..., 1], axis=1)
    return Walkers(roots, keypoints, poses, betas, statures)


def _way(seconds: float, rng: Generator) -> Floats:
    """(T, 2) m on the floor: towards one random place after another, or standing."""
    half = np.array(ROOM_M) / 2 - 0.6
    speed = 0.0 if rng.random() < _STANDING else rng.uniform(0.5, 1.4)
    return way_between(lambda: np.asarray(rng.uniform(-half, half)), half, speed, seconds, rng)


def way_between(place: Callable[[], Floats], half: Floats, speed: float, seconds: float, rng: Generator) -> Floats:
    """(T, 2) m: from one ``place`` (2,) to another at ``speed`` m/s, turning as people do, within ``half`` (2,) m."""
    at, heading, goal, way = place(), rng.uniform(-np.pi, np.pi), place(), []
    for _ in range(round(seconds * TICKS_HZ) + 1):
        way.append(at)
        if np.linalg.norm(goal - at) < 0.4:
            goal = place()
        wanted = np.arctan2(*(goal - at)[::-1])
        turn = (wanted - heading + np.pi) % (2 * np.pi) - np.pi
        heading += np.clip(turn, -2.5 / TICKS_HZ, 2.5 / TICKS_HZ)
        at = np.clip(at + speed / TICKS_HZ * np.array([np.cos(heading), np.sin(heading)]), -half - 0.3, half + 0.3)
    return np.array(way)


def _posed(
    motion: Motion, body: BodyModel, betas: Floats, way: Floats, rng: Generator
) -> tuple[Floats, Floats, Floats]:
    """Of a person on ``way`` (T, 2), as in a clip: roots (T, 3), keypoints (K, J, 3) and poses (K, 24, 3)."""
    step = round(TICKS_HZ / _POSES_HZ)
    headings = _headings(way)[::step]
    pose = motion.pose[_frames(motion, len(headings), rng)].astype(np.float64)
    upright = _WORLD_FROM_MOTION @ _without_heading(rotvec_to_rotmat(pose[:, 0]))
    turned = rotvec_to_rotmat(headings[:, None] * np.array([0.0, 0, 1])) @ upright
    pose[:, 0] = rotmat_to_rotvec(turned)
    posed = body.posed(pose[:, 0], pose[:, 1:], np.repeat(betas, len(pose), 0), np.zeros((len(pose), 3)))
    vertices, joints = posed.vertices.astype(np.float64), posed.joints.astype(np.float64)
    around, height = joints[:, :1], joints[:, 0, 2] - vertices[..., 2].min(1)
    ticks = np.minimum(np.arange(len(way)) / step, len(pose) - 1)
    roots = np.column_stack([way, np.interp(ticks, np.arange(len(pose)), height)])
    return roots, body.regressor(JOINT_SET) @ vertices - around, pose


def _headings(way: Floats) -> Floats:
    """(T,) rad about z, held while people stand."""
    moved = np.gradient(way, axis=0)
    return np.unwrap(np.arctan2(moved[:, 1], moved[:, 0] + 1e-12))


def _frames(motion: Motion, count: int, rng: Generator) -> Ints:
    """``count`` frames of a clip of a person on their feet, forth and back where it is too short."""
    clips = np.unique(motion.clip)
    clip = int(rng.choice(clips))
    frames = np.flatnonzero(motion.clip == clip)[:: max(round(motion.fps / _POSES_HZ), 1)]
    there_and_back = np.concatenate([frames, frames[-2:0:-1]]) if len(frames) > 2 else frames
    return np.asarray(np.resize(there_and_back, count))


def _without_heading(rotations: Floats) -> Floats:
    """Roots (K, 3, 3) with y up that face forward, as the body's z axis says."""
    forward = rotations[:, :, 2]
    heading = np.arctan2(forward[:, 0], forward[:, 2])
    return np.asarray(rotvec_to_rotmat(-heading[:, None] * np.array([0.0, 1, 0])) @ rotations)
