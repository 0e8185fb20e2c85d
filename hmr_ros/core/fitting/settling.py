# SPDX-License-Identifier: Apache-2.0
"""Bodies on the ground as they are shown, after all that moves them a little: smoothing, mean shapes, known sizes.

No person stands under the ground: who was placed on it is raised until the lower sole is on it. Legs whose feet are
not seen are a guess, so they give way: they bend or stretch until the foot is on the ground, as far as a leg can reach.
What the image shows stays where it is.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.ground import Soles
from hmr_ros.core.fitting.legs import LEGS, Legs
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Estimates

_SUNK_M = 0.05
"""People are raised out of a ground that is known better than this."""

_DOUBT = 0.4
"""Standard deviation of how far people are raised, as a fraction of it: the leg may be wrong instead of the root."""

_FARTHEST_M = 0.4
"""No unseen foot is moved farther than this: who seems to hover higher sits, or climbed on something."""

_UPRIGHT = float(np.cos(np.deg2rad(35)))
"""Cosine of the angle between trunk and upright up to which people stand on unseen feet."""


class Settling:
    """Puts the bodies of one body model on the ground."""

    def __init__(self, body_model: BodyModel, soles: Soles) -> None:
        self._body_model = body_model
        self._soles = soles

    def __call__(self, people: Estimates, placed: Bools, feet_seen: Bools, ground: Ground) -> Estimates:
        """``people`` (P,) on the ``ground``.

        ``placed`` (P,): by their contact with it; ``feet_seen`` (P, 2): left and right; the others are a guess.
        """
        rows = np.flatnonzero(people.valid)
        if not len(rows):
            return people
        some, seen = people.take(rows), feet_seen[rows]
        soles = self._soles(some) + some.cam_t[:, None, None]
        lowest = np.take_along_axis(soles, (soles @ ground.up).argmin(2)[..., None, None], 2)[:, :, 0]
        height = np.asarray(ground.elevation(lowest))
        lift = _lifts(lowest, height, seen & placed[rows, None], ground)
        raised = dataclasses.replace(
            some,
            cam_t=some.cam_t + lift[:, None] * ground.up,
            root_covariance=some.root_covariance + (_DOUBT * lift[:, None, None]) ** 2 * np.outer(ground.up, ground.up),
        )
        return people.with_rows(rows, self._reached(raised, height + lift[:, None], seen, ground))

    def _reached(self, people: Estimates, height: Floats, seen: Bools, ground: Ground) -> Estimates:
        """``people`` with their unseen feet, ``height`` (P, 2) m above the ``ground``, on it; they are all valid."""
        move = _moves(height, seen)
        pose = np.concatenate([people.global_orient[:, None], people.body_pose], 1).astype(np.float64)
        upright = rotvec_to_rotmat(pose[:, 0])[:, :, 1] @ ground.up > _UPRIGHT
        rows = np.flatnonzero((move != 0).any(1) & upright)
        if not len(rows):
            return people
        rest = self._body_model.rest_joints(people.betas[rows]).astype(np.float64)
        legs = Legs.posed(rotvec_to_rotmat(pose[rows]), rest)
        body_pose = people.body_pose.copy()
        reached = legs.reaching(legs.ankle + move[rows, :, None] * ground.up)
        body_pose[rows[:, None], LEGS - 1] = rotmat_to_rotvec(reached)
        return dataclasses.replace(people, body_pose=body_pose)


def _lifts(lowest: Floats, height: Floats, counts: Bools, ground: Ground) -> Floats:
    """(P,) m: how far to raise people whose ``lowest`` points (P, 2, 3) m of the soles are at ``height`` (P, 2) m.

    Feet that do not count, by ``counts`` (P, 2), may be under the ground. As far as the ground is known there.
    """
    certainty = _SUNK_M**2 / (_SUNK_M**2 + ground.deviation(lowest) ** 2)
    return np.asarray((certainty * np.maximum(-height, 0) * counts).max(1))


def _moves(height: Floats, seen: Bools) -> Floats:
    """(P, 2) m: how far to move the feet that are not ``seen`` (P, 2), up or down, by their ``height`` (P, 2) m.

    Out of the ground, each of them; and down to it, where no foot is on it: both alike, as one of them is swung.
    """
    lowest = height.min(1, keepdims=True)
    down = np.where((lowest > 0) & ~np.take_along_axis(seen, height.argmin(1)[:, None], 1), -lowest, 0)
    return np.asarray(np.where(seen, 0, np.clip(np.where(height < 0, -height, down), -_FARTHEST_M, _FARTHEST_M)))
