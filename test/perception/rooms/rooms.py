# SPDX-License-Identifier: Apache-2.0
"""Cameras around people who walk, as the fuser is told of them: exact, but for the errors that a test asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Detections, State
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.uncertainty import stretched
from hmr_ros.perception.appearance import Look
from hmr_ros.perception.rooms.fuser import RoomFuser

BODY = load_body_model(models_dir() / "open_body.npz")
_UPRIGHT = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""Body (y up, z ahead) to a world with z up, facing x."""

_ALONG, _ACROSS_M = 0.06, 0.014

Place = Callable[[float], tuple[float, float]]


def looking(eye, target=(0.0, 0.0, 1.0)):
    """World from optical of a level camera."""
    z = np.subtract(target, eye) / np.linalg.norm(np.subtract(target, eye))
    x = np.cross(z, [0, 0, 1])
    x /= np.linalg.norm(x)
    return Transform(np.stack([x, np.cross(z, x), z], 1), np.array(eye, np.float64))


def turned(pose, degrees, axis=(0, 0, 1), aside=(0, 0, 0)):
    """``pose``, wrong by a rotation about a world axis and by metres."""
    turn = rotvec_to_rotmat(np.radians(degrees) * np.array(axis, np.float64))
    return Transform(turn @ pose.rotation, pose.translation + aside)


EAST, SOUTH, NORTH = looking((4.0, 0, 2)), looking((0.0, -4, 2)), looking((0.5, 4, 2.2))


@dataclass(frozen=True)
class Eye:
    """A camera at ``pose``, said to be at ``stated``; ``late_s`` of its stamps; which people it ``sees`` at a time.

    ``factor`` of the distances that it measures; ``along`` the deviation that it states, as a fraction; ``light`` is
    how otherwise it sees brightness and colours.
    """

    pose: Transform
    stated: Transform | None = None
    late_s: float = 0.0
    sees: Callable[[int, float], bool] = lambda person, time_s: True
    factor: float = 1.0
    along: float = _ALONG
    light: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass
class Room:
    """``people`` on the floor and ``eyes``, named 0, 1, ...; ``sizes`` are what networks take people for.

    ``clothes`` (P, 4, 3): colours of the parts of each; none: cameras do not tell.
    """

    people: tuple[Place, ...]
    eyes: tuple[Eye, ...]
    sizes: tuple[float, ...] = ()
    noise: float = 0.0
    clothes: tuple[np.ndarray, ...] = ()
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def roots(self, time_s):
        """(P, 3) m."""
        return np.array([(*place(time_s), 0.95) for place in self.people])

    def bodies(self, number, time_s):
        """What camera ``number`` says of the image at ``time_s``; ids are 10 times its number, plus the person's."""
        eye = self.eyes[number]
        rows = [row for row in range(len(self.people)) if eye.sees(row, time_s)]
        poses = [_pose(self.people[row], row, time_s) for row in rows]
        orient = np.array([eye.pose.rotation.T @ rotation for rotation, _ in poses]).reshape(-1, 3, 3)
        optical = eye.pose.inverse()(self.roots(time_s)[rows].reshape(-1, 3))
        size = np.array([self.sizes[row] if self.sizes else 1.0 for row in rows]) * eye.factor
        optical = optical * size[:, None] * (1 + 0.01 * self.noise * self.rng.normal(size=(len(rows), 1)))
        optical = optical + 0.01 * self.noise * self.rng.normal(size=optical.shape)
        return _bodies(10 * number + np.array(rows, np.int64), orient, [pose for _, pose in poses], optical, eye.along)

    def looks(self, number, ids):
        """How the people of camera ``number`` with these ``ids`` look in it, in ten images so far."""
        if not self.clothes:
            return None
        return worn([self.clothes[track % 10] + self.eyes[number].light for track in ids.tolist()])


def worn(colors, views=10.0):
    """Looks of people whose parts have ``colors`` (4, 3) each."""
    colors = np.array(colors).reshape(-1, 4, 3)
    return Look(colors, np.zeros_like(colors), np.full(colors.shape[:2], views))


def _pose(place, person, time_s):
    """Rotation (3, 3) of the root in the world, and the pose (23, 3), of someone who walks with swinging limbs."""
    velocity = (np.array(place(time_s + 0.1)) - place(time_s)) / 0.1
    speed = float(np.linalg.norm(velocity))
    heading = np.arctan2(velocity[1], velocity[0]) if speed > 0.05 else 0.7 * person
    swing = 0.5 * min(speed, 1.5) * np.sin(2 * np.pi * (0.9 * time_s + 0.31 * person))
    pose = np.zeros((23, 3))
    for side, sign in (("left", 1), ("right", -1)):
        pose[SMPL.index(f"{side}_hip") - 1, 0] = sign * swing
        pose[SMPL.index(f"{side}_shoulder") - 1] = (0.0, -0.7 * swing, -1.2 * sign)
    return rotvec_to_rotmat(np.array([0.0, 0, heading])) @ _UPRIGHT, pose


def _bodies(ids, orient, poses, cam_t, along):
    count = len(ids)
    rotvec, pose = rotmat_to_rotvec(orient) if count else np.zeros((0, 3)), np.array(poses).reshape(-1, 23, 3)
    joints = BODY.posed_joints(rotvec, pose, np.zeros((count, 10))) if count else np.zeros((0, 24, 3))
    distance = np.linalg.norm(cam_t, axis=1)
    bearing = cam_t / distance[:, None]
    empty = Bodies.without_geometry(Detections.of_boxes(np.zeros((count, 4)), ids=ids), 0)
    return dataclasses.replace(
        empty,
        states=np.full(count, State.TRACKED, np.uint8),
        global_orient=rotvec,
        body_pose=pose,
        betas=np.zeros((count, 10)),
        cam_t=cam_t,
        joints=joints - joints[:, :1] + cam_t[:, None],
        joint_error=np.full((count, 24), 0.05),
        joint_covariance=np.tile(1e-3 * np.eye(3), (count, 24, 1, 1)),
        root_covariance=stretched((along * distance) ** 2, np.full(count, _ACROSS_M**2), bearing),
        valid=np.ones(count, np.bool_),
    )


@dataclass(frozen=True)
class Shown:
    """The people of the fuser at a time: position (3,) m by id, those who are sure; and the truth (P, 3)."""

    time_s: float
    people: dict
    truth: np.ndarray

    @property
    def twice(self):
        """How many people more there are than in truth."""
        return len(self.people) - len(self.truth)

    @property
    def error_m(self):
        """Mean distance of each person from the nearest truth."""
        apart = [np.linalg.norm(self.truth - at, axis=1).min() for at in self.people.values()]
        return float(np.mean(apart))


def fuse(room, seconds, rate_hz=6.0, options=None, fuser=None, begin_s=0.0, silent=()):
    """Fuse ``room``; the fuser, and what it shows after each round of cameras. ``silent``: numbers of cameras."""
    fuser, shown = fuser or RoomFuser(BODY, options), []
    for time_s in np.arange(begin_s, begin_s + seconds, 1 / rate_hz).tolist():
        for number, eye in enumerate(room.eyes):
            at = time_s + number / rate_hz / len(room.eyes)
            if number not in silent:
                bodies = room.bodies(number, at)
                looks = room.looks(number, bodies.ids)
                fuser.add(bodies, str(number), at + eye.late_s, eye.stated or eye.pose, looks)
        now = fuser.stamp_s
        sure = {p.id: p.motion.expected(now)[0] for p in fuser.people if p.is_sure}
        shown.append(Shown(now, sure, room.roots(at)))
    return fuser, shown
