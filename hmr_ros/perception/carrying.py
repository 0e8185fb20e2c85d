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


def carried_person(
    box: Floats, kp2d: Floats, depth_m: float, motion: Transform, camera: Camera
) -> tuple[Floats, Floats]:
    """``box`` (4,) and keypoints ``kp2d`` (J, 2), px, of a person after ``motion``, as in ``carried_pixels``."""
    pixels = np.concatenate([kp2d, box[_CORNERS].reshape(4, 2)])
    moved = carried_pixels(pixels, depth_m, motion, camera)
    sides = [moved[-4:][rows, k].mean() for rows, k in _SIDES]
    return np.array(sides, box.dtype), moved[:-4].astype(kp2d.dtype)


def carried_pixels(pixels: Floats, depth_m: float, motion: Transform, camera: Camera) -> Floats:
    """(J, 2) px at one depth, infinite where it is not known -> (J, 2) px after ``motion``, optical to optical."""
    rays = _filled(undistort_points(pixels, camera), (pixels - camera.K[:2, 2]) / np.diag(camera.K)[:2])
    rays = np.concatenate([rays, np.ones_like(rays[:, :1])], 1)
    points = rays @ motion.rotation.T + motion.translation / depth_m
    aside = np.maximum(np.linalg.norm(points[:, :2], axis=1), 1e-9)
    normalized = points[:, :2] / np.where(_WIDEST * points[:, 2] > aside, points[:, 2], aside / _WIDEST)[:, None]
    return _filled(distort(normalized, camera), normalized) @ camera.K[:2, :2].T + camera.K[:2, 2]


def _filled(values: Floats, others: Floats) -> Floats:
    """``values`` (J, 2), and ``others`` where the lens does not say: far out of the image."""
    return np.where(np.isfinite(values), values, others)
