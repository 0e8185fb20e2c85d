# SPDX-License-Identifier: Apache-2.0
"""A collision capsule for each phalanx of both hands, for planners that hand things over.

The body's own capsules (capsules.py) contain the palm, and fingers as they rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.capsules import Capsules
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.skeleton import HAND, MANO

_STARTS = np.array([MANO.index(joint) for joint in HAND.joints[1:]])
_ENDS = np.array([MANO.index(f"{joint[:-1]}{int(joint[-1]) + 1}") for joint in HAND.joints[1:]])
_PALM = (MANO.index("wrist"), MANO.index("middle1"))
_CONTAINED = 0.95
"""Fraction of a phalanx' vertices within its capsule; the padding contains the others."""


@dataclass(frozen=True, eq=False)
class HandCapsules:
    """``radii`` (15,) m of the phalanges of a hand whose palm is ``palm_m`` long, from the wrist to the middle finger's
    knuckle.
    """

    radii: Floats
    palm_m: float

    @staticmethod
    def of(hand: HandModel) -> HandCapsules:
        """Those of a hand model at rest."""
        points = hand.rest_keypoints(np.zeros((1, hand.shapedirs.shape[-1])))[0].astype(np.float64)
        owner = hand.weights.argmax(1)
        radii = [_radius(hand.v_template[owner == k + 1], points[_STARTS[k]], points[_ENDS[k]]) for k in range(15)]
        return HandCapsules(np.array(radii), float(np.linalg.norm(points[_PALM[1]] - points[_PALM[0]])))

    def posed(self, hands: BodyHands) -> Capsules:
        """The 30 capsules of each person of ``hands``, the left hand's first, with radii of the hand's size."""
        people = len(hands)
        joints = hands.joints.astype(np.float64)
        size = np.linalg.norm(joints[:, :, _PALM[1]] - joints[:, :, _PALM[0]], axis=-1) / self.palm_m
        radii = (size[..., None] * self.radii).reshape(people, 2 * len(self.radii))
        starts, ends = (joints[:, :, rows].reshape(people, -1, 3) for rows in (_STARTS, _ENDS))
        return Capsules(starts, ends, radii)


def _radius(vertices: Floats, start: Floats, end: Floats) -> float:
    """m: how far most ``vertices`` (N, 3) are from the bone from ``start`` to ``end`` (3,)."""
    along = end - start
    t = np.clip((vertices - start) @ along / (along @ along), 0, 1)
    return float(np.quantile(np.linalg.norm(vertices - start - t[:, None] * along, axis=1), _CONTAINED))
