# SPDX-License-Identifier: Apache-2.0
"""Detections -> the keypoints that a network and the placement of its bodies read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.camera import undistort_points
from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import JOINT_SETS, JointSet, convert_keypoints


@dataclass(frozen=True)
class KeypointOptions:
    """``threshold``: minimum score of a seen keypoint. ``minimum``: seen keypoints that a translation needs."""

    threshold: float = 0.3
    minimum: int = MIN_KEYPOINTS

    @staticmethod
    def of(settings: PerceptionSettings) -> KeypointOptions:
        """The options that ``settings`` ask for."""
        return KeypointOptions(settings.keypoint_threshold, settings.min_keypoints)


@dataclass(frozen=True, eq=False)
class SeenKeypoints:
    """Keypoints of P people in the joint set of a network.

    ``pixels`` (P, J, 2) of the image; ``normalized`` (P, J, 2) undistorted, x/z and y/z; ``score`` (P, J), 0 where
    missing; ``placing_score`` (P, J): the same, and 0 for people with too few seen keypoints for a translation.
    """

    pixels: Floats
    normalized: Floats
    score: Floats
    placing_score: Floats

    def where(self, chosen: Bools, others: SeenKeypoints) -> SeenKeypoints:
        """Those of the ``chosen`` (P,) people, and of the rest what ``others`` say."""
        pairs = zip(vars(self).values(), vars(others).values(), strict=True)
        return SeenKeypoints(*(np.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))


_FOOT = ("ankle", "heel", "toe")
"""Keypoints of a foot, of which a joint set may lack some."""


def feet_seen(detections: Detections, camera: Camera, threshold: float) -> Bools:
    """(P, 2): whether the left and the right foot are in the image, each keypoint with a score of ``threshold``."""
    names = JOINT_SETS[detections.joint_set].joints
    pixels, score = detections.kp2d, detections.kp2d_score
    seen = (score >= threshold) & (pixels >= 0).all(-1) & (pixels <= [camera.width - 1, camera.height - 1]).all(-1)
    feet = [
        [names.index(f"{side}_{part}") for part in _FOOT if f"{side}_{part}" in names] for side in ("left", "right")
    ]
    return np.stack([seen[:, foot].all(1) & bool(foot) for foot in feet], 1)


_FACE = ("nose", "eye", "ear")
_MIN_FACE = 2
"""Keypoints of a seen face: from behind, an ear alone may be."""


def face_seen(detections: Detections, threshold: float) -> Bools:
    """(P,): whether the face is seen, by keypoints with a score of ``threshold``; True where none are of the face."""
    names = JOINT_SETS[detections.joint_set].joints
    face = [row for row, name in enumerate(names) if name.rpartition("_")[2] in _FACE]
    seen = (detections.kp2d_score[:, face] >= threshold).sum(1)
    return np.asarray(seen >= min(_MIN_FACE, len(face)))


def seen_keypoints(
    detections: Detections, camera: Camera, joint_set: JointSet, options: KeypointOptions
) -> SeenKeypoints:
    """Keypoints of ``joint_set``, seen if they reach the threshold and lie where the lens can see."""
    source = JOINT_SETS[detections.joint_set]
    pixels, score = convert_keypoints(detections.kp2d, detections.kp2d_score, source, joint_set)
    return as_seen(pixels, score, camera, options)


def as_seen(pixels: Floats, score: Floats, camera: Camera, options: KeypointOptions) -> SeenKeypoints:
    """Keypoints at ``pixels`` (P, J, 2) with ``score`` (P, J), seen if they reach the threshold in the lens's view."""
    normalized = undistort_points(pixels, camera)
    score = np.where((score >= options.threshold) & np.isfinite(normalized).all(-1), score, 0.0)
    enough = (score > 0).sum(1, keepdims=True) >= options.minimum
    return SeenKeypoints(pixels, normalized, score, np.where(enough, score, 0.0))
