# SPDX-License-Identifier: Apache-2.0
"""Hands that are seen -> fingers and wrists of the bodies they belong to, smoothed over time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.finger_skin import FingerSkin
from hmr_ros.core.body.hand_model import SIDES, HandModel
from hmr_ros.core.camera import Camera
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.fitting.hand_pose import finger_rotations
from hmr_ros.core.fitting.wrist import forearms_and_wrists, limited, with_wrists
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, Estimates
from hmr_ros.core.temporal.hand_smoothing import HandPosture, HandSmoother
from hmr_ros.perception.hand_meshes import HandLifter, HandMeshes
from hmr_ros.perception.hands import Hands

_UNSURE, _SURE = 0.5, 0.8
"""Presence of a hand that does not count at all, and of one that counts fully."""
_GOOD_ERROR_M = 0.03
"""Expected error of joints up to which a hand counts fully; twice as much counts a quarter."""
_OTHER_SIDE = 0.1
"""A hand looks like one of the other side where the network gives it less than this to be of its own."""


@dataclass(frozen=True, eq=False)
class WithHands:
    """``estimates`` of P people with the wrists of their hands, and those ``hands``."""

    estimates: Estimates
    hands: BodyHands


class Fingers:
    """Moves fingers and wrists; call it with images in their order."""

    def __init__(self, lifter: HandLifter, body: BodyModel, hand: HandModel) -> None:
        """``hand``: the open hand, either side. Raises ValueError unless it is a hand of this ``body``."""
        if hand.fingers is None:
            raise ValueError("the hand model does not say how its fingers bend: use the shipped open_hand.npz")
        self.hand = hand
        self._lifter = lifter
        self._body = body
        self._skin = FingerSkin(body, hand)
        pair = [hand if hand.side == side else hand.mirrored() for side in SIDES]
        self._axes = np.stack([each.fingers.axes for each in pair if each.fingers is not None]).astype(np.float64)
        self._smoother = HandSmoother()

    def configure(self, smoothing: SmoothingConfig) -> None:
        """Take over how hands are smoothed from the next image on."""
        self._smoother.config = smoothing

    def reset(self) -> None:
        """Forget all hands."""
        self._smoother.reset()

    def __call__(
        self, hands: Hands | None, camera: Camera | None, ids: Ints, estimates: Estimates, stamp_s: float
    ) -> WithHands:
        """The people ``ids`` (P,), all that are tracked, with the ``hands`` that are seen of some of them.

        ``estimates`` of the P people are in the optical frame of ``camera``. None: hands are left out of this image.
        """
        found = BodyHands.at_rest(len(ids))
        forearms, wrists = forearms_and_wrists(estimates)
        seen = HandPosture(found.angles, wrists, found.weights)
        if hands is not None and camera is not None and hands.seen.any():
            lifted = self._lifter(hands, camera)
            people = _rows_of(hands.ids[lifted.rows], ids)
            found = _with_evidence(found, hands, lifted, people)
            seen = _measured(seen, hands, lifted, people, forearms)
        smooth = self._smoother(ids, seen, stamp_s)
        angles = smooth.weights[..., None, None] * smooth.angles
        pose = rotmat_to_rotvec(finger_rotations(angles, self._axes))
        moved = with_wrists(estimates, smooth.wrists, smooth.weights, self._body)
        return WithHands(moved, dataclasses.replace(found, weights=smooth.weights, angles=angles, pose=pose))

    def posed(self, bodies: Bodies, hands: BodyHands) -> Bodies:
        """``bodies`` with the fingers of ``hands``."""
        return self._skin.posed(bodies, hands)


def _rows_of(wanted: Ints, ids: Ints) -> Ints:
    """The row in ``ids`` (P,) of each of the ids ``wanted`` (N,)."""
    rows = {track_id: row for row, track_id in enumerate(ids.tolist())}
    return np.array([rows[track_id] for track_id in wanted.tolist()], np.int64)


def _with_evidence(found: BodyHands, hands: Hands, lifted: HandMeshes, people: Ints) -> BodyHands:
    """``found`` with presence and expected errors of the N ``lifted`` hands, which belong to ``people`` (N,)."""
    sides = lifted.right.astype(np.int64)
    presence, error = found.presence.copy(), found.joint_error.copy()
    presence[people, sides] = hands.scores[lifted.rows, sides]
    error[people, sides] = lifted.joint_error
    return dataclasses.replace(found, presence=presence, joint_error=error)


def _measured(seen: HandPosture, hands: Hands, lifted: HandMeshes, people: Ints, forearms: Floats) -> HandPosture:
    """``seen`` with the postures of the N ``lifted`` hands of ``people`` (N,), weighted by how far they are credible.

    ``forearms`` (P, 2, 3, 3) elbow joint -> optical.
    """
    sides = lifted.right.astype(np.int64)
    orient = rotvec_to_rotmat(lifted.poses.orient.astype(np.float64))
    wrist, possible = limited(forearms[people, sides].swapaxes(-1, -2) @ orient, ~lifted.right)
    possible &= hands.side_scores[lifted.rows, sides] >= _OTHER_SIDE
    certain = np.clip((hands.scores[lifted.rows, sides] - _UNSURE) / (_SURE - _UNSURE), 0, 1)
    error = np.maximum(np.nan_to_num(lifted.joint_error.mean(-1)), 1e-6)  # one that is not known takes nothing away
    weights, angles, wrists = seen.weights.copy(), seen.angles.copy(), seen.wrists.copy()
    weights[people, sides] = np.where(possible, certain * np.minimum((_GOOD_ERROR_M / error) ** 2, 1), 0)
    angles[people, sides], wrists[people, sides] = lifted.poses.angles, wrist
    return HandPosture(angles, wrists, weights)
