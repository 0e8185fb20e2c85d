# SPDX-License-Identifier: Apache-2.0
"""People over time as ROS4HRI describes them: angles that do not jump, speeds, bodies that keep their size.

A person's URDF is sent once and not with every image, so its lengths are held until they are clearly wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.records import Record
from hmr_ros.core.ros4hri.body_frame import body_frame
from hmr_ros.core.ros4hri.hands import WRISTS, HandAxes, HumanHands, forearm_links, human_hands
from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINT_LIMITS, REVOLUTE_JOINTS, human_angles, wrapped
from hmr_ros.core.ros4hri.urdf import joint_origins, joint_rotations, measured_origins, rest_joints
from hmr_ros.core.temporal.velocity import MAX_GAP_S

_NEW_SHAPE_M = 0.02
"""A joint that has moved so far in its link makes a new URDF: two or three while the shape of a new person settles."""


@dataclass(frozen=True, eq=False)
class Humans(Record):
    """People with a position, as human_description has them, one row each.

    ``ids`` (P,); ``places`` (P, 3) m and ``orientations`` (P, 3, 3) of the body frame (REP-155) in the optical frame;
    ``velocities`` (P, 3) m/s and ``angular_velocities`` (P, 3) rad/s of it there, without the camera's own motion where
    that is known; ``angles`` (P, 20) rad of REVOLUTE_JOINTS and ``angle_rates`` (P, 20) rad/s; rates are NaN for a
    track without an earlier image, and in the image that shows it again: from its expected position to the seen one is
    no movement. ``link_origins`` (P, 26, 3) m and ``link_rotations`` (P, 26, 4) xyzw, child -> parent link of
    HUMAN_JOINTS, as the body is in this image; ``urdf_origins`` (P, 26, 3) m, the origins that do not change with the
    pose; ``reshaped`` (P,) True where these are others than in the image before, or the first ones; ``hands``, None
    where hands are not looked for.
    """

    ids: Ints
    places: Floats
    orientations: Floats
    velocities: Floats
    angular_velocities: Floats
    angles: Floats
    angle_rates: Floats
    link_origins: Floats
    link_rotations: Floats
    urdf_origins: Floats
    reshaped: Bools
    hands: HumanHands | None = None

    @property
    def limit_violations(self) -> int:
        """How many angles are beyond REVOLUTE_JOINT_LIMITS."""
        return int(((self.angles < REVOLUTE_JOINT_LIMITS[:, 0]) | (self.angles > REVOLUTE_JOINT_LIMITS[:, 1])).sum())

    def clamped(self) -> Humans:
        """The same people with all angles within REVOLUTE_JOINT_LIMITS; their links are off by as much."""
        angles = np.clip(self.angles, *REVOLUTE_JOINT_LIMITS.T)
        return dataclasses.replace(self, angles=angles, link_rotations=joint_rotations(angles))


@dataclass(frozen=True, eq=False)
class _Memory:
    """A person in the image before, ``seen`` in it or expected, and the ``pose`` of its camera; None: not known."""

    stamp_s: float
    seen: bool
    place: Floats
    orientation: Floats
    angles: Floats
    urdf_origins: Floats
    pose: CameraPose | None = None

    def carried(self, pose: CameraPose | None) -> _Memory:
        """The same in the optical frame of the image of ``pose``, as far as the camera's motion is known."""
        motion = None if pose is None else pose.motion_from(self.pose)
        if motion is None:
            return self
        return dataclasses.replace(self, place=motion(self.place), orientation=motion.rotation @ self.orientation)


_NEW = _Memory(
    -np.inf, False, np.full(3, np.nan), np.eye(3), np.full(len(REVOLUTE_JOINTS), np.nan), np.full((26, 3), np.inf)
)
"""The memory of a new track."""


