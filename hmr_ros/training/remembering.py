# SPDX-License-Identifier: Apache-2.0
"""Photos without labels, on which a trained MoveNet is held to what the untrained one said of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from torch import Tensor

from hmr_ros.core.arrays import Image
from hmr_ros.core.geometry.crop_view import CROP_ASPECT, CROP_SHAPE
from hmr_ros.networks.global_to_pixel.features import Features
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone
from hmr_ros.networks.global_to_pixel.movenet_trunk import Heads
from hmr_ros.training.heatmap_loss import forgetting

SUFFIXES = (".jpg", ".jpeg", ".png")

CROPS_PER_PHOTO = 8

MOST_KEPT = 256
"""Crops of which the first answers are kept, 1 MB each."""

SMALLEST = 0.4
"""Of crops, relative to the largest that fits into the photo."""


@dataclass(frozen=True, eq=False)
class DrawnPhotos:
    """N crops of photos: ``numbers`` that tell each of them, mirrored or not, from all others; ``crops`` (N, 256, 192,
    3) uint8 RGB.
    """

    numbers: tuple[int, ...]
    crops: Tensor


class Remembering:
    """Holds a network to what it said before it was trained.

    What it said of the first ``MOST_KEPT`` crops is kept, as a directory of few photos has few crops.
    """

    def __init__(self, backbone: MoveNetBackbone, photos: Path, count: int) -> None:
        """``backbone`` as it is now is remembered; ``count`` crops of ``photos`` are drawn for each step."""
        self._before = copy.deepcopy(backbone).requires_grad_(False).eval()
        self._crops = torch.from_numpy(photo_crops(photos))
        self._count = count
        self._kept: dict[int, Heads] = {}

    def draw(self) -> DrawnPhotos:
        """Crops for a step. PyTorch's global generator draws them, and which of them are mirrored."""
        rows = torch.randint(len(self._crops), (self._count,))
        crops = self._crops[rows]
        mirrored = torch.rand(self._count, 1, 1, 1) < 0.5
        crops = torch.where(mirrored, crops.flip(2), crops)
        return DrawnPhotos(tuple((2 * rows + mirrored.flatten()).tolist()), crops)

    def loss(self, heads: Heads, drawn: DrawnPhotos) -> Tensor:
        """Scalar: how far ``heads`` are from what the network said of the crops ``drawn`` before."""
        self._before.to(heads.centre.device)
        before = [self._of(number, crop) for number, crop in zip(drawn.numbers, drawn.crops, strict=True)]
        return forgetting(heads, Heads(*(torch.cat(maps) for maps in zip(*before, strict=True))))

    @torch.no_grad()
    def _of(self, number: int, crop: Tensor) -> Heads:
        """What was said of one ``crop`` (256, 192, 3); one row."""
        if number in self._kept:
            return self._kept[number]
        features: Features = self._before(crop[None].to(self._before.scale.device))
        heads = features.heads
        assert heads is not None, "MoveNet has heads"
        if len(self._kept) < MOST_KEPT:
            self._kept[number] = heads
        return heads


def photo_crops(directory: Path) -> Image:
    """(N, 256, 192, 3) uint8 RGB: random parts of the photos of a directory, always the same.

    Raises ValueError for a directory without photos, and for one that cannot be read, naming it.
    """
    files = sorted(f for f in directory.rglob("*") if f.suffix.lower() in SUFFIXES)
    if not files:
        raise ValueError(f"crops.photos: {directory}: expected photos ({', '.join(SUFFIXES)}), found none")
    rng = default_rng(0)
    return np.stack([_part(photo, rng) for photo in map(_read, files) for _ in range(CROPS_PER_PHOTO)])


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"crops.photos: {path}: not an image OpenCV can read; remove it")
    return np.asarray(image[..., ::-1], np.uint8)


def _part(photo: Image, rng: Generator) -> NDArray[np.uint8]:
    """One random part of the crop's aspect, reduced or enlarged to its shape."""
    largest = min(photo.shape[0], photo.shape[1] / CROP_ASPECT)
    height = largest * rng.uniform(SMALLEST, 1)
    rows, columns = max(1, int(height)), max(1, int(height * CROP_ASPECT))
    top = int(rng.integers(photo.shape[0] - rows + 1))
    left = int(rng.integers(photo.shape[1] - columns + 1))
    part = np.ascontiguousarray(photo[top : top + rows, left : left + columns])
    return np.asarray(cv2.resize(part, CROP_SHAPE[::-1], interpolation=cv2.INTER_AREA), np.uint8)
