# SPDX-License-Identifier: Apache-2.0
"""Joints of a hand in space -> its orientation and the angles of its fingers, within their limits, in closed form.

Only directions count: those of the palm give the orientation, those of the phalanges flexion and abduction, from the
knuckles outwards. So points of any size will do, and points that are joints only about.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, skew
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import HAND, MANO

_PALM = np.array([MANO.index(joint) for joint in MANO.joints if joint == "wrist" or joint.endswith("1")])
_PALM = _PALM[MANO.index("thumb1") != _PALM]  # the thumb's base moves

_FINGERS = ("index", "middle", "pinky", "ring", "thumb")
_ROUNDS = 4
"""Of flexion and abduction in turns; exact after the first, unless one of them is at its limit."""


@dataclass(frozen=True, eq=False)
class HandPoses(Record):
    """P hands: ``orient`` (P, 3) rotvec, hand at rest -> the frame of the points; ``pose`` (P, 15, 3) rotvec child ->
    parent, as HandModel.posed takes it; ``angles`` (P, 15, 2) rad, flexion and abduction towards the thumb.
    """

    orient: Floats
    pose: Floats
    angles: Floats


def fit_hand_pose(points: Floats, hand: HandModel) -> HandPoses:
    """The pose of ``hand`` whose bones point as those of ``points`` (P, 21, 3), joints in the order of skeleton.MANO.

    Raises ValueError for a hand model without limits of its fingers, as MANO's own is.
    """
    if hand.fingers is None:
        raise ValueError("the hand model does not say how its fingers bend: use the shipped open_hand.npz")
    rest = _rest(hand)
    points = points.astype(np.float64)
    orient = _palm_rotations(points, rest.points)
    rotations = np.tile(np.eye(3), (len(points), HAND.size - 1, 1, 1))
    angles = np.zeros((len(points), HAND.size - 1, 2))
    world = np.repeat(orient[:, None], len(_FINGERS), 1)
    for phalanx, bones in enumerate(rest.bones, start=1):
        local = (_directions(points, phalanx)[:, :, None] @ world)[:, :, 0]
        angles[:, bones.rows] = bent = _bent(bones, local)
        rotations[:, bones.rows] = turned = finger_rotations(bent, bones.axes)
        world = world @ turned
    return HandPoses(rotmat_to_rotvec(orient), rotmat_to_rotvec(rotations), angles)


@dataclass(frozen=True, eq=False)
class _Bones:
    """One phalanx of each finger at rest: its ``rows`` (5,) among the 15 joints, their ``axes`` (5, 3, 3) and
    ``limits`` (5, 3, 2), and the ``directions`` (5, 3) of the bones in these axes.
    """

    rows: Int64s
    axes: Floats
    limits: Floats
    directions: Floats


@dataclass(frozen=True, eq=False)
class _Rest:
    """A hand at rest: ``points`` (21, 3) m, and its ``bones`` from the knuckles outwards."""

    points: Floats
    bones: tuple[_Bones, ...]


@functools.lru_cache(maxsize=4)
def _rest(hand: HandModel) -> _Rest:
    points = hand.rest_keypoints(np.zeros((1, hand.shapedirs.shape[-1])))[0].astype(np.float64)
    return _Rest(points, tuple(_bones(points, hand, phalanx) for phalanx in (1, 2, 3)))


def _bones(points: Floats, hand: HandModel, phalanx: int) -> _Bones:
    assert hand.fingers is not None, "fit_hand_pose checks it"
    rows = np.array([HAND.index(f"{finger}{phalanx}") - 1 for finger in _FINGERS])
    axes, limits = (part[rows].astype(np.float64) for part in (hand.fingers.axes, hand.fingers.limits))
    return _Bones(rows, axes, limits, np.einsum("fij,fj->fi", axes, _directions(points[None], phalanx)[0]))


def finger_rotations(angles: Floats, axes: Floats) -> Floats:
    """(..., 2) rad flexion and abduction, and axes (..., 3, 3) of HandModel.fingers -> (..., 3, 3) child -> parent."""
    K = skew(axes[..., :2, :])
    angle = angles[..., None, None]
    flexion, abduction = np.moveaxis(np.sin(angle) * K + (1 - np.cos(angle)) * (K @ K) + np.eye(3), -3, 0)
    return np.asarray(abduction @ flexion)


def _palm_rotations(points: Floats, rest: Floats) -> Floats:
    """(P, 3, 3) rotations of the palm at ``rest`` (21, 3) to that of ``points`` (P, 21, 3), of least squares."""
    wrist = MANO.index("wrist")
    moved, still = points[:, _PALM] - points[:, [wrist]], rest[_PALM] - rest[wrist]
    u, _, vt = np.linalg.svd(moved.swapaxes(1, 2) @ still)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)


def _directions(points: Floats, phalanx: int) -> Floats:
    """(P, 5, 3) unit directions of a ``phalanx``, 1 to 3, of each finger; towards z where it has no length."""
    ends: list[Int64s] = [np.array([MANO.index(f"{finger}{k}") for finger in _FINGERS]) for k in (phalanx, phalanx + 1)]
    bones = points[:, ends[1]] - points[:, ends[0]]
    length = np.linalg.norm(bones, axis=-1, keepdims=True)
    return np.where(length > 0, bones / np.where(length > 0, length, 1), np.array([0.0, 0.0, 1.0]))


def _bent(bones: _Bones, target: Floats) -> Floats:
    """(P, 5, 2) flexion and abduction that rotate ``bones`` at rest towards ``target`` (P, 5, 3), within limits.

    In a joint's own axes flexion is a rotation about x, abduction one about y, and the bone lies along z.
    """
    limits, u = bones.limits, bones.directions
    d = (bones.axes @ target[..., None])[..., 0]
    flexion = np.clip(np.arcsin(np.clip(-d[..., 1] * np.sign(u[..., 2]), -1, 1)), limits[:, 0, 0], limits[:, 0, 1])
    abduction = np.zeros_like(flexion)
    for _ in range(_ROUNDS):
        x, z = u[..., 0], u[..., 1] * np.sin(flexion) + u[..., 2] * np.cos(flexion)
        abduction = _wrapped(np.arctan2(d[..., 0], d[..., 2]) - np.arctan2(x, z))
        abduction = np.clip(abduction, limits[:, 1, 0], limits[:, 1, 1])
        y, z = d[..., 1], d[..., 0] * np.sin(abduction) + d[..., 2] * np.cos(abduction)
        flexion = _wrapped(np.arctan2(z, y) - np.arctan2(u[..., 2], u[..., 1]))
        flexion = np.clip(flexion, limits[:, 0, 0], limits[:, 0, 1])
    return np.stack([flexion, abduction], -1)


def _wrapped(angle: Floats) -> Floats:
    """Angles in [-pi, pi)."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)
