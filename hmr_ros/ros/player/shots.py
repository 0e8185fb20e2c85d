# SPDX-License-Identifier: Apache-2.0
"""What ``hmr_player`` shows of a source: a video or webcam frame by frame, photos for a second each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import Bgr
from hmr_ros.media.sources import PhotoSource, Source, Unreadable, open_source

_PHOTO_RATE_HZ = 10.0
_PHOTO_REPEATS = 10
"""Each photo stays for a second: a person seen once is not confirmed yet."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One image (H, W, 3) uint8 BGR; ``new_scene`` when it does not continue the one before it."""

    image: Bgr
    new_scene: bool = False


@dataclass(frozen=True)
class Show:
    """A ``source`` as it is played: ``count`` images (0: not known) at ``rate_hz``; a ``live`` one has its own pace."""

    source: Source
    rate_hz: float
    count: int
    live: bool

    def shots(self) -> Iterator[Shot]:
        """The images in their order. Raises SourceError for one that cannot be read."""
        repeats = _PHOTO_REPEATS if isinstance(self.source, PhotoSource) else 1
        scenes = isinstance(self.source, PhotoSource) and len(self.source.paths) > 1
        for frame in self.source.frames():
            if isinstance(frame, Unreadable):
                raise SourceError(frame.reason)
            yield Shot(frame.bgr, new_scene=scenes)
            yield from itertools.repeat(Shot(frame.bgr), repeats - 1)


def open_show(name: str) -> Show:
    """Open the video, photo, directory of photos or webcam ``name`` to be played. Raises SourceError."""
    source = open_source(name)
    if isinstance(source, PhotoSource):
        return Show(source, _PHOTO_RATE_HZ, source.count() * _PHOTO_REPEATS, source.live)
    return Show(source, source.rate_hz, source.count(), source.live)
