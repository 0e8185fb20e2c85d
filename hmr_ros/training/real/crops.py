# SPDX-License-Identifier: Apache-2.0
"""Draws people of a data set with their images, as ``training/synthetic/images`` draws rendered ones."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hmr_ros.core.geometry.crop import pad_to_aspect
from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.cameras import network_boxes
from hmr_ros.training.real.images import ImageDirectory
from hmr_ros.training.real.labels import LabelledImages
from hmr_ros.training.real.people import AnnotatedSampler
from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH, MARGIN
from hmr_ros.training.synthetic.subjects import joint_pixels


class AnnotatedImages:
    """Draws ``LabelledImages`` of the people of ``sampler``."""

    def __init__(self, people: AnnotatedPeople, sampler: AnnotatedSampler, images: ImageDirectory) -> None:
        self._people, self._sampler, self._images = people, sampler, images

    def sample(self, rng: Generator, count: int) -> LabelledImages:
        """``count`` people, each as likely as any other."""
        people = self._people.take(rng.integers(len(self._people), size=count))
        labels = self._sampler.labels(people)
        boxes = network_boxes(people, labels.pixels, labels.visible)
        stored = pad_to_aspect(boxes, CROP_ASPECT, MARGIN)
        pixels = joint_pixels(labels.joints, labels.K)
        size = labels.image_size[:, None]
        nothing = np.zeros(count, np.float32)
        return LabelledImages(
            crops=self._images.crops(people.image, stored, (CROP_HEIGHT, CROP_WIDTH)),
            boxes=boxes.astype(np.float32),
            K=labels.K.astype(np.float32),
            image_size=labels.image_size,
            rotations=labels.rotations.astype(np.float32),
            betas=labels.betas.astype(np.float32),
            joints=labels.joints,
            pixels=labels.pixels.astype(np.float32),
            in_image=labels.in_image,
            visible=labels.visible,
            self_hidden=np.zeros_like(labels.visible),
            joint_pixels=pixels.astype(np.float32),
            joint_visible=((pixels >= 0) & (pixels < size)).all(-1) & labels.fitted[:, None],
            occlusion=nothing,
            truncation=nothing,
            kind=labels.kind,
            clip=labels.clip,
            fitted=labels.fitted,
        )
