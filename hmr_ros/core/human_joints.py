"""A person as ROS4HRI describes one: 20 hinges instead of SMPL's 23 ball joints (human_description, human-tpl.xacro).

The joints and links keep the names that ROS4HRI gives them, so that its tools understand ours. At angle zero a person
stands with hanging arms: x forward, y to the left, z up, all links aligned.

What 20 hinges hold exactly: the place and orientation of the body, the orientation of the head, the directions of upper
arms, forearms, thighs and shanks. What they do not: side bend and twist of the spine, shrugged collars, wrists, ankles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.body_frame import ROS_FROM_SMPL
from hmr_ros.core.skeleton import SMPL

Floats = NDArray[np.floating]

_SIDES = {"l": 1, "r": -1}
_SIGNS = np.array([*_SIDES.values()], np.float64)
"""(2,) +1 left, -1 right: joints of the right side are mirrored, so that equal angles are mirrored poses."""

_BOTH = (-np.pi, np.pi)


@dataclass(frozen=True)
class HumanJoint:
    """A joint between two links: a hinge about ``axis`` of the parent's frame, or fixed where ``axis`` is None.

    ``limits`` rad are what people reach, never narrower than human_description's, which somebody sitting exceeds.
    """

    name: str
    parent: str
    child: str
    axis: tuple[int, int, int] | None = None
    limits: tuple[float, float] = (0.0, 0.0)


def _arm(side: str, sign: int) -> tuple[HumanJoint, ...]:
    return (
        HumanJoint(f"{side}_y_shoulder", "torso", f"{side}_y_shoulder", (0, 0, -sign), _BOTH),
        HumanJoint(f"{side}_p_shoulder", f"{side}_y_shoulder", f"{side}_p_shoulder", (sign, 0, 0), (-0.4, 3.3)),
        HumanJoint(f"{side}_r_shoulder", f"{side}_p_shoulder", f"{side}_shoulder", (0, 0, sign), _BOTH),
        HumanJoint(f"{side}_elbow", f"{side}_shoulder", f"{side}_elbow", (0, -1, 0), (-0.2, 2.9)),
        HumanJoint(f"{side}_wrist", f"{side}_elbow", f"{side}_wrist"),
    )


def _leg(side: str, sign: int) -> tuple[HumanJoint, ...]:
    return (
        HumanJoint(f"{side}_y_hip", "body", f"{side}_y_hip", (0, 0, -1), (-2.2, 2.2)),
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

HINGES = tuple(joint for joint in HUMAN_JOINTS if joint.axis is not None)
"""The 20 joints that move, in the order of all arrays of angles."""

HINGE_LIMITS: NDArray[np.float64] = np.array([joint.limits for joint in HINGES])
"""(20, 2) rad."""

_PITCH_BELOW = 0.4
"""rad; p_shoulder goes to -0.4, so below +0.4 an arm direction has two solutions."""

_GIMBAL = 0.05
"""rad; y_shoulder is undetermined for a hanging arm, and follows the measurement slowly when the arm is so near."""

_STRAIGHT, _BENT = 0.05, 0.15
"""rad; up to the first the twist of a limb is SMPL's, from the second on that of the plane in which it is bent."""

_OVERSTRETCHED = 0.2
"""rad; elbows and knees bend backwards by so much. What seems to be more is a twisted limb."""

_PROXIMAL = [SMPL.index(f"{side}_{part}") for part in ("shoulder", "hip") for side in ("left", "right")]
_MIDDLE = [SMPL.index(f"{side}_{part}") for part in ("elbow", "knee") for side in ("left", "right")]
_DISTAL = [SMPL.index(f"{side}_{part}") for part in ("wrist", "ankle") for side in ("left", "right")]
_SHOULDERS, _HIPS = _PROXIMAL[:2], _PROXIMAL[2:]
_HEAD_JOINT = SMPL.index("head")


def human_angles(world: Floats, joints: Floats, rest: Floats, last: Floats | None = None) -> Floats:
    """Angles of the 20 hinges.

    ``world`` (P, 24, 3, 3) SMPL joint -> optical, ``joints`` (P, 24, 3) m of this pose, ``rest`` (P, 24, 3) m of the
    same bodies in SMPL's rest pose; ``last`` (P, 20) rad the angles just before, NaN rows for whom there are none.
    Returns (P, 20) rad in (-pi, pi].

    Bone directions and head orientation are exact, but for two singular cases that would tremble otherwise. A limb
    bent by less than 0.15 rad has no clear plane: its distal bone is off by at most 0.08 rad. A moving upper arm within
    about 0.1 rad of the torso's axis is off by at most 0.025 rad, and not when it rests or ``last`` is not given.
    """
    links = world.astype(np.float64) @ ROS_FROM_SMPL.T
    body = links[:, 0]
    waist = _waist(joints, body) - _waist(rest, ROS_FROM_SMPL.T)
    torso = body @ _rotation(1, waist)
    before = np.full((len(world), len(HINGES)), np.nan) if last is None else last
    proximal, distal = _limbs(joints.astype(np.float64), torso, body)
    twists = _twists(links, torso, body)
    arms = _arms(proximal[:, :2], distal[:, :2], twists[:, :2], before[:, 4:12].reshape(-1, 2, 4))
    legs = _legs(proximal[:, 2:], distal[:, 2:], twists[:, 2:])
    head = _head(torso.swapaxes(-1, -2) @ links[:, _HEAD_JOINT])
    angles = np.concatenate([waist[:, None], head, arms.reshape(-1, 8), legs.reshape(-1, 8)], 1)
    return wrapped(angles)


