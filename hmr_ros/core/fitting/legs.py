# SPDX-License-Identifier: Apache-2.0
"""Legs that reach for a point: hip and knee are rotated until the ankle is there, while the foot keeps its direction.

The usual inverse kinematics of two bones: the knee bends until the leg is as long as the way, then the hip rotates it
there by the smallest rotation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.rotation import cross, rotation_between, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL

_HIPS, _KNEES, ANKLES = (
    [SMPL.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("hip", "knee", "ankle")
)
LEGS = np.array([*_HIPS, *_KNEES, *ANKLES])
"""(6,) the joints whose rotations change."""

_STRAIGHT = 0.999
"""Longest leg that is made, as a fraction of its bones: near that, a millimetre takes degrees of the knee."""


@dataclass(frozen=True, eq=False)
class Legs:
    """Two legs each of N people, around the pelvis: positions (N, 2, 3) m, and bones as rotations (N, 2, 3, 3)."""

    pelvis: Floats
    hip: Floats
    knee: Floats
    ankle: Floats
    thigh: Floats
    shank: Floats
    foot: Floats

    @staticmethod
    def posed(rotations: Floats, rest: Floats) -> Legs:
        """Of bodies with ``rotations`` (N, 24, 3, 3), the root's first, and joints ``rest`` (N, 24, 3) m at rest."""
        pelvis = rotations[:, None, 0]
        thigh = pelvis @ rotations[:, _HIPS]
        shank = thigh @ rotations[:, _KNEES]
        hip = _rotated(pelvis, rest[:, _HIPS] - rest[:, :1])
        knee = hip + _rotated(thigh, rest[:, _KNEES] - rest[:, _HIPS])
        ankle = knee + _rotated(shank, rest[:, ANKLES] - rest[:, _KNEES])
        return Legs(pelvis, hip, knee, ankle, thigh, shank, shank @ rotations[:, ANKLES])

    def reaching(self, ankles: Floats) -> Floats:
        """(N, 6, 3, 3) rotations of LEGS, child to parent, with ankles at ``ankles`` (N, 2, 3) m, or as near as can
        be.
        """
        bend = self._bend(np.linalg.norm(ankles - self.hip, axis=-1))
        ahead = self.knee + _rotated(bend, self.ankle - self.knee) - self.hip
        rotation = rotation_between(ahead, ankles - self.hip)
        thigh, shank = rotation @ self.thigh, rotation @ bend @ self.shank
        local = (_between(self.pelvis, thigh), _between(thigh, shank), _between(shank, self.foot))
        return np.concatenate(local, 1)

    def _bend(self, length: Floats) -> Floats:
        """(N, 2, 3, 3) rotations of the shanks that put the ankle at ``length`` (N, 2) m from the hip.

        The knee is a revolute joint about the x axis of the thigh; it goes on bending to the side that it is bent to.
        The product of both bones, a cosine of its angle, is largest where it is ``folded``.
        """
        up, down = self.hip - self.knee, self.ankle - self.knee
        a2, b2, now2 = (_dot(bone, bone) for bone in (up, down, self.ankle - self.hip))
        bones = np.sqrt(a2) + np.sqrt(b2)
        length = np.minimum(length, np.maximum(_STRAIGHT * bones, np.sqrt(now2)))
        axis = self.thigh[..., 0]
        level = _dot(up, axis) * _dot(down, axis)
        cosine, sine = _dot(up, down) - level, _dot(up, cross(axis, down))
        folded = np.arctan2(sine, cosine)
        wanted = ((a2 + b2 - length * length) / 2 - level) / np.maximum(np.hypot(sine, cosine), 1e-9)
        angle = folded - np.copysign(np.arccos(np.clip(wanted, -1, 1)), folded)
        return rotvec_to_rotmat(angle[..., None] * axis)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(-1))


def _rotated(rotations: Floats, vectors: Floats) -> Floats:
    """(..., 3, 3) times (..., 3)."""
    return np.asarray((rotations @ vectors[..., None])[..., 0])


def _between(parent: Floats, child: Floats) -> Floats:
    """(N, 2, 3, 3) child to parent."""
    return np.asarray(parent.swapaxes(-1, -2) @ child)
