# SPDX-License-Identifier: Apache-2.0
"""The images of a data set, found by the names that annotations give them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.geometry import crop
from hmr_ros.training.real.image_size import size_of_header

DIRECTORIES = ("", "images", "imageFiles")
"""Where names may start, below the directory of the data set."""

FRAME = ".mp4#"
"""Before the number of a frame, in the names of SURREAL's images."""

_READ = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
"""Annotations are of the pixels as stored, whatever the EXIF tag says."""


@dataclass(frozen=True)
class ImageDirectory:
    """Images below ``root``."""

    root: Path

    def find(self, name: str) -> Path | None:
        """The file called ``name``, None where it is not there; of a video's frame ``name#number`` the video."""
        candidates = (self.root / directory / _file_of(name) for directory in DIRECTORIES)
        return next((path for path in candidates if path.is_file()), None)

    def check(self, names: Iterable[str]) -> None:
        """FileNotFoundError where images are missing: how many, and the first of them."""
        wanted = sorted(set(names))
        if missing := [name for name in wanted if self.find(name) is None]:
            raise FileNotFoundError(
                f"{self.root}: {len(missing)} of {len(wanted)} images are missing, the first is {missing[0]}; "
                "docs/datasets.md tells where they lie"
            )

    def read(self, name: str) -> Image:
        """(H, W, 3) uint8 RGB. FileNotFoundError names what is missing, ValueError what is no image."""
        path = self.find(name)
        if path is None:
            raise FileNotFoundError(
                f"{self.root}: no image {name}, nor in images/ or imageFiles/; docs/datasets.md tells where images lie"
            )
        image = _frame(path, int(name.rpartition(FRAME)[2])) if FRAME in name else cv2.imread(str(path), _READ)
        if image is None:
            raise ValueError(f"{path}: not an image that OpenCV reads")
        return np.asarray(image[..., ::-1], np.uint8)

    def size(self, name: str) -> tuple[int, int]:
        """Width and height of an image in px."""
        path = self.find(name)
        if path is not None and (size := size_of_header(path)) is not None:
            return size
        height, width = self.read(name).shape[:2]
        return width, height

    def crops(self, names: NDArray[np.str_], boxes: Floats, shape: tuple[int, int]) -> Image:
        """(B, *shape, 3) uint8 RGB: what ``boxes`` (B, 4) px show of the images, black beyond them."""
        height, width = shape
        out = np.zeros((len(names), height, width, 3), np.uint8)
        affine = crop.crop_from_image(boxes, width, height)
        for row, name in enumerate(names.tolist()):
            out[row] = _warped(self.read(name), affine[row], width, height)
        return out


def _file_of(name: str) -> str:
    """``name`` without the number of a frame."""
    return name.rpartition("#")[0] if FRAME in name else name


def _frame(path: Path, number: int) -> NDArray[np.uint8] | None:
    """(H, W, 3) uint8 BGR frame ``number`` of a video, from 0; None where it has none."""
    video = cv2.VideoCapture(str(path))
    video.set(cv2.CAP_PROP_POS_FRAMES, number)
    found, image = video.read()
    video.release()
    return np.asarray(image, np.uint8) if found else None


def _warped(image: Image, affine: Floats, width: int, height: int) -> Image:
    """``image`` under ``affine`` (2, 3), averaged over pixels where it gets smaller."""
    shrink = 1 / max(float(affine[0, 0]), 1e-6)
    if shrink > 1:  # blur as much as an area filter would, so that nothing aliases
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 * shrink), np.uint8)
    return np.asarray(cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR), np.uint8)
