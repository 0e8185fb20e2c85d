# SPDX-License-Identifier: Apache-2.0
"""Postures: what a recorded pose is, by the directions of trunk, thighs, shins and upper arms.

They choose frames to draw more often (``poses``), and group held-out frames (``hmr data coverage``).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL


class Posture(IntEnum):
    """What most of the body does; the first that fits, from the last one back."""

    UPRIGHT = 0
    REACHING = 1
    BENDING = 2
    SEATED = 3
    KNEELING = 4
    RISING = 5
    LYING = 6


_PARTS = {
    "trunk": (("spine3",), (0, 1, 0)),
    "thighs": (("left_hip", "right_hip"), (0, -1, 0)),
    "shins": (("left_knee", "right_knee"), (0, -1, 0)),
    "left arm": (("left_shoulder",), (1, 0, 0)),
    "right arm": (("right_shoulder",), (-1, 0, 0)),
}
"""By name: the joints that rotate it, and its direction in the rest pose."""

_CHUNK = 4096

_SLOPE = 0.3
"""By which a foot may be lower than the other leg's knee on the ground, in lengths of a thigh."""


def posture_of(pose: Floats) -> Int64s:
    """(N,) Posture of each ``pose`` (N, 24, 3), axis-angle with the root upright along +y.

    SEATED: the thighs are raised, on things or low over the ground. KNEELING: a thigh hangs, its shin is level, so a
    knee is down, also on all fours. RISING: the trunk leans far over raised thighs, or far back, on the way up or down.
    """
    found = [_posture(pose[first : first + _CHUNK]) for first in range(0, len(pose), _CHUNK)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _posture(pose: Floats) -> Int64s:
    world = world_rotations(rotvec_to_rotmat(pose))
    up = {name: _height(world, joints, rest) for name, (joints, rest) in _PARTS.items()}
    trunk, thighs, shins = up["trunk"][:, 0], up["thighs"], up["shins"]
    kneeling = _on_a_knee(thighs, shins)
    seated: Bools = np.asarray((thighs > -0.5).all(1))
    reaching = (up["left arm"][:, 0] > 0.5) | (up["right arm"][:, 0] > 0.5)
    of_kind: dict[Posture, Bools] = {
        Posture.LYING: (trunk < 0.35) & (thighs > -0.6).all(1) & ~kneeling,
        Posture.RISING: (trunk < 0.7) & seated,
        Posture.KNEELING: kneeling,
        Posture.SEATED: seated,
        Posture.BENDING: trunk < 0.7,
        Posture.REACHING: reaching,
    }
    return np.select(list(of_kind.values()), [np.int64(kind) for kind in of_kind], np.int64(Posture.UPRIGHT))


def _on_a_knee(thighs: Floats, shins: Floats) -> Bools:
    """(N,) whether a level shin lies about as low as the other leg reaches: a runner's is higher.

    ``thighs`` and ``shins`` (N, 2) sines of their elevation, left and right.
    """
    knee, foot = -thighs, -thighs - shins  # how far below the hips, in lengths of a thigh
    lowest = np.maximum(knee, foot)[:, ::-1]  # of the other leg
    return np.asarray(((knee > 0.5) & (np.abs(shins) < 0.5) & (lowest < knee + _SLOPE)).any(1))


def _height(world: Floats, joints: tuple[str, ...], rest: tuple[int, int, int]) -> Floats:
    """(N, P) the sine of the elevation of each of P parts."""
    rows = [SMPL.index(joint) for joint in joints]
    return np.asarray(world[:, rows, 1] @ np.array(rest, world.dtype))
