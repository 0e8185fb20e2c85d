# SPDX-License-Identifier: Apache-2.0
"""The hands of bodies: the record that people carry where their hands are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.records import Record, check_shape

LEFT, RIGHT = 0, 1
"""Columns of the hands of a person."""

_POINTS, _FINGER_JOINTS = 21, 15


@dataclass(frozen=True, eq=False)
class BodyHands(Record):
    """The left and the right hand of P people.

    ``presence`` (P, 2) 0..1, the landmark network's in this image, 0: not seen; ``weights`` (P, 2) 0..1 of what was
    seen of a hand in its pose: 1 while it is seen, falling to 0, the hand at rest, after it was lost; ``angles`` (P, 2,
    15, 2) rad, flexion and abduction towards the thumb (NaN: not known), and ``pose`` (P, 2, 15, 3) rotvec child ->
    parent, of the joints skeleton.HAND but the wrist; ``joint_error`` (P, 2, 21) m, expected distance of joints and
    tips (skeleton.MANO) from the ground truth, relative to the wrist (NaN: unknown); ``joints`` (P, 2, 21, 3) m, those
    points in the optical frame (NaN: unknown).
    """

    presence: Floats
    weights: Floats
    angles: Floats
    pose: Floats
    joint_error: Floats
    joints: Floats

    def __post_init__(self) -> None:
        people = len(self.presence)
        shapes: dict[str, tuple[int, ...]] = {
            "presence": (),
            "weights": (),
            "angles": (_FINGER_JOINTS, 2),
            "pose": (_FINGER_JOINTS, 3),
            "joint_error": (_POINTS,),
            "joints": (_POINTS, 3),
        }
        for name, shape in shapes.items():
            check_shape(self, name, (people, 2, *shape))

    @property
    def known(self) -> Bools:
        """(P, 2) whether a hand is seen, or was so shortly before that its fingers are not yet at rest."""
        return np.asarray(self.weights > 0)

    @property
    def fingers(self) -> Floats:
        """(P, 2, 15, 3) ``pose``, NaN for hands that are not known."""
        return np.where(self.known[..., None, None], self.pose, np.nan)

    @property
    def errors(self) -> Floats:
        """(P, 2) m, mean expected error of a hand's points, relative to its wrist; NaN where it is unknown."""
        return np.asarray(self.joint_error.mean(-1))

    @staticmethod
    def recorded(presence: Floats, fingers: Floats, errors: Floats) -> BodyHands:
        """The hands of a recording: ``presence`` (P, 2), ``fingers`` (P, 2, 15, 3) and ``errors`` (P, 2), NaN unknown.

        Their angles are not known, nor are their joints, until they are posed.
        """
        known: Bools = np.asarray(np.isfinite(fingers).all((-1, -2)))
        rest = BodyHands.at_rest(len(presence))
        return BodyHands(
            np.asarray(presence, np.float32),
            np.asarray(known, np.float32),
            np.where(known[..., None, None], np.float32(np.nan), rest.angles),
            np.where(known[..., None, None], fingers, 0).astype(np.float32),
            np.repeat(errors[..., None], _POINTS, -1).astype(np.float32),
            rest.joints,
        )

    @staticmethod
    def at_rest(people: int) -> BodyHands:
        """The hands of as many ``people``, none of them seen."""
        none = np.zeros((people, 2), np.float32)
        return BodyHands(
            none,
            none,
            np.zeros((people, 2, _FINGER_JOINTS, 2), np.float32),
            np.zeros((people, 2, _FINGER_JOINTS, 3), np.float32),
            np.full((people, 2, _POINTS), np.nan, np.float32),
            np.full((people, 2, _POINTS, 3), np.nan, np.float32),
        )
