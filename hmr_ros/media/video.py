# SPDX-License-Identifier: Apache-2.0
"""Videos and webcams frame by frame, and video files to write."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import cv2
import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import Bgr, bgr_to_rgb, letterboxed

_FALLBACK_RATE_HZ = 30.0


def without_password(url: str) -> str:
    """``url`` for messages: user and password, which many cameras have there, are left out."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class Capture:
    """An open video file (a path), webcam (its number) or stream (its URL). Raises SourceError where there is none."""

    def __init__(self, what: Path | int | str) -> None:
        self._capture = cv2.VideoCapture(what if isinstance(what, int) else str(what))
        if not self._capture.isOpened():
            if isinstance(what, int):
                raise SourceError(
                    f"cannot open webcam {what}: is it plugged in, free, and may you read /dev/video{what}?"
                )
            if isinstance(what, str):
                raise SourceError(
                    f"cannot open the stream {without_password(what)}: is the address right, can it be reached, and "
                    "does it want a user and password (rtsp://user:password@camera/stream)?"
                )
            raise SourceError(
                f"{what}: not a video OpenCV can read, and its name is not that of an image; if it is a video, convert "
                f"it: ffmpeg -i {shlex.quote(str(what))} converted.mp4"
            )

    @property
    def rate_hz(self) -> float:
        """Frames per second, as the file or the driver says; 30 where it does not."""
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        return rate if np.isfinite(rate) and rate > 0 else _FALLBACK_RATE_HZ

    @property
    def count(self) -> int:
        """Number of frames that the file promises; 0 of a webcam."""
        return max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    @property
    def stamp_s(self) -> float:
        """Time of the last frame since the beginning of the video, s; 0 where the file does not say."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    @property
    def position(self) -> int:
        """Index of the next frame."""
        return max(int(self._capture.get(cv2.CAP_PROP_POS_FRAMES)), 0)

    def seek(self, index: int) -> None:
        """Go to frame ``index``, or as near before it as the file lets us."""
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)

    def grab(self) -> bool:
        """Pass on to the next frame without decoding it into pixels; False at the end."""
        return self._capture.grab()

    def decode(self) -> Bgr:
        """The frame grabbed last, (H, W, 3) uint8 BGR."""
        _, frame = self._capture.retrieve()
        return np.asarray(frame, np.uint8)

    def close(self) -> None:
        """Free the file or the webcam."""
        self._capture.release()


class VideoFile:
    """An MP4 file to write RGB images to; the first gives the size, and others are scaled into it with a black border.

    A context manager: the file has its name when it is complete, also after an error or Ctrl-C inside. Until then it is
    ``.NAME.partial.mp4``, and players cannot read that.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._rate_hz = rate_hz
        self._size = (0, 0)
        self._count = 0
        self._writer: cv2.VideoWriter | None = None

    def write(self, image: Image) -> None:
        """Append ``image`` (H, W, 3) uint8 RGB. Raises OSError where no video can be written."""
        if self._writer is None:
            self._size = image.shape[1], image.shape[0]
            self._writer = _open_writer(self._partial, self._rate_hz, self._size)
        self._writer.write(bgr_to_rgb(letterboxed(image, self._size)))
        self._count += 1

    def close(self) -> None:
        """Complete the file and give it its name; without an image there is none.

        Raises OSError where it could not be written as a whole.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            self._check()
            os.replace(self._partial, self._path)

    def _check(self) -> None:
        """OpenCV tells of no error while it writes: count what can be read."""
        written = cv2.VideoCapture(str(self._partial))
        found = max(int(written.get(cv2.CAP_PROP_FRAME_COUNT)), 0) if written.isOpened() else 0
        written.release()
        if found < self._count:
            self._partial.unlink(missing_ok=True)
            raise OSError(f"{self._path}: {found} of {self._count} frames could be written; is the disk full?")

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_video(path: Path, images: Iterable[Image], rate_hz: float) -> None:
    """Write RGB ``images``, one or more, as MP4 of the size of the first."""
    images = iter(images)
    first = next(images)
    with VideoFile(path, rate_hz) as video:
        for image in itertools.chain([first], images):
            video.write(image)


def _open_writer(path: Path, rate_hz: float, size: tuple[int, int]) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate_hz, size)
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write this video ({size[0]} x {size[1]} px, {rate_hz:g} Hz)")
    return writer
