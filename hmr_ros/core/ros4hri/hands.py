# SPDX-License-Identifier: Apache-2.0
"""Hands as revolute joints below the wrists of ROS4HRI's human_description, which ends there.

At angle zero of all joints the hand is the rest hand of the body (knuckles bent by 8 to 15 degrees, thumb apart), in
line with the forearm, and all frames are aligned: x to the thumb, -z along the fingers, y out of the back of a left
hand and out of the palm of a right one. So they are aligned with the arm's links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float64s, Floats, Int64s
from hmr_ros.core.body.hand_model import HAND_TREE, SIDES, HandModel, mirrored_rotations
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.fitting.wrist import WRIST_LIMITS, wrist_angles
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotvec_to_rotmat
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.records import Record
from hmr_ros.core.ros4hri.joints import HUMAN_JOINTS
from hmr_ros.core.skeleton import HAND, MANO, SMPL

HAND_FROM_SMPL: Float64s = np.array(
    [[[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]], [[0, 0, 1], [0, -1, 0], [1, 0, 0]]],
)
"""(2, 3, 3) axes of SMPL's body at rest -> those of the left and the right hand's frames."""

_FINGERS = ("index", "middle", "pinky", "ring", "thumb")
_NAMES = (("mcp_abduction", 1, 1), ("mcp_flexion", 1, 0), ("pip", 2, 0), ("dip", 3, 0))
_THUMB = (("cmc_abduction", 1, 1), ("cmc_flexion", 1, 0), ("mcp_abduction", 2, 1), ("mcp_flexion", 2, 0), ("ip", 3, 0))
"""Joints of a finger and of the thumb from the palm outwards: name, phalanx, 0 flexion or 1 abduction."""
_WRIST = ("wrist_rotation", "wrist_flexion", "wrist_abduction")


@dataclass(frozen=True)
class HandJoint:
    """A joint below the wrist of either side: ``name``, ``parent`` and ``child`` links without the side's letter.

    It moves by the angle ``wrist`` of ``wrist_angles``, or ``finger`` of the (15, 2) angles of BodyHands; -1: not by
    that. ``point`` is the row of skeleton.MANO where it is; -1: where its parent is.
    """

    name: str
    parent: str
    child: str
    wrist: int = -1
    finger: tuple[int, int] = (-1, -1)
    point: int = -1

    @property
    def is_fixed(self) -> bool:
        """Whether nothing moves it."""
        return self.wrist < 0 and self.finger[0] < 0


def _joints() -> tuple[HandJoint, ...]:
    """All joints, parents before children."""
    found = []
    for k, name in enumerate(_WRIST):
        found.append(HandJoint(name, _WRIST[k - 1] if k else "wrist", name if k < 2 else "hand", wrist=k))
    found.append(HandJoint("palm", "hand", "palm"))
    for finger in _FINGERS:
        above, reached = "hand", 0
        for name, phalanx, angle in _THUMB if finger == "thumb" else _NAMES:
            point = MANO.index(f"{finger}{phalanx}") if phalanx > reached else -1
            joint = HAND.index(f"{finger}{phalanx}") - 1
            found.append(HandJoint(f"{finger}_{name}", above, f"{finger}_{name}", finger=(joint, angle), point=point))
            above, reached = f"{finger}_{name}", phalanx
        found.append(HandJoint(f"{finger}_tip", above, f"{finger}_tip", point=MANO.index(f"{finger}4")))
    return tuple(found)


HAND_JOINTS = _joints()
"""The 30 joints of a hand: 24 that move, and the fixed ones of the palm and the five tips."""

HAND_REVOLUTES = tuple(joint for joint in HAND_JOINTS if not joint.is_fixed)
"""The 24 that move, in the order of all arrays of angles."""

_WRISTS = np.array([joint.wrist >= 0 for joint in HAND_REVOLUTES])
_FINGER_ROWS = np.array([joint.finger for joint in HAND_REVOLUTES if joint.wrist < 0])
_MOVING = np.array([not joint.is_fixed for joint in HAND_JOINTS])
_PALM = [MANO.index(joint) for joint in ("wrist", "index1", "middle1", "ring1", "pinky1")]
_PALM_ROW = next(row for row, joint in enumerate(HAND_JOINTS) if joint.name == "palm")
_ROW = {joint.child: row for row, joint in enumerate(HAND_JOINTS)}
_WRIST_AXES = np.array([[[0, 0, -1], [-1, 0, 0], [0, -1, 0]], [[0, 0, 1], [1, 0, 0], [0, -1, 0]]], np.float64)
"""(2, 3, 3) axes of the wrist's rotation, flexion and abduction in the hand's frame."""


def _bones_after() -> dict[str, int]:
    """For each link that a phalanx or a bone of the palm begins in, the row of the joint at its end."""
    starts = {}
    for row, joint in enumerate(HAND_JOINTS):
        if joint.point >= 0 and joint.parent != "hand":
            starts[joint.parent] = row
    return starts


BONE_AFTER = _bones_after()
"""Row of HAND_JOINTS at the end of the phalanx that is in a link."""


def _origin_points() -> tuple[Int64s, Int64s]:
    """(30,) for each joint its point of skeleton.MANO and that of its parent link."""
    own, above = np.zeros(len(HAND_JOINTS), np.int64), np.zeros(len(HAND_JOINTS), np.int64)
    for row, joint in enumerate(HAND_JOINTS):
        above[row] = own[_ROW[joint.parent]] if joint.parent in _ROW else MANO.index("wrist")
        own[row] = joint.point if joint.point >= 0 else above[row]
    return own, above


_OWN, _ABOVE = _origin_points()
_PHALANX = np.array([HAND.index(name) if (name := MANO.joints[point]) in HAND.joints else 0 for point in _ABOVE])
"""(30,) the joint of skeleton.HAND whose bone each origin lies on."""


WRISTS = [SMPL.index(f"{side}_wrist") for side in SIDES]
"""The joints of SMPL at which the hands begin."""

_ARMS = [
    [joint.name for joint in HUMAN_JOINTS].index(name.format(side))
    for side in ("l", "r")
    for name in ("waist", "{}_y_shoulder", "{}_p_shoulder", "{}_r_shoulder", "{}_elbow")
]
"""Rows of HUMAN_JOINTS that move the links of the left and the right forearm."""


@dataclass(frozen=True, eq=False)
class HandAxes:
    """``axes`` (2, 24, 3) of HAND_REVOLUTES in their frames, left hand first, and ``limits`` (24, 2) rad."""

    axes: Floats
    limits: Floats

    @staticmethod
    def of(hand: HandModel) -> HandAxes:
        """Those of both hands of the model of either. Raises ValueError where it does not say how fingers bend."""
        right = (hand if hand.side == "right" else hand.mirrored()).fingers
        if right is None:
            raise ValueError("the hand model does not say how its fingers bend: use the shipped open_hand.npz")
        pair = (mirrored_rotations(right.axes), right.axes)
        joints, angles = _FINGER_ROWS.T
        fingers = [axes[joints, angles] @ frame.T for axes, frame in zip(pair, HAND_FROM_SMPL, strict=True)]
        limits = np.concatenate([[(-np.pi, np.pi)], WRIST_LIMITS[1:], right.limits[joints, angles]])
        return HandAxes(np.concatenate([_WRIST_AXES, np.stack(fingers)], 1), limits)


@dataclass(frozen=True, eq=False)
class HumanHands(Record):
    """Both hands of P people.

    ``known`` (P, 2) whether they are seen, or were just before; ``angles`` (P, 2, 24) rad of HAND_REVOLUTES;
    ``origins`` (P, 2, 30, 3) m and ``rotations`` (P, 2, 30, 4) xyzw, child -> parent link of HAND_JOINTS; ``axes`` of
    every hand.
    """

    axes: HandAxes
    known: Bools
    angles: Floats
    origins: Floats
    rotations: Floats


def human_hands(hands: BodyHands, wrists: Floats, forearms: Floats, axes: HandAxes) -> HumanHands:
    """The joints of ``hands`` whose wrist joints have the orientations ``wrists`` (P, 2, 3, 3), SMPL joint -> optical.

    ``forearms`` (P, 2, 3, 3): the frames of the links ``l_wrist`` and ``r_wrist`` -> optical.
    """
    relative = forearms.swapaxes(-1, -2) @ wrists @ HAND_FROM_SMPL.swapaxes(-1, -2)
    at_rest = HAND_FROM_SMPL.swapaxes(-1, -2) @ relative @ HAND_FROM_SMPL
    angles = np.empty((len(hands), len(SIDES), len(HAND_REVOLUTES)))
    angles[..., _WRISTS] = wrist_angles(at_rest, np.array([side == "left" for side in SIDES]))
    angles[..., ~_WRISTS] = hands.angles[:, :, _FINGER_ROWS[:, 0], _FINGER_ROWS[:, 1]]
    return HumanHands(axes, hands.known, angles, _origins(hands, wrists), hand_rotations(angles, axes))


def forearm_links(orientations: Floats, link_rotations: Floats) -> Floats:
    """(P, 2, 3, 3) links ``l_wrist`` and ``r_wrist`` -> optical.

    ``orientations`` (P, 3, 3) of the body frames; ``link_rotations`` (P, 26, 4) xyzw, child -> parent of HUMAN_JOINTS.
    """
    chain = quat_to_rotmat(link_rotations[:, _ARMS]).reshape(len(orientations), len(SIDES), len(_ARMS) // 2, 3, 3)
    links = np.repeat(orientations[:, None], len(SIDES), 1)
    for step in range(chain.shape[2]):
        links = links @ chain[:, :, step]
    return links


def hand_rotations(angles: Floats, axes: HandAxes) -> Floats:
    """(P, 2, 24) rad -> (P, 2, 30, 4) quaternions xyzw, child -> parent link of HAND_JOINTS (fixed: identity)."""
    half = np.zeros((*angles.shape[:2], len(HAND_JOINTS)))
    half[..., _MOVING] = angles / 2
    about = np.zeros((len(SIDES), len(HAND_JOINTS), 3))
    about[:, _MOVING] = axes.axes
    return np.concatenate([np.sin(half)[..., None] * about, np.cos(half)[..., None]], -1)


def _origins(hands: BodyHands, wrists: Floats) -> Floats:
    """(P, 2, 30, 3) m: where each joint is in the frame of its parent link, of hands in any pose."""
    rotations = np.concatenate([wrists[:, :, None], rotvec_to_rotmat(hands.pose.astype(np.float64))], 2)
    world = world_rotations(rotations, HAND_TREE)[:, :, _PHALANX]
    bones = (hands.joints[:, :, _OWN] - hands.joints[:, :, _ABOVE]).astype(np.float64)
    bones[:, :, _PALM_ROW] = hands.joints[:, :, _PALM].mean(2) - hands.joints[:, :, MANO.index("wrist")]
    return np.asarray(np.einsum("sij,pskmj,pskm->pski", HAND_FROM_SMPL, world, bones))
