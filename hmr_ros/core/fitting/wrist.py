# SPDX-License-Identifier: Apache-2.0
"""Wrists that a hand's own orientation rotates, within what arms can do.

From a body's keypoints the rotation of its forearms and wrists is a guess; a hand that is seen shows it. The angles
here are those of a right arm, in the body's axes at rest (T-pose: fingers along -x, palm down, thumb towards +z); left
arms are mirrored before and after.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import SIDES
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import SMPL

WRIST_LIMITS = np.radians([[-95.0, 95.0], [-75.0, 85.0], [-40.0, 30.0]])
"""(3, 2) rad: lowest and highest rotation of the forearm about its bone, flexion towards the palm, and abduction
towards the thumb."""

TOLERANCE = np.radians(35.0)
"""A wrist that is beyond its limits by more, all angles together, is a misread hand and not a wrist."""

_FOREARM_SHARE = 0.5
"""What the forearm's skin takes of its rotation; the wrist takes the rest, so that neither is wrung."""

_MIRROR = np.array([[1.0, -1, -1], [-1, 1, 1], [-1, 1, 1]])
_ELBOWS, _WRISTS = (np.array([SMPL.index(f"{side}_{joint}") for side in SIDES]) for joint in ("elbow", "wrist"))


def wrist_angles(rotations: Floats, left: Bools) -> Floats:
    """Wrist -> forearm (..., 3, 3), ``left`` (...) or right -> (..., 3) rad: forearm, flexion, abduction."""
    r = _as_right(rotations, left)
    flexion = np.arcsin(np.clip(-r[..., 0, 1], -1, 1))
    abduction = np.arctan2(r[..., 0, 2], r[..., 0, 0])
    return np.stack([np.arctan2(r[..., 2, 1], r[..., 1, 1]), flexion, abduction], -1)


def wrist_of_angles(angles: Floats, left: Bools) -> Floats:
    """The inverse of ``wrist_angles``: (..., 3) rad -> (..., 3, 3)."""
    (ct, cf, ca), (st, sf, sa) = (np.moveaxis(f(angles), -1, 0) for f in (np.cos, np.sin))
    rows = [
        [cf * ca, -sf, cf * sa],
        [ct * sf * ca + st * sa, ct * cf, ct * sf * sa - st * ca],
        [st * sf * ca - ct * sa, st * cf, st * sf * sa + ct * ca],
    ]
    return _as_right(np.stack([np.stack(row, -1) for row in rows], -2), left)


def limited(rotations: Floats, left: Bools) -> tuple[Floats, Bools]:
    """Wrists (..., 3, 3) within WRIST_LIMITS, and (...) whether they were those of a wrist at all."""
    angles = wrist_angles(rotations, left)
    clipped = np.clip(angles, WRIST_LIMITS[:, 0], WRIST_LIMITS[:, 1])
    return wrist_of_angles(clipped, left), np.asarray(np.abs(angles - clipped).sum(-1) <= TOLERANCE)


def forearms_and_wrists(estimates: Estimates) -> tuple[Floats, Floats]:
    """(P, 2, 3, 3) elbow joint -> optical and (P, 2, 3, 3) wrist -> forearm of people, left first; NaN: not valid."""
    pose = np.concatenate([estimates.global_orient[:, None], estimates.body_pose], 1).astype(np.float64)
    rotations = rotvec_to_rotmat(pose)
    return world_rotations(rotations)[:, _ELBOWS], rotations[:, _WRISTS]


def with_wrists(estimates: Estimates, wrists: Floats, weights: Floats, body_model: BodyModel) -> Estimates:
    """``estimates`` of P people with ``wrists`` (P, 2, 3, 3), wrist -> forearm, by their ``weights`` (P, 2) 0..1.

    A weight of 0 leaves a wrist as it is. The forearm's skin takes half of what the hand rotates about its bone: the
    elbow joint rotates with it, and no joint moves but those of the hand.
    """
    rows, sides = np.nonzero((weights > 0) & estimates.valid[:, None])
    if len(rows) == 0:
        return estimates
    elbows, ends = _ELBOWS[sides] - 1, _WRISTS[sides] - 1
    elbow, body = (rotvec_to_rotmat(estimates.body_pose[rows, joints].astype(np.float64)) for joints in (elbows, ends))
    to_hand = rotmat_to_rotvec(body.swapaxes(-1, -2) @ wrists[rows, sides])
    wrist = body @ rotvec_to_rotmat(weights[rows, sides, None] * to_hand)
    shared = _shared_turns(body, wrist, sides, body_model.rest_joints(estimates.betas[rows]))
    pose = estimates.body_pose.copy()
    pose[rows, elbows] = rotmat_to_rotvec(elbow @ shared)
    pose[rows, ends] = rotmat_to_rotvec(shared.swapaxes(-1, -2) @ wrist)
    return dataclasses.replace(estimates, body_pose=pose)


def _shared_turns(before: Floats, after: Floats, sides: Ints, rest: Floats) -> Floats:
    """(N, 3, 3) what forearms take of their wrists' rotation from ``before`` to ``after``, about their own bones.

    ``rest`` (N, 24, 3) m.
    """
    left = sides == SIDES.index("left")
    turn = wrist_angles(after, left)[:, 0] - wrist_angles(before, left)[:, 0]
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    people = np.arange(len(rest))
    bone = (rest[people, _WRISTS[sides]] - rest[people, _ELBOWS[sides]]).astype(np.float64)
    along = bone / np.linalg.norm(bone, axis=-1, keepdims=True) * np.where(left, 1, -1)[:, None]
    return np.asarray(rotvec_to_rotmat(along * (_FOREARM_SHARE * turn)[:, None]))


def _as_right(rotations: Floats, left: Bools) -> Floats:
    """Rotations (..., 3, 3), the ``left`` (...) ones mirrored in x; float64."""
    return np.asarray(np.where(left[..., None, None], rotations * _MIRROR, rotations), np.float64)
