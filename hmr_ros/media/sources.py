# SPDX-License-Identifier: Apache-2.0
"""What a command line names as its images: a photo, a directory of photos, a video, a webcam or a network stream."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hmr_ros.core.arrays import Image
from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import IMAGE_SUFFIXES, Bgr, bgr_to_rgb, read_bgr
from hmr_ros.media.video import Capture, without_password


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source: ``bgr`` (H, W, 3) uint8, as OpenCV decodes it.

    ``name`` is the file's name, ``index`` counts the images of the source from 0, ``stamp_s`` is the time since the
    beginning of the video, s (photos: 0).
    """

    bgr: Bgr
    name: str
    index: int
    stamp_s: float = 0.0

    def rgb(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        return bgr_to_rgb(self.bgr)


@dataclass(frozen=True)
class Unreadable:
    """An image of a directory that cannot be read; ``reason`` names the file."""

    name: str
    index: int
    reason: str


@dataclass(frozen=True)
class Excerpt:
    """Which images of a source to read: every ``every``-th; of a video ``seconds`` from ``start_s`` on.

    ``rate_hz``: frames per second of a video whose file is wrong about it; None: as the file says.
    """

    every: int = 1
    start_s: float = 0.0
    seconds: float = math.inf
    rate_hz: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"expected every >= 1, got {self.every}")
        if not (self.start_s >= 0 and self.seconds > 0):
            raise ValueError(f"expected start >= 0 s and seconds > 0, got {self.start_s:g} and {self.seconds:g}")
        if self.rate_hz is not None and not 0 < self.rate_hz < math.inf:
            raise ValueError(f"expected a rate > 0 Hz, got {self.rate_hz:g}")


EVERYTHING = Excerpt()


@dataclass(frozen=True)
class PhotoSource:
    """Photos that have nothing to do with one another, in the order of their names."""

    paths: tuple[Path, ...]
    live: bool = False

    def count(self, excerpt: Excerpt = EVERYTHING) -> int:
        """Number of images in ``excerpt``."""
        return len(self.paths[:: excerpt.every])

    def frames(self, excerpt: Excerpt = EVERYTHING) -> Iterator[Frame | Unreadable]:
        """Every image, or why it cannot be read. Time means nothing to photos."""
        for index in range(0, len(self.paths), excerpt.every):
            path = self.paths[index]
            try:
                bgr = read_bgr(path)
            except SourceError as err:
                yield Unreadable(path.name, index, str(err))
            else:
                yield Frame(bgr, path.name, index)


@dataclass(frozen=True)
class VideoSource:
    """A video file of ``frame_count`` frames (0: not known), which belong together."""

    path: Path
    rate_hz: float
    frame_count: int
    live: bool = False

    def count(self, excerpt: Excerpt = EVERYTHING) -> int:
        """Number of images in ``excerpt``, as far as the file promises; 0: not known."""
        rate_hz = excerpt.rate_hz or self.rate_hz
        end = min(self.frame_count, (excerpt.start_s + excerpt.seconds) * rate_hz)
        return max(math.ceil((end - excerpt.start_s * rate_hz) / excerpt.every - 1e-6), 0)

    def frames(self, excerpt: Excerpt = EVERYTHING) -> Iterator[Frame | Unreadable]:
        """The frames in their order. Raises SourceError where there is none."""
        with closing(Capture(self.path)) as capture:
            if excerpt.start_s:
                capture.seek(round(excerpt.start_s * (excerpt.rate_hz or self.rate_hz)))
            found = 0
            for index, stamp_s in _within(excerpt, _stamps(capture, excerpt.rate_hz, self.rate_hz)):
                if found % excerpt.every == 0:
                    yield Frame(capture.decode(), self.path.name, index, stamp_s)
                found += 1
        if not found:
            when = f" from {excerpt.start_s:g} s on" if excerpt.start_s else ""
            raise SourceError(f"{self.path}: no frame{when} that OpenCV can decode; is the file complete?")


@dataclass(frozen=True)
class WebcamSource:
    """A webcam by its number, at its own pace; it never ends."""

    index: int
    rate_hz: float
    live: bool = True

    @property
    def name(self) -> str:
        """Short name, for files and directories."""
        return f"webcam{self.index}"

    def count(self, excerpt: Excerpt = EVERYTHING) -> int:
        """0: not known."""
        return 0

    def frames(self, excerpt: Excerpt = EVERYTHING) -> Iterator[Frame | Unreadable]:
        """Frames as they arrive, stamped with the time since the first. Raises SourceError where there is none."""
        with closing(Capture(self.index)) as capture:
            yield from _live_frames(capture, self.name, excerpt, f"webcam {self.index}: is another program using it?")


