# SPDX-License-Identifier: Apache-2.0
"""The training samples of Global-to-Pixel: people in crops, with their keypoints as a detector reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from hmr_ros.core.arrays import Bools, Floats, Image
from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.core.skeleton import JointSet
from hmr_ros.training.config import CropConfig
from hmr_ros.training.global_to_pixel_loss import GroundTruth
from hmr_ros.training.recipes import PeopleSource
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleBatch
from hmr_ros.training.synthetic.subjects import Subjects, cut_crops, moved_boxes

COLOUR = 0.3
"""Changes of single channels, relative to those of the brightness."""


class Batch(NamedTuple):
    """What a step trains on: the input and the ground truth of B people, the first I of them with an image.

    ``image`` (I, 256, 192, 3) uint8 RGB; ``keypoints`` (B, J, 3) crop units and score, 0 where one is missing;
    ``camera`` (B, 3) as in networks/global_to_pixel/crop_camera.py; the others are those of ``GroundTruth``.
    """

    image: Tensor
    keypoints: Tensor
    camera: Tensor
    rotations: Tensor
    betas: Tensor
    crop_cam: Tensor
    joints: Tensor
    anchors: Tensor
    places: Tensor
    visible: Tensor
    fitted: Tensor

    @property
    def ground_truth(self) -> GroundTruth:
        """All but the input."""
        return GroundTruth(*self[3:])

    def rows(self, chosen: Tensor) -> Batch:
        """The people of row numbers ``chosen``, all with an image, or none."""
        return Batch(self.image[chosen] if len(self.image) else self.image, *(x[chosen] for x in self[1:]))

    def split(self) -> tuple[Batch, Batch]:
        """The people with an image, and those without."""
        count = len(self.image)
        return Batch(self.image, *(x[:count] for x in self[1:])), Batch(self.image[:0], *(x[count:] for x in self[1:]))


def joined(with_image: Batch, without: Batch) -> Batch:
    """One batch of both; the inverse of ``Batch.split``."""
    return Batch(with_image.image, *(torch.cat(pair) for pair in zip(with_image[1:], without[1:], strict=True)))


class ImageSource(Protocol):
    """Draws people in rendered images; the same generator draws the same."""

    def sample(self, rng: Generator, count: int) -> ImageBatch:
        """``count`` people."""


class Source(Protocol):
    """Draws either, or both: people with images and more people without."""

    def sample(
        self, rng: Generator, count: int
    ) -> ImageBatch | PeopleBatch | tuple[ImageBatch, PeopleBatch] | tuple[Batch, PeopleBatch]:
        """``count`` people; of both kinds: ``count`` with images; or samples, and people to make samples of."""


@dataclass(frozen=True)
class Mixed:
    """Draws people with images, and ``ratio`` times as many without."""

    images: ImageSource
    people: PeopleSource
    ratio: float

    def sample(self, rng: Generator, count: int) -> tuple[ImageBatch, PeopleBatch]:
        """``count`` people with images, and ``ratio`` times ``count`` without."""
        return self.images.sample(rng, count), self.people.sample(rng, round(self.ratio * count))


@dataclass(frozen=True)
class Observer:
    """Turns drawn people into samples: their crops, and their keypoints with errors as in ``keypoints``."""

    joint_set: JointSet
    crops: CropConfig
    keypoints: KeypointMix

    def augmented(self, drawn: ImageBatch | PeopleBatch, rng: Generator) -> Batch:
        """Samples to train on: boxes moved, images rotated and relit, some people mirrored.

        Some of those in images are without keypoints.
        """
        subjects = _subjects(drawn)
        subjects = subjects.in_boxes(moved_boxes(subjects.boxes, rng, self.crops.box_scale, self.crops.box_shift))
        angles = np.deg2rad(self.crops.roll) * rng.uniform(-1, 1, len(drawn)) if self.crops.roll else None
        moved = None if angles is None else subjects.rolling(angles)
        subjects = subjects if angles is None else subjects.rolled(angles)
        image = relit(_crops(drawn, subjects.boxes, moved), self.crops, rng)
        flip = rng.random(len(drawn)) < self.crops.flip
        subjects = subjects.mirrored(flip, self.joint_set)
        if len(image):
            image[flip] = image[flip, :, ::-1]
        seen = observe(subjects, self.joint_set, self.keypoints, rng)
        score = seen.score
        if isinstance(drawn, ImageBatch):
            score = score * (rng.random((len(drawn), 1)) >= self.crops.without_keypoints)
        return crop_batch(subjects, image, seen.pixels, score)

    def exact(self, drawn: ImageBatch | PeopleBatch, mix: KeypointMix, rng: Generator) -> Batch:
        """Samples to evaluate on: boxes as they are, nobody mirrored, keypoints with the errors of ``mix``."""
        subjects = _subjects(drawn)
        seen = observe(subjects, self.joint_set, mix, rng)
        return crop_batch(subjects, _crops(drawn, subjects.boxes), seen.pixels, seen.score)


def _subjects(drawn: ImageBatch | PeopleBatch) -> Subjects:
    """``drawn`` people in the boxes that a detector would find."""
    return Subjects.of_images(drawn) if isinstance(drawn, ImageBatch) else Subjects.of_people(drawn)


def _crops(drawn: ImageBatch | PeopleBatch, boxes: Floats, moved: Floats | None = None) -> Image:
    """(B, 256, 192, 3) what ``boxes`` (B, 4) px show of images ``moved`` (B, 2, 3); none of people without an image."""
    if isinstance(drawn, ImageBatch):
        return cut_crops(drawn, boxes, moved)
    return np.zeros((0, *CROP_SHAPE, 3), np.uint8)


def relit(images: Image, crops: CropConfig, rng: Generator) -> Image:
    """``images`` (B, H, W, 3) in other light, a little of another colour, and with noise, as far as chance says."""
    if not len(images) or not (crops.light or crops.noise):
        return images
    count = (len(images), 1, 1)
    gain = 1 + crops.light * (rng.uniform(-1, 1, (*count, 1)) + COLOUR * rng.uniform(-1, 1, (*count, 3)))
    out: Floats = np.asarray(images * gain, np.float32)
    if crops.noise:
        deviation = crops.noise * rng.random((*count, 1), np.float32)
        out = out + deviation * rng.standard_normal(out.shape, np.float32)
    return np.asarray(out.clip(0, 255), np.uint8)


def crop_batch(subjects: Subjects, image: Image, pixels: Floats, score: Floats) -> Batch:
    """B ``subjects`` in the crop camera's axes and crop units.

    ``image`` (I, 256, 192, 3); ``pixels`` (B, J, 2) px and ``score`` (B, J) are the detected keypoints.
    """
    view = subjects.view
    rotate = view.crop_from_optical
    rotations = subjects.rotations.copy()
    rotations[:, 0] = rotate @ rotations[:, 0]
    relative = subjects.joints - subjects.joints[:, :1]
    keypoints = np.concatenate([view.to_crop_units(pixels), score[..., None]], -1)
    keypoints[score == 0] = 0
    arrays: tuple[Floats | Bools, ...] = (
        keypoints,
        view.camera,
        rotations,
        subjects.betas,
        subjects.crop_cam,
        relative @ rotate.transpose(0, 2, 1),
        view.to_crop_units(subjects.joint_pixels()),
        view.to_crop_units(subjects.pixels),
        subjects.visible,
        subjects.fitted,
    )
    return Batch(torch.from_numpy(image), *(torch.from_numpy(a.astype(np.float32)) for a in arrays))
