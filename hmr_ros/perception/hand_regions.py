# SPDX-License-Identifier: Apache-2.0
"""The arithmetic around MediaPipe's hand networks: regions, crops, and what the networks answer.

A *region* is the square of the image that a network looks at, as two points (2, 2) px: its centre, and the middle of
the edge that the fingers point to. So a region rotates with the hand and no angle is needed.
Constants are those of MediaPipe's holistic_landmark and hand_landmark graphs. Points are in px as CameraInfo counts
them: pixel centres are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Floats, Image
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import MANO
from hmr_ros.perception.regions import cut, image_from_crop

LANDMARKS_SIZE, RECROP_SIZE = 224, 256
"""Sides of the networks' inputs, px."""

_WRIST = MANO.index("wrist")
_KNUCKLES = [MANO.index(f"{finger}1") for finger in ("index", "middle", "ring")]
_PALM = [MANO.index(joint) for joint in MANO.joints if not joint.endswith(("3", "4")) or joint == "thumb3"]
"""Points whose box is the next region: those of the palm and the lower phalanges, which move less than the tips."""

_NEXT_SCALE, _SHIFT = 2.0, 0.1
_BODY_SCALE = 2.7


@dataclass(frozen=True, eq=False)
class HandLandmarks(Record):
    """Answers of the landmark network for N regions.

    ``points`` (N, 21, 2) px of the full image, in the order of skeleton.MANO; ``world`` (N, 21, 3) m about the middle
    of the hand, the network's own estimate, in axes parallel to the image's (x right, y down, z away); ``presence``
    (N,) 0..1 that there is a hand; ``right`` (N,) 0..1 that it is a right one.
    """

    points: Floats
    world: Floats
    presence: Floats
    right: Floats

    @staticmethod
    def empty() -> HandLandmarks:
        """No answers."""
        none = np.zeros(0, np.float32)
        return HandLandmarks(
            np.zeros((0, MANO.size, 2), np.float32), np.zeros((0, MANO.size, 3), np.float32), none, none
        )


def regions_of_body(wrist: Floats, index: Floats, pinky: Floats) -> Floats:
    """Rough regions (N, 2, 2) px of hands from the body's keypoints (N, 2) px: wrist, index and little finger."""
    middle = (2 * index + pinky) / 3
    ahead = middle - wrist
    centre = middle + 2 * _SHIFT * ahead
    return np.stack([centre, centre + _BODY_SCALE * ahead], 1)


def regions_of_recrop(answers: Floats, regions: Floats) -> Floats:
    """Regions (N, 2, 2) px from the recrop network's ``answers`` (N, 4) for rough ``regions`` (N, 2, 2) px.

    An answer is two points, px of the crop: the centre of the hand, and a point below it at half its size.
    """
    maps = image_from_crop(regions, RECROP_SIZE)
    points = mapped(maps, answers.reshape(-1, 2, 2))
    ahead = points[:, 0] - points[:, 1]
    centre = points[:, 0] + 2 * _SHIFT * ahead
    return np.stack([centre, centre + ahead], 1)


def regions_of_landmarks(points: Floats) -> Floats:
    """Regions (N, 2, 2) px of the next image from ``points`` (N, 21, 2) px of this one."""
    index, middle, ring = (points[:, knuckle] for knuckle in _KNUCKLES)
    ahead = ((index + ring) / 2 + middle) / 2 - points[:, _WRIST]
    up = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
    axes = np.stack([np.stack([-up[:, 1], up[:, 0]], 1), up], 1)  # (N, 2, 2): right and up
    palm = points[:, _PALM] @ axes.swapaxes(1, 2)
    low, high = palm.min(1), palm.max(1)
    size = high - low
    centre = (low + high) / 2
    centre[:, 1] += _SHIFT * size[:, 1]
    centre = (centre[:, None] @ axes)[:, 0]
    half = _NEXT_SCALE / 2 * size.max(1, keepdims=True)
    return np.stack([centre, centre + half * up], 1)


def region_sides(regions: Floats) -> Floats:
    """(N,) px, the sides of ``regions`` (N, 2, 2) px."""
    return np.asarray(2 * np.linalg.norm(regions[:, 1] - regions[:, 0], axis=1))


def mapped(maps: Floats, points: Floats) -> Floats:
    """``points`` (N, J, 2) under ``maps`` (N, 2, 3)."""
    return np.asarray(np.einsum("nij,nkj->nki", maps[:, :, :2], points) + maps[:, None, :, 2])


def crops(image: Image, regions: Floats, size: int) -> NDArray[np.uint8]:
    """(N, size, size, 3) patches of ``image`` (H, W, 3), black outside of it, for ``regions`` (N, 2, 2) px."""
    return cut(image, image_from_crop(regions, size), size, cv2.BORDER_CONSTANT)


def decode_landmarks(
    landmarks: Float32s, world: Float32s, presence: Float32s, right: Float32s, regions: Floats
) -> HandLandmarks:
    """The landmark network's outputs (N, 63), (N, 63), (N, 1) and (N, 1) for ``regions`` (N, 2, 2) px."""
    maps = image_from_crop(regions, LANDMARKS_SIZE)
    points = mapped(maps, landmarks.reshape(-1, MANO.size, 3)[..., :2])
    axes = maps[:, :, :2] / np.linalg.norm(maps[:, :, :1], axis=1, keepdims=True)
    metric = world.reshape(-1, MANO.size, 3).copy()
    metric[..., :2] = metric[..., :2] @ axes.swapaxes(1, 2)
    return HandLandmarks(
        points.astype(np.float32), metric.astype(np.float32), presence[:, 0].astype(np.float32), right[:, 0]
    )


def hand_sizes(points: Floats) -> Floats:
    """(..., 21, 2) px -> (...) px: the diagonals of the boxes around hands."""
    return np.asarray(np.linalg.norm(points.max(-2) - points.min(-2), axis=-1))
