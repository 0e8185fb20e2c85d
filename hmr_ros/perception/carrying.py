# SPDX-License-Identifier: Apache-2.0
"""Pixels of an earlier image in the current one, where the camera moved in between and what they show stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.camera import distort, undistort_points
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.people import Camera

_WIDEST = 10.0
"""Largest distance from the optical axis, in normalized image coordinates: points farther out, also those behind the
camera, are out of any image."""


@dataclass(frozen=True, eq=False)
class View:
    """The ``camera`` of an image and its ``pose``; ``depths`` of the tracks' roots, m, by id, in the image before."""

    camera: Camera
    pose: CameraPose
    depths: Mapping[int, float]


_CORNERS = [0, 1, 2, 1, 0, 3, 2, 3]
_SIDES = (([0, 2], 0), ([0, 1], 1), ([1, 3], 0), ([2, 3], 1))
"""Of a box: its corners as columns of x1 y1 x2 y2; the corners, and the coordinate, of each of its sides."""


def carried_people(
    boxes: Floats, kp2d: Floats, depths_m: Floats, motion: Transform, camera: Camera
) -> tuple[Floats, Floats]:
    """``boxes`` (N, B, 4) and keypoints ``kp2d`` (N, J, 2), px, of N people after ``motion``, as in ``carried_pixels``.

    ``depths_m`` (N,).
    """
    people, joints = kp2d.shape[:2]
    corners = boxes[..., _CORNERS].reshape(people, -1, 2)
    moved = carried_pixels(np.concatenate([kp2d, corners], 1), depths_m[:, None, None], motion, camera)
    corners = moved[:, joints:].reshape(*boxes.shape[:2], 4, 2)
    sides = [(corners[..., rows[0], k] + corners[..., rows[1], k]) / 2 for rows, k in _SIDES]
    return np.stack(sides, -1).astype(boxes.dtype), moved[:, :joints].astype(kp2d.dtype)


def carried_pixels(pixels: Floats, depth_m: Floats | float, motion: Transform, camera: Camera) -> Floats:
    """(..., 2) px at depths that broadcast, infinite where they are not known -> (..., 2) px after ``motion``.

    The motion is that of the optical frame.
    """
    rays = _filled(undistort_points(pixels, camera), (pixels - camera.K[:2, 2]) / np.diag(camera.K)[:2])
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    points = rays @ motion.rotation.T + motion.translation / depth_m
    x, y, z = (points[..., k] for k in range(3))
    aside = np.maximum(np.sqrt(x * x + y * y), 1e-9)
    normalized = points[..., :2] / np.where(_WIDEST * z > aside, z, aside / _WIDEST)[..., None]
    return _filled(distort(normalized, camera), normalized) @ camera.K[:2, :2].T + camera.K[:2, 2]


def _filled(values: Floats, others: Floats) -> Floats:
    """``values`` (..., 2), and ``others`` where the lens does not say: far out of the image."""
    return np.where(np.isfinite(values), values, others)
