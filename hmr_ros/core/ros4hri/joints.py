# SPDX-License-Identifier: Apache-2.0
"""A person as ROS4HRI describes one: 20 revolute joints instead of SMPL's 23 ball joints (human_description,
human-tpl.xacro).

The joints and links keep the names that ROS4HRI gives them, so that its tools understand ours. At angle zero a person
stands with hanging arms: x forward, y to the left, z up, all links aligned.

What 20 revolute joints hold exactly: the position and orientation of the body, the orientation of the head, the
directions of upper arms, forearms, thighs and shanks. What they do not: side bend and twist of the spine, shrugged
collars, wrists, ankles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.core.geometry.rotation import cross
from hmr_ros.core.ros4hri.body_frame import ROS_FROM_SMPL
from hmr_ros.core.skeleton import SMPL

_SIDES = {"l": 1, "r": -1}
_SIGNS = np.array([*_SIDES.values()], np.float64)
"""(2,) +1 left, -1 right: joints of the right side are mirrored, so that equal angles are mirrored poses."""

_BENDS = np.array([1, 1, -1, -1], np.float64)
"""(4,) which way elbows (+1) and knees (-1) bend, of the left and right arm, then leg."""

_BOTH = (-np.pi, np.pi)


@dataclass(frozen=True)
class HumanJoint:
    """A joint between two links: a revolute joint about ``axis`` of the parent's frame, or fixed where ``axis`` is
    None.

    ``limits`` rad are what people reach, never narrower than human_description's, which a sitting person exceeds.
    """

    name: str
    parent: str
    child: str
    axis: tuple[int, int, int] | None = None
    limits: tuple[float, float] = (0.0, 0.0)


def _arm(side: str, sign: int) -> tuple[HumanJoint, ...]:
    return (
        HumanJoint(f"{side}_y_shoulder", "torso", f"{side}_y_shoulder", (0, 0, -sign), _BOTH),
        HumanJoint(f"{side}_p_shoulder", f"{side}_y_shoulder", f"{side}_p_shoulder", (sign, 0, 0), (-0.7, 3.3)),
        HumanJoint(f"{side}_r_shoulder", f"{side}_p_shoulder", f"{side}_shoulder", (0, 0, sign), _BOTH),
        HumanJoint(f"{side}_elbow", f"{side}_shoulder", f"{side}_elbow", (0, -1, 0), (-0.2, 2.9)),
        HumanJoint(f"{side}_wrist", f"{side}_elbow", f"{side}_wrist"),
    )


def _leg(side: str, sign: int) -> tuple[HumanJoint, ...]:
    return (
        HumanJoint(f"{side}_y_hip", "body", f"{side}_y_hip", (0, 0, -1), (-1.6, 1.6)),
        HumanJoint(f"{side}_p_hip", f"{side}_y_hip", f"{side}_p_hip", (sign, 0, 0), (-0.8, 3.3)),
        HumanJoint(f"{side}_r_hip", f"{side}_p_hip", f"{side}_hip", (0, -1, 0), (-1.0, 2.6)),
        HumanJoint(f"{side}_knee", f"{side}_hip", f"{side}_knee", (0, -1, 0), (-2.8, 0.2)),
        HumanJoint(f"{side}_ankle", f"{side}_knee", f"{side}_ankle"),
    )


HUMAN_JOINTS = (
    HumanJoint("waist", "body", "waist", (0, 1, 0), (-1.0, 1.5)),
    HumanJoint("torso", "waist", "torso"),
    HumanJoint("r_head", "torso", "r_head", (1, 0, 0), (-1.6, 1.6)),
    HumanJoint("y_head", "r_head", "y_head", (0, 0, 1), (-1.5, 1.5)),
    HumanJoint("p_head", "y_head", "p_head", (0, -1, 0), (-1.7, 1.7)),
    HumanJoint("head", "p_head", "head"),
    *(joint for side, sign in _SIDES.items() for joint in _arm(side, sign)),
    *(joint for side, sign in _SIDES.items() for joint in _leg(side, sign)),
)
"""Every joint, parents before children."""

REVOLUTE_JOINTS = tuple(joint for joint in HUMAN_JOINTS if joint.axis is not None)
"""The 20 joints that move, in the order of all arrays of angles."""

REVOLUTE_JOINT_LIMITS: Float64s = np.array([joint.limits for joint in REVOLUTE_JOINTS])
"""(20, 2) rad."""

_PITCH_BELOW = 0.7
"""rad; p_shoulder goes to -0.7, so below +0.7 an arm direction has two solutions."""

_GIMBAL = 0.05
"""rad; y_shoulder is undetermined for a hanging arm, and follows the measurement slowly when the arm is so near."""

_STRAIGHT, _BENT = 0.05, 0.15
"""rad; a limb bent by less than the first is twisted as SMPL says, from the second on as the plane of the bend says."""

_OVERSTRETCHED = 0.2
"""rad; elbows and knees bend backwards by so much. What seems to be more is a twisted limb."""

_PROXIMAL = [SMPL.index(f"{side}_{part}") for part in ("shoulder", "hip") for side in ("left", "right")]
_MIDDLE = [SMPL.index(f"{side}_{part}") for part in ("elbow", "knee") for side in ("left", "right")]
_DISTAL = [SMPL.index(f"{side}_{part}") for part in ("wrist", "ankle") for side in ("left", "right")]
_SHOULDERS, _HIPS = _PROXIMAL[:2], _PROXIMAL[2:]
_HEAD_JOINT = SMPL.index("head")


def human_angles(world: Floats, joints: Floats, rest: Floats, last: Floats | None = None) -> Floats:
    """Angles of the 20 revolute joints.

    ``world`` (P, 24, 3, 3) SMPL joint -> optical, ``joints`` (P, 24, 3) m of this pose, ``rest`` (P, 24, 3) m of the
    same bodies in SMPL's rest pose; ``last`` (P, 20) rad the angles just before, NaN rows where there are none.
    Returns (P, 20) rad in (-pi, pi].

    Bone directions and head orientation are exact, but for two singular cases that would tremble otherwise. A limb
    bent by less than 0.18 rad has no clear plane: its distal bone is off by what SMPL bends it sideways, which is at
    most 0.19 rad in random poses and 0.05 rad in motion capture. A moving upper arm within about 0.1 rad of the torso's
    axis is off by at most 0.036 rad, and not when it rests or ``last`` is not given.
    """
    links = world.astype(np.float64) @ ROS_FROM_SMPL.T
    body = links[:, 0]
    waist = _waist(joints, body) - _waist(rest, ROS_FROM_SMPL.T)
    torso = body @ _rotation(1, waist)
    before = np.full((len(world), len(REVOLUTE_JOINTS)), np.nan) if last is None else last
    # By SMPL's rotations, the forward axis of a limb is the same in T-pose and hanging down: arms rotate about it.
    directions = np.stack([*_bones(joints.astype(np.float64)), links[..., 0][:, _PROXIMAL]])
    proximal, distal, twists = _to_parents(directions, torso, body)
    yaw, pitch = _shoulder(-proximal[:, :2], before[:, 4:12:4])
    upper_arms = _rotation(2, -_SIGNS * yaw) @ _rotation(0, _SIGNS * pitch)
    up = np.concatenate([upper_arms[..., 2], -proximal[:, 2:]], 1)
    forward, bends = _revolute_joints(up, distal, twists, axis_slants(rest))
    arms = np.stack([yaw, pitch, _shoulder_roll(upper_arms, forward[:, :2]), bends[:, :2]], -1)
    legs = np.concatenate([_hips(up[:, 2:], forward[:, 2:]), bends[:, 2:, None]], -1)
    head = _head(torso.swapaxes(-1, -2) @ links[:, _HEAD_JOINT])
    angles = np.concatenate([waist[:, None], head, arms.reshape(-1, 8), legs.reshape(-1, 8)], 1)
    return wrapped(angles)


def wrapped(angles: Floats) -> Floats:
    """Angles or differences of angles in (-pi, pi]."""
    return np.pi - (np.pi - angles) % (2 * np.pi)


def _waist(joints: Floats, body: Floats) -> Floats:
    """(P,) rad by which the line from the hips to the shoulders leans forward; ``body`` (P, 3, 3) body -> optical.

    Of all rotations about y it brings the shoulders nearest to where they are.
    """
    trunk: Floats = ((joints[:, _SHOULDERS].sum(1) - joints[:, _HIPS].sum(1))[:, None] @ body)[:, 0]
    return np.arctan2(trunk[:, 0], trunk[:, 2])


def _head(rotation: Floats) -> Floats:
    """(P, 3, 3) head -> torso as Rx(roll) Rz(yaw) Ry(-pitch): (P, 3) roll, yaw, pitch."""
    roll = np.arctan2(rotation[:, 2, 1], rotation[:, 1, 1])
    yaw = -np.arcsin(np.clip(rotation[:, 0, 1], -1, 1))
    return np.stack([roll, yaw, -np.arctan2(rotation[:, 0, 2], rotation[:, 0, 0])], -1)


def axis_slants(rest: Floats) -> Floats:
    """(P, 24, 3) m of SMPL's rest pose -> (P, 4) rad: how far forearms and shanks slant to the left of their revolute
    joints.

    Of the left and right arm, then leg. Shanks of a standing person are not quite in line with the thighs; as revolute
    joints whose plane is that of the bend, straight legs would be hips rotated inwards.
    """
    proximal, distal = _bones(rest.astype(np.float64) @ ROS_FROM_SMPL.T)
    _, left = _across(-proximal, np.array([1.0, 0.0, 0.0]))
    slants: Floats = np.arcsin((distal * left).sum(-1))
    return slants


def _bones(joints: Floats) -> tuple[Floats, Floats]:
    """Unit directions (P, 4, 3) of upper arms and thighs, and of forearms and shanks; arms first, left first."""
    points = joints[:, [_PROXIMAL, _MIDDLE, _DISTAL]]
    bones = points[:, 1:] - points[:, :-1]
    bones /= np.sqrt((bones * bones).sum(-1, keepdims=True))  # np.linalg.norm takes twice as long
    return bones[:, 0], bones[:, 1]


def _to_parents(directions: Floats, torso: Floats, body: Floats) -> Floats:
    """(..., P, 4, 3) optical -> arms in the torso's frame, legs in the body's."""
    return np.concatenate([directions[..., :2, :] @ torso, directions[..., 2:, :] @ body], -2)


def _shoulder(up: Floats, last_yaw: Floats) -> tuple[Floats, Floats]:
    """y_shoulder and p_shoulder (P, 2) that rotate z to ``up`` (P, 2, 3), the upper arm's direction reversed.

    The shoulder is Rz(-s y) Rx(s p) Rz(s r), the elbow Ry(-e).
    """
    x, y, z = up[..., 0], _SIGNS * up[..., 1], up[..., 2]
    across = np.hypot(x, y)
    yaw = np.arctan2(-x, -y)
    # The second solution, with a negative p_shoulder, where that is allowed and nearer to the last one (or to 0).
    reference = np.where(np.isnan(last_yaw), 0.0, last_yaw)
    other = (z > np.cos(_PITCH_BELOW)) & (np.abs(wrapped(yaw - reference)) > np.pi / 2)
    yaw = wrapped(yaw + np.pi * other)
    # arctan2 of a point near the origin: believed in proportion to its distance.
    trust = np.where(np.isnan(last_yaw), 1.0, across**2 / (across**2 + _GIMBAL**2))
    yaw = reference + trust * wrapped(yaw - reference)
    return yaw, np.arctan2(-np.sin(yaw) * x - np.cos(yaw) * y, z)


def _shoulder_roll(upper_arms: Floats, forward: Floats) -> Floats:
    """r_shoulder (P, 2) that rotates the x axes of ``upper_arms`` (P, 2, 3, 3) to ``forward`` (P, 2, 3)."""
    x, y = ((forward * upper_arms[..., axis]).sum(-1) for axis in (0, 1))
    roll: Floats = _SIGNS * np.arctan2(y, x)
    return roll


def _hips(up: Floats, forward: Floats) -> Floats:
    """(P, 2, 3) y, p, r hip of thighs that lie as ``up`` and ``forward`` (P, 2, 3) say.

    The hip is Rz(-y) Rx(s p) Ry(-r), the knee Ry(-k).
    """
    left = cross(up, forward)
    yaw = np.arctan2(left[..., 0], left[..., 1])
    pitch = _SIGNS * np.arcsin(np.clip(left[..., 2], -1, 1))
    return np.stack([yaw, pitch, np.arctan2(forward[..., 2], up[..., 2])], -1)


def _revolute_joints(up: Floats, distal: Floats, twists: Floats, slants: Floats) -> tuple[Floats, Floats]:
    """How elbows and knees lie: the proximal link's forward axis (P, 4, 3) and the angle (P, 4).

    ``up`` (P, 4, 3) is the proximal bone's direction reversed, ``slants`` (P, 4) as ``axis_slants`` has them. At angle
    q ``distal`` is sin(q) forward - cos(q) up, tilted to the left by the slant.
    """
    start, left = _across(up, twists)
    x, y = (_BENDS * (distal * axis).sum(-1) for axis in (start, left))
    z = (distal * up).sum(-1)
    aside = _BENDS * np.sin(slants)
    radius = np.hypot(x, y)
    plane, tilt = np.arctan2(y, x), np.arcsin(np.clip(aside / np.maximum(radius, 1e-9), -1, 1))
    bent, overstretched = wrapped(plane - tilt), wrapped(plane + tilt - np.pi)
    is_over = (radius < np.sin(_OVERSTRETCHED)) & (z < 0) & (np.abs(overstretched) < np.abs(bent))
    reach = np.sqrt(np.maximum(radius**2 - aside**2, 0))
    fraction = np.clip((reach - _STRAIGHT) / (_BENT - _STRAIGHT), 0, 1)
    turn = (fraction * fraction * (3 - 2 * fraction) * np.where(is_over, overstretched, bent))[..., None]
    forward = np.cos(turn) * start + np.sin(turn) * left
    return forward, np.arctan2((distal * forward).sum(-1), -z)


def _across(up: Floats, forward: Floats) -> tuple[Floats, Floats]:
    """Unit axes (P, N, 3) at right angles to ``up``: the one nearest to ``forward``, and the one to its left."""
    start = forward - (forward * up).sum(-1, keepdims=True) * up
    start /= np.maximum(np.sqrt((start * start).sum(-1, keepdims=True)), 1e-9)
    return start, cross(up, start)


def _rotation(axis: int, angle: Floats) -> Floats:
    """(...) rad -> (..., 3, 3) about x, y or z."""
    out = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -out[..., j, i]
    return out
