# SPDX-License-Identifier: Apache-2.0
"""Contact sheets: crops with their labels drawn on them, to look at."""

from __future__ import annotations

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.geometry.crop import apply, crop_from_image
from hmr_ros.core.skeleton import SMPL_PARENTS
from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH, ImageBatch
from hmr_ros.training.synthetic.images.rendering.framing import stored_box

COLUMNS = 8
BONE, VISIBLE, SELF_HIDDEN, HIDDEN = (60, 220, 60), (40, 80, 255), (255, 200, 0), (255, 30, 30)
_FARTHEST_PX = 4000


def contact_sheet(batch: ImageBatch) -> Image:
    """(H, W, 3) uint8 RGB: all crops, COLUMNS per row, with skeletons and keypoints."""
    crops = [labelled(batch, row) for row in range(len(batch))]
    crops += [np.zeros_like(crops[0])] * (-len(crops) % COLUMNS)
    rows = [np.concatenate(crops[first : first + COLUMNS], 1) for first in range(0, len(crops), COLUMNS)]
    return np.concatenate(rows)


def labelled(batch: ImageBatch, row: int) -> Image:
    """One crop with its skeleton, its keypoints in the colour of what hides them, and how much of it is hidden."""
    affine = crop_from_image(stored_box(batch.boxes[row].astype(np.float64)), CROP_WIDTH, CROP_HEIGHT)
    image: Image = batch.crops[row].copy()
    joints = _whole(apply(affine, batch.joint_pixels[row]))
    for joint, parent in enumerate(SMPL_PARENTS[1:].tolist(), start=1):
        cv2.line(image, joints[joint], joints[parent], BONE, 1, cv2.LINE_AA)
    for keypoint, place in enumerate(_whole(apply(affine, batch.pixels[row]))):
        seen = SELF_HIDDEN if batch.self_hidden[row, keypoint] else VISIBLE
        cv2.circle(image, place, 2, seen if batch.visible[row, keypoint] else HIDDEN, -1)
    note = f"hidden {batch.occlusion[row]:.0%}, outside {batch.truncation[row]:.0%}"
    cv2.putText(image, note, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1, cv2.LINE_AA)
    return image


def _whole(points: Floats) -> list[tuple[int, int]]:
    """(N, 2) px as cv2 wants them."""
    return [(int(x), int(y)) for x, y in np.rint(points).clip(-_FARTHEST_PX, _FARTHEST_PX)]
