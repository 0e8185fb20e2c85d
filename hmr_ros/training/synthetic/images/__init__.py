# SPDX-License-Identifier: Apache-2.0
"""Synthetic images of clothed people, with exact labels, for training networks that read images."""

from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH, MARGIN, ImageBatch
from hmr_ros.training.synthetic.images.sampler import ImageMix, ImageSampler

__all__ = ["CROP_HEIGHT", "CROP_WIDTH", "MARGIN", "ImageBatch", "ImageMix", "ImageSampler"]
