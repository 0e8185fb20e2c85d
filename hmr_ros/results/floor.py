# SPDX-License-Identifier: Apache-2.0
"""The floor under people's feet, by which the scene of a camera is upright where nothing else says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import with_meshes
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.people import Bodies
from hmr_ros.core.skeleton import SMPL
from hmr_ros.results.snapshot import Snapshot

_FEET_NOISE_M, _AXIS_NOISE = 0.3, 0.1
"""Standard deviations: of a foot's height, and of the tangent of the angle between people's mean axis and upright."""
_OFF_FLOOR_M, _ROUNDS = 0.2, 8
"""Feet farther than this from the floor lose most of their weight in it (Geman-McClure)."""

_NEAR = 20
"""So many moments before and after one show where its people stand."""

_SNAPSHOTS = 60
"""So many images say as much about the floor as all of a recording."""


@dataclass(frozen=True, eq=False)
class Floor:
    """A plane in the optical frame: unit normal ``up`` and the ``height`` of its points along it, m."""

    up: Floats
    height: float

    @property
    def axes(self) -> tuple[Floats, Floats]:
        """Unit vectors in the floor: forward from the camera, and to its right."""
        forward = np.array([0.0, 0.0, 1.0]) - self.up[2] * self.up
        forward /= np.linalg.norm(forward)
        return forward, np.cross(forward, self.up)

    @property
    def floor_from_optical(self) -> Transform:
        """Optical frame -> x forward, y to the left, z up; the origin lies on the floor below the camera."""
        forward, right = self.axes
        return Transform(np.stack([forward, -right, self.up]), np.array([0.0, 0.0, -self.height]))

    def below(self, points: Floats) -> Floats:
        """(..., 3) -> the points of the floor under them."""
        return points - ((points @ self.up) - self.height)[..., None] * self.up


LEVEL_CAMERA = Floor(np.array([0.0, -1.0, 0.0]), 0.0)
"""In place of a floor: the horizontal plane through the camera, if that looks straight ahead."""


def estimate_floor(bodies: Sequence[Bodies]) -> Floor | None:
    """The plane nearest to where people's feet are, assuming that people are upright. None without people.

    Robust least squares for the height and two small tilts of the mean body axis; one person alone leaves that axis as
    it is.
    """
    if not any(b.valid.any() for b in bodies):
        return None
    joints = np.concatenate([b.joints[b.valid] for b in bodies]).astype(np.float64)
    ankles = joints[:, [SMPL.index("left_ankle"), SMPL.index("right_ankle")]].mean(1)
    up = np.median(joints[:, SMPL.index("neck")] - ankles, 0)
    up /= np.linalg.norm(up)
    soles = np.concatenate([_lowest_points(b.vertices[b.valid], up) for b in bodies])

    forward, right = Floor(up, 0.0).axes
    sideways = np.stack([forward, right])
    system = np.concatenate([soles @ sideways.T, -np.ones((len(soles), 1))], 1)
    # One camera may see all people lean towards it or away, but not to one side. And the same people in other images
    # err alike: many feet of few people, side by side, say little about a tilt to the side.
    repeats = len(soles) / max(int(b.valid.sum()) for b in bodies)
    prior = _FEET_NOISE_M / _AXIS_NOISE * np.diag([1.0, np.sqrt(repeats), 0.0])
    rows, target = np.concatenate([system, prior]), np.concatenate([-soles @ up, np.zeros(3)])
    weight = np.ones(len(soles))
    for _ in range(_ROUNDS):
        root = np.sqrt(np.concatenate([weight, np.ones(3)]))
        *tilts, height = np.linalg.lstsq(rows * root[:, None], target * root, rcond=None)[0]
        off = (system @ [*tilts, height] + soles @ up) / _OFF_FLOOR_M
        weight = 1 / (1 + off * off) ** 2
    tilted = up + tilts @ sideways
    length = np.linalg.norm(tilted)
    return Floor(tilted / length, float(height / length))


def floor_at(bodies: Sequence[Bodies], moment: int) -> Floor | None:
    """The floor under people's feet at one of the moments in their order, by those around it. None without people.

    A ground that is estimated moves as it gets better: people of other times stand on another one.
    """
    return estimate_floor(bodies[max(moment - _NEAR, 0) : moment + _NEAR + 1])


def floor_of(snapshots: Sequence[Snapshot], body_model: BodyModel) -> Floor:
    """The floor under the people of some of the ``snapshots``; LEVEL_CAMERA without any."""
    chosen = snapshots[:: max(1, len(snapshots) // _SNAPSHOTS)]
    return estimate_floor([with_meshes(each.shown, body_model) for each in chosen]) or LEVEL_CAMERA


def _lowest_points(vertices: Floats, up: Floats) -> Floats:
    """(P, V, 3) -> (P, 3) the vertex of each body that lies lowest."""
    lowest = vertices[np.arange(len(vertices)), (vertices @ up).argmin(1)]
    return np.asarray(lowest, np.float64)