def wrapped(angles: Floats) -> Floats:
    """Angles or differences of angles in (-pi, pi]."""
    return np.pi - (np.pi - angles) % (2 * np.pi)


def _waist(joints: Floats, body: Floats) -> Floats:
    """(P,) rad by which the line from the hips to the shoulders leans forward; ``body`` (P, 3, 3) body -> optical.

    Of all turns about y it brings the shoulders nearest to where they are.
    """
    trunk: Floats = ((joints[:, _SHOULDERS].mean(1) - joints[:, _HIPS].mean(1))[:, None] @ body)[:, 0]
    return np.arctan2(trunk[:, 0], trunk[:, 2])


def _head(turn: Floats) -> Floats:
    """(P, 3, 3) head -> torso as Rx(roll) Rz(yaw) Ry(-pitch): (P, 3) roll, yaw, pitch."""
    roll = np.arctan2(turn[:, 2, 1], turn[:, 1, 1])
    yaw = -np.arcsin(np.clip(turn[:, 0, 1], -1, 1))
    return np.stack([roll, yaw, -np.arctan2(turn[:, 0, 2], turn[:, 0, 0])], -1)


def _limbs(joints: Floats, torso: Floats, body: Floats) -> tuple[Floats, Floats]:
    """Unit directions (P, 4, 3) of the proximal and distal bones: arms in the torso's frame, legs in the body's."""
    points = joints[:, [_PROXIMAL, _MIDDLE, _DISTAL]]
    bones = points[:, 1:] - points[:, :-1]
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    arms, legs = bones[:, :, :2] @ torso[:, None], bones[:, :, 2:] @ body[:, None]
    proximal, distal = np.concatenate([arms, legs], 2).transpose(1, 0, 2, 3)
    return proximal, distal


def _twists(links: Floats, torso: Floats, body: Floats) -> Floats:
    """(P, 4, 3) where each proximal link's forward axis points by SMPL's rotations, in the frames of ``_limbs``."""
    forward = links[..., 0][:, _PROXIMAL]  # the arms' too: from T-pose to hanging they turn about this axis
    return np.concatenate([forward[:, :2] @ torso, forward[:, 2:] @ body], 1)


def _arms(proximal: Floats, distal: Floats, twists: Floats, last: Floats) -> Floats:
    """(P, 2, 4) y, p, r shoulder and elbow; the shoulder is Rz(-s y) Rx(s p) Rz(s r), the elbow Ry(-e)."""
    yaw, pitch = _shoulder(-proximal, last[..., 0])
    link = _rotation(2, -_SIGNS * yaw) @ _rotation(0, _SIGNS * pitch)
    forward, elbow = _hinge(link[..., 2], distal, twists, 1)
    roll = _SIGNS * np.arctan2((forward * link[..., 1]).sum(-1), (forward * link[..., 0]).sum(-1))
    return np.stack([yaw, pitch, roll, elbow], -1)


def _shoulder(up: Floats, last_yaw: Floats) -> tuple[Floats, Floats]:
    """y_shoulder and p_shoulder (P, 2) that turn z to ``up`` (P, 2, 3), the upper arm's direction reversed."""
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


def _legs(proximal: Floats, distal: Floats, twists: Floats) -> Floats:
    """(P, 2, 4) y, p, r hip and knee; the hip is Rz(-y) Rx(s p) Ry(-r), the knee Ry(-k)."""
    forward, knee = _hinge(-proximal, distal, twists, -1)
    left = np.cross(-proximal, forward)
    yaw = np.arctan2(left[..., 0], left[..., 1])
    pitch = _SIGNS * np.arcsin(np.clip(left[..., 2], -1, 1))
    roll = np.arctan2(forward[..., 2], -proximal[..., 2])
    return np.stack([yaw, pitch, roll, knee], -1)


def _hinge(up: Floats, distal: Floats, twists: Floats, bends: int) -> tuple[Floats, Floats]:
    """How an elbow (``bends`` +1) or knee (-1) lies: the proximal link's forward axis (P, 2, 3) and the angle (P, 2).

    ``up`` (P, 2, 3) is the proximal bone's direction reversed. At angle q ``distal`` is sin(q) forward - cos(q) up.
    """
    start = twists - (twists * up).sum(-1, keepdims=True) * up
    start /= np.maximum(np.linalg.norm(start, axis=-1, keepdims=True), 1e-9)
    left = np.cross(up, start)
    x, y, z = ((distal * axis).sum(-1) for axis in (start, left, up))
    bend = np.arctan2(np.hypot(x, y), -z)
    signs = np.where((bend < _OVERSTRETCHED) & (bends * x < 0), -bends, bends)
    share = np.clip((bend - _STRAIGHT) / (_BENT - _STRAIGHT), 0, 1)
    turn = (share * share * (3 - 2 * share) * np.arctan2(signs * y, signs * x))[..., None]
    forward = np.cos(turn) * start + np.sin(turn) * left
    return forward, np.arctan2((distal * forward).sum(-1), -z)


def _rotation(axis: int, angle: Floats) -> Floats:
    """(...) rad -> (..., 3, 3) about x, y or z."""
    out = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -out[..., j, i]
    return out