@dataclass(frozen=True)
class StreamSource:
    """A network camera by its URL, such as rtsp://camera/stream, at its own pace."""

    url: str
    rate_hz: float
    live: bool = True

    @property
    def name(self) -> str:
        """Short name, for files and directories: the host's. The URL may hold a password."""
        return urlsplit(self.url).hostname or "stream"

    def count(self, excerpt: Excerpt = EVERYTHING) -> int:
        """0: not known."""
        return 0

    def frames(self, excerpt: Excerpt = EVERYTHING) -> Iterator[Frame | Unreadable]:
        """Frames as they arrive, stamped with the time since the first. Raises SourceError where there is none."""
        with closing(Capture(self.url)) as capture:
            yield from _live_frames(
                capture, self.name, excerpt, f"{without_password(self.url)}: does it play elsewhere?"
            )


Source = PhotoSource | VideoSource | WebcamSource | StreamSource

_DEVICE = re.compile(r"/dev/video(\d+)")


def open_source(name: str) -> Source:
    """Read ``name`` as a webcam's number or device, a URL, a directory or a video or image file. Raises SourceError."""
    if "://" in name:
        with closing(Capture(name)) as capture:
            return StreamSource(name, capture.rate_hz)
    path = Path(name).expanduser()
    # Names under /dev/v4l, which stay when cameras are plugged in anew, are links to the numbered ones.
    device = _DEVICE.fullmatch(str(path.resolve()))
    if device or name.isdecimal():
        number = int(device[1] if device else name)
        with closing(Capture(number)) as capture:
            return WebcamSource(number, capture.rate_hz)
    if path.is_dir():
        images = tuple(sorted(p for p in path.iterdir() if _is_image_name(p)))
        if not images:
            raise SourceError(f"{path}: no images in this directory ({', '.join(sorted(IMAGE_SUFFIXES))})")
        return PhotoSource(images)
    if not path.is_file():
        raise SourceError(
            f"{path}: no such file or directory; give a video, an image, a directory, the number or device of a "
            "webcam, or a URL"
        )
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return PhotoSource((path,))
    with closing(Capture(path)) as capture:
        return VideoSource(path, capture.rate_hz, capture.count)


def _is_image_name(path: Path) -> bool:
    """By its suffix; what is hidden is another program's."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _stamps(capture: Capture, true_rate_hz: float | None, rate_hz: float) -> Iterator[tuple[int, float]]:
    """(index, s since the beginning) of frame after frame, each to decode before the next.

    By ``true_rate_hz`` where it is given, else as the file says; and by its ``rate_hz`` where the file says nothing or
    steps back.
    """
    last_s = -math.inf
    for index in _grabbed(capture):
        stamp_s = index / true_rate_hz if true_rate_hz else capture.stamp_s
        last_s = stamp_s if stamp_s > last_s else last_s + 1 / rate_hz
        yield index, last_s


def _arrivals(capture: Capture) -> Iterator[tuple[int, float]]:
    """(index, s since the first frame) of a webcam's frames."""
    started_s: float | None = None
    for index in _grabbed(capture):
        now_s = time.monotonic()
        started_s = now_s if started_s is None else started_s
        yield index, now_s - started_s


def _live_frames(capture: Capture, name: str, excerpt: Excerpt, remedy: str) -> Iterator[Frame]:
    """Frames of a camera in ``excerpt``, as they arrive. Raises SourceError with ``remedy`` where there is none."""
    found = 0
    for index, stamp_s in _within(excerpt, _arrivals(capture)):
        if found % excerpt.every == 0:
            yield Frame(capture.decode(), name, index, stamp_s)
        found += 1
    if not found:
        raise SourceError(f"no image from {remedy}")


def _grabbed(capture: Capture) -> Iterator[int]:
    index = capture.position
    while capture.grab():
        yield index
        index += 1


def _within(excerpt: Excerpt, stamps: Iterator[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """The ``stamps`` in the excerpt, a microsecond of rounding allowed."""
    for index, stamp_s in stamps:
        if stamp_s >= excerpt.start_s + excerpt.seconds - 1e-6:
            return
        if stamp_s >= excerpt.start_s - 1e-6:
            yield index, stamp_s
