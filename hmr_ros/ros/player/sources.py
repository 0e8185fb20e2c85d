# SPDX-License-Identifier: Apache-2.0
"""Where ``hmr_player`` gets its images: a video file, a directory of images, a webcam."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Shot:
    """One image (H, W, 3) uint8 BGR; ``new_scene`` when it does not continue the one before it."""

    image: Bgr
    new_scene: bool = False


_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_DIRECTORY_RATE_HZ = 10.0
_DIRECTORY_REPEATS = 10
"""Each image of a directory stays for a second: a person seen once has no id yet."""
_FALLBACK_RATE_HZ = 30.0


class SourceError(ValueError):
    """A source that cannot be played; the message names it and the remedy."""


@dataclass(frozen=True)
class VideoSource:
    """A video file, at its own rate."""

    path: Path
    rate_hz: float
    count: int
    live: bool = False

    def shots(self) -> Iterator[Shot]:
        """Every frame once."""
        with closing(_Capture(str(self.path))) as capture:
            yield from map(Shot, capture.frames())


@dataclass(frozen=True)
class DirectorySource:
    """The images of a directory, by name, a second each; a file that OpenCV cannot read is an error."""

    paths: tuple[Path, ...]
    rate_hz: float = _DIRECTORY_RATE_HZ
    live: bool = False

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.paths) * _DIRECTORY_REPEATS

    def shots(self) -> Iterator[Shot]:
        """Every image for a second."""
        for path in self.paths:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise SourceError(f"{path}: not an image OpenCV can read")
            pixels = np.asarray(image, np.uint8)
            yield Shot(pixels, new_scene=len(self.paths) > 1)
            yield from itertools.repeat(Shot(pixels), _DIRECTORY_REPEATS - 1)


@dataclass(frozen=True)
class WebcamSource:
    """A webcam by its number, at its own pace; it never ends."""

    index: int
    rate_hz: float
    count: int = 0
    live: bool = True

    def shots(self) -> Iterator[Shot]:
        """Frames as they come."""
        with closing(_Capture(self.index)) as capture:
            yield from map(Shot, capture.frames())


Source = VideoSource | DirectorySource | WebcamSource


def open_source(name: str) -> Source:
    """Read ``name`` as a webcam number, a directory or a video or image file. Raises SourceError."""
    if name.isdecimal():
        with closing(_Capture(int(name))) as capture:
            return WebcamSource(int(name), capture.rate_hz)
    path = Path(name).expanduser()
    if path.is_dir():
        images = tuple(sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGE_SUFFIXES))
        if not images:
            raise SourceError(f"{path}: no images in this directory ({', '.join(sorted(_IMAGE_SUFFIXES))})")
        return DirectorySource(images)
    if not path.is_file():
        raise SourceError(
            f"{path}: no such file or directory; give a video, an image, a directory or the number of a webcam"
        )
    if path.suffix.lower() in _IMAGE_SUFFIXES:
        return DirectorySource((path,))
    with closing(_Capture(str(path))) as capture:
        return VideoSource(path, capture.rate_hz, capture.count)


class _Capture:
    """cv2.VideoCapture that says what went wrong."""

    def __init__(self, what: str | int) -> None:
        self._capture = cv2.VideoCapture(what)
        if not self._capture.isOpened():
            if isinstance(what, int):
                raise SourceError(
                    f"cannot open webcam {what}: is it plugged in, free, and may you read /dev/video{what}?"
                )
            raise SourceError(f"{what}: not a video OpenCV can read")

    @property
    def rate_hz(self) -> float:
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        return rate if np.isfinite(rate) and rate > 0 else _FALLBACK_RATE_HZ

    @property
    def count(self) -> int:
        return max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def frames(self) -> Iterator[Bgr]:
        while True:
            ok, frame = self._capture.read()
            if not ok:
                return
            yield np.asarray(frame, np.uint8)

    def close(self) -> None:
        self._capture.release()
