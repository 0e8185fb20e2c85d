# SPDX-License-Identifier: Apache-2.0
"""People who stand in an image, each in the colours of their clothes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.skeleton import COCO17

WIDTH, HEIGHT = 640, 360
_JOINTS = {
    "nose": (0, -1.2),
    "shoulder": (0.3, -1.0),
    "elbow": (0.45, -0.5),
    "wrist": (0.5, -0.1),
    "hip": (0.2, 0.0),
    "knee": (0.2, 0.8),
    "ankle": (0.2, 1.6),
}
RED, BLUE, BLACK, WHITE = (190, 40, 35), (45, 60, 130), (25, 25, 28), (215, 215, 210)


@dataclass(frozen=True)
class Person:
    """``x`` and ``y`` px of the hips, ``trunk`` px long, in clothes of these RGB colours."""

    x: float
    shirt: tuple[int, int, int]
    trousers: tuple[int, int, int]
    trunk: float = 50.0
    y: float = 180.0


def skeleton(person: Person) -> np.ndarray:
    """(17, 2) px."""
    points = np.zeros((COCO17.size, 2))
    for row, name in enumerate(COCO17.joints):
        side, _, joint = name.partition("_")
        x, y = _JOINTS.get(joint or side, _JOINTS["nose"])
        points[row] = (-x if side == "right" else x, y)
    return points * person.trunk + (person.x, person.y)


def picture(*people: Person, light: float = 1.0) -> Image:
    """(360, 640, 3) RGB of ``people`` on grey ground, later ones in front; ``light`` is a factor of the brightness."""
    image = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
    for person in people:
        joints = dict(zip(COCO17.joints, skeleton(person), strict=True))
        trunk = [joints[f"{side}_{part}"] for side, part in _AROUND]
        for side in ("left", "right"):
            leg = [joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle")]
            cv2.polylines(image, [np.array(leg, np.int32)], False, person.trousers, int(0.3 * person.trunk))
        cv2.fillConvexPoly(image, np.array(trunk, np.int32), person.shirt)
    noisy = light * image + np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


_AROUND = (("left", "shoulder"), ("right", "shoulder"), ("right", "hip"), ("left", "hip"))


def detected(*people: Person) -> Detections:
    """The people as a detector reports them, all joints seen."""
    if not people:
        return Detections.empty("coco17")
    points = np.stack([skeleton(person) for person in people])
    boxes, count = np.concatenate([points.min(1), points.max(1)], 1), len(people)
    return Detections(boxes, np.ones(count), points, np.ones((count, 17)), "coco17", np.full(count, UNTRACKED))
