# SPDX-License-Identifier: Apache-2.0
"""Training samples of Global-to-Pixel on hands: rendered ones in crops, with keypoints as a detector sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.camera import Camera
from hmr_ros.core.geometry.crop import boxes_of_keypoints, crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT, CROP_SHAPE, CropView, translation_to_crop_cam
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.training.recipes.crop_batches import Batch
from hmr_ros.training.synthetic.hands import HandDraws, HandSampler, PlacedHands
from hmr_ros.training.synthetic.images.hands import HandPainter


@dataclass(frozen=True)
class HandCropSampler:
    """Draws open hands, ``painter`` paints them; the same generator draws the same."""

    hand: HandModel
    sampler: HandSampler
    painter: HandPainter

    def sample(self, rng: Generator, count: int, without_keypoints: float, noisy: bool) -> Batch:
        """``count`` hands, a fraction of them ``without_keypoints``; ``noisy``: keypoints have drawn errors."""
        draws = self.sampler.draw(rng, count)
        placed = self.sampler.placed(draws)
        images, cameras = self.painter.paint(rng, draws, placed)
        seen, score = self.sampler.observed(rng, placed) if noisy else (placed.exact, np.ones(placed.exact.shape[:2]))
        score = score * (rng.random((count, 1)) >= without_keypoints)
        return self._batch(draws, placed, (images, cameras), (seen, score))

    def _batch(
        self,
        draws: HandDraws,
        placed: PlacedHands,
        painted: tuple[list[Image], list[Camera]],
        observed: tuple[Floats, Floats],
    ) -> Batch:
        """``painted``: images and cameras; ``observed``: x/z and y/z (B, 21, 2) with scores (B, 21)."""
        images, cameras = painted
        K = np.stack([camera.K for camera in cameras]).astype(np.float64)
        joints = self.hand.posed(draws.orient, draws.pose, draws.betas, draws.wrist).joints
        pixels = _pixels(_projected(placed.joints), K)
        view = _view(pixels, K, cameras)
        rotate = view.crop_from_optical
        rotations = rotvec_to_rotmat(np.concatenate([draws.orient[:, None], draws.pose], 1))
        rotations[:, 0] = rotate @ rotations[:, 0]
        wrist = (rotate @ draws.wrist[..., None])[..., 0]
        seen, score = observed
        keypoints = np.concatenate([view.to_crop_units(_pixels(seen, K)), score[..., None]], -1)
        keypoints[score == 0] = 0
        arrays = (
            keypoints,
            view.camera,
            rotations,
            draws.betas,
            translation_to_crop_cam(wrist, view.height),
            (joints - joints[:, :1]) @ rotate.transpose(0, 2, 1),
            view.to_crop_units(_pixels(_projected(joints), K)),
            view.to_crop_units(pixels),
            np.ones(pixels.shape[:2]),
            np.ones(len(pixels)),
        )
        crops = torch.from_numpy(_cut(images, view.boxes))
        return Batch(crops, *(torch.from_numpy(np.asarray(array, np.float32)) for array in arrays))


def _view(pixels: Floats, K: Floats, cameras: Sequence[Camera]) -> CropView:
    """The boxes around joints ``pixels`` (B, 21, 2) px, in cameras ``K`` (B, 3, 3)."""
    sizes = np.array([(camera.width, camera.height) for camera in cameras])
    around = boxes_of_keypoints(pixels, np.ones(pixels.shape[:2], np.bool_), sizes)
    boxes = pad_to_aspect(around, CROP_ASPECT, BOX_SCALE)
    focal = np.stack([K[:, 0, 0], K[:, 1, 1]], 1)
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 - K[:, :2, 2]) / focal
    return CropView(boxes, centre, (boxes[:, 3] - boxes[:, 1]) / focal[:, 1])


def _cut(images: Sequence[Image], boxes: Floats) -> Image:
    """(B, 256, 192, 3): what ``boxes`` (B, 4) px show of one image each, black outside of it."""
    height, width = CROP_SHAPE
    affine = crop_from_image(boxes, width, height)
    return np.stack(
        [cv2.warpAffine(image, each, (width, height)) for image, each in zip(images, affine, strict=True)]
    ).astype(np.uint8)


def _projected(points: Floats) -> Floats:
    return np.asarray(points[..., :2] / points[..., 2:])


def _pixels(normalized: Floats, K: Floats) -> Floats:
    """(B, N, 2) x/z and y/z -> px of pinhole cameras ``K`` (B, 3, 3)."""
    return np.asarray(normalized @ K[:, :2, :2].swapaxes(1, 2) + K[:, None, :2, 2])
