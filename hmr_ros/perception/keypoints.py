# SPDX-License-Identifier: Apache-2.0
"""Detections -> the keypoints that a estimating network and the placement of its bodies read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.camera import undistort_points
from hmr_ros.core.geometry.virtual_camera import MIN_KEYPOINTS
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import JOINT_SETS, JointSet, convert_keypoints


@dataclass(frozen=True)
class KeypointOptions:
    """``threshold``: weaker keypoints count as missing. ``minimum``: fewer seen keypoints place nobody."""

    threshold: float = 0.3
    minimum: int = MIN_KEYPOINTS


@dataclass(frozen=True, eq=False)
class SeenKeypoints:
    """Keypoints of P people in the joint set of a network.

    ``pixels`` (P, J, 2) of the image; ``normalized`` (P, J, 2) undistorted, x/z and y/z; ``score`` (P, J), 0 where
    missing; ``placing_score`` (P, J): the same, 0 also for people of whom too few are seen to say where they are.
    """

    pixels: Floats
    normalized: Floats
    score: Floats
    placing_score: Floats


def seen_keypoints(
    detections: Detections, camera: Camera, joint_set: JointSet, options: KeypointOptions
) -> SeenKeypoints:
    """Keypoints of ``joint_set``; those that the lens cannot have seen count as missing, too."""
    source = JOINT_SETS[detections.joint_set]
    pixels, score = convert_keypoints(detections.kp2d, detections.kp2d_score, source, joint_set)
    normalized = undistort_points(pixels, camera)
    score = np.where((score >= options.threshold) & np.isfinite(normalized).all(-1), score, 0.0)
    enough = (score > 0).sum(1, keepdims=True) >= options.minimum
    return SeenKeypoints(pixels, normalized, score, np.where(enough, score, 0.0))
