# SPDX-License-Identifier: Apache-2.0
"""The record that a training step reads: images of people, cut out, and everything that is true of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Bools, Float32s, Int64s
from hmr_ros.core.records import Record

CROP_HEIGHT, CROP_WIDTH = 320, 240
"""Size of stored crops, px."""
MARGIN = 1.25
"""Stored crops show this many times the network's box at the network's own scale (256 x 192 for the box), so training
may shift and scale what it cuts from them.
"""


@dataclass(frozen=True, eq=False)
class ImageBatch(Record):
    """B labelled people in images; metres, the camera's optical frame, and pixels of the full image.

    ``crops`` (B, 320, 240, 3) uint8 RGB: MARGIN times ``boxes``, black beyond the image; ``boxes`` (B, 4) the network's
    box x1 y1 x2 y2; ``K`` (B, 3, 3) and ``image_size`` (B, 2) width, height of the full image; ``rotations`` (B, 24, 3,
    3): the root to optical, the others child to parent; ``betas`` (B, 10); ``joints`` (B, 24, 3); ``pixels`` (B, J, 2)
    true keypoints; ``in_image`` (B, J) those that lie in the image; ``visible`` (B, J) those that neither its border
    nor another person or thing hides; ``self_hidden`` (B, J) those behind the person's own body; ``joint_pixels`` (B,
    24, 2), ``joint_visible`` (B, 24) the same of the SMPL joints; ``occlusion`` (B,) fraction of the silhouette inside
    the image that is hidden; ``truncation`` (B,) fraction of the body's vertices outside of the image; ``kind`` (B,)
    PoseKind; ``clip`` (B,) the motion clip each pose began as.
    """

    crops: NDArray[np.uint8]
    boxes: Float32s
    K: Float32s
    image_size: Int64s
    rotations: Float32s
    betas: Float32s
    joints: Float32s
    pixels: Float32s
    in_image: Bools
    visible: Bools
    self_hidden: Bools
    joint_pixels: Float32s
    joint_visible: Bools
    occlusion: Float32s
    truncation: Float32s
    kind: Int64s
    clip: Int64s

    def __post_init__(self) -> None:
        if self.crops.shape[1:] != (CROP_HEIGHT, CROP_WIDTH, 3):
            raise ValueError(f"crops: expected (B, {CROP_HEIGHT}, {CROP_WIDTH}, 3), got {self.crops.shape}")
        lengths = {f.name: len(getattr(self, f.name)) for f in dataclasses.fields(self)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"ImageBatch: expected fields of one length, got {lengths}")

    @property
    def known(self) -> Bools:
        """(B,) people of whom pose and shape are known: of synthetic ones all."""
        return np.ones(len(self), np.bool_)