class HumanFollower:
    """Converts bodies to humans, image by image, in the order of their stamps."""

    def __init__(self, hand_axes: HandAxes | None = None) -> None:
        """``hand_axes`` of the bodies' hands; None: they have none that move."""
        self._hand_axes = hand_axes
        self._memories: dict[int, _Memory] = {}

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        for track_id in ids:
            self._memories.pop(track_id, None)

    def __call__(self, bodies: Bodies, stamp_s: float, pose: CameraPose | None = None) -> Humans:
        """The people of ``bodies`` that have a position, in the image that a camera took at ``pose``; None: unknown."""
        bodies = bodies.take(bodies.valid)
        before = [self._memories.get(int(track_id), _NEW).carried(pose) for track_id in bodies.ids]
        humans = _measured(bodies, before, stamp_s)
        if bodies.hands is not None and self._hand_axes is not None:
            humans = _with_hands(humans, bodies, bodies.hands, self._hand_axes)
        for row, track_id in enumerate(humans.ids):
            self._memories[int(track_id)] = _Memory(
                stamp_s,
                bool(bodies.states[row] != State.COASTING),
                humans.places[row],
                humans.orientations[row],
                humans.angles[row],
                humans.urdf_origins[row],
                pose,
            )
        return humans


def _measured(bodies: Bodies, before: list[_Memory], stamp_s: float) -> Humans:
    joints = bodies.joints.astype(np.float64)
    pose = np.concatenate([bodies.global_orient[:, None], bodies.body_pose], 1).astype(np.float64)
    world = world_rotations(rotvec_to_rotmat(pose))
    rest = rest_joints(world, joints)
    places, orientations = body_frame(world[:, 0], joints)
    last_angles = _column([memory.angles for memory in before], len(REVOLUTE_JOINTS))
    angles = human_angles(world, joints, rest, last_angles)
    origins = joint_origins(rest)
    held, reshaped = _held(origins, _column([memory.urdf_origins for memory in before], *origins.shape[1:]))
    seen = (bodies.states != State.COASTING).tolist()
    dt = _column([_time_since(memory, stamp_s, now) for memory, now in zip(before, seen, strict=True)], 1)
    turn = orientations @ _column([memory.orientation for memory in before], 3, 3).swapaxes(-1, -2)
    return Humans(
        ids=bodies.ids,
        places=places,
        orientations=orientations,
        velocities=(places - _column([memory.place for memory in before], 3)) / dt,
        angular_velocities=rotmat_to_rotvec(turn) / dt,
        angles=angles,
        angle_rates=wrapped(angles - last_angles) / dt,
        link_origins=measured_origins(origins, angles[:, 0], orientations, joints),
        link_rotations=joint_rotations(angles),
        urdf_origins=held,
        reshaped=reshaped,
    )


def _with_hands(humans: Humans, bodies: Bodies, hands: BodyHands, axes: HandAxes) -> Humans:
    """``humans`` with the ``hands`` of their ``bodies``."""
    pose = np.concatenate([bodies.global_orient[:, None], bodies.body_pose], 1).astype(np.float64)
    wrists = world_rotations(rotvec_to_rotmat(pose))[:, WRISTS]
    forearms = forearm_links(humans.orientations, humans.link_rotations)
    return dataclasses.replace(humans, hands=human_hands(hands, wrists, forearms, axes))


def _held(origins: Floats, last: Floats) -> tuple[Floats, Bools]:
    """(P, 26, 3) m: the last origins unless one is clearly wrong, and where (P,) it was."""
    reshaped = np.abs(origins - last).max((1, 2), initial=0.0) > _NEW_SHAPE_M
    return np.where(reshaped[:, None, None], origins, last), reshaped


def _time_since(memory: _Memory, stamp_s: float, seen: bool) -> float:
    """Seconds since then; NaN after a pause, when time went backwards, and for a track that is ``seen`` again."""
    dt = stamp_s - memory.stamp_s
    return dt if 0 < dt <= MAX_GAP_S and memory.seen >= seen else float("nan")


def _column(rows: list[Floats] | list[float], *shape: int) -> Floats:
    """(N, *shape): N ``rows`` stacked; N may be 0."""
    return np.array(rows, np.float64).reshape(len(rows), *shape)
