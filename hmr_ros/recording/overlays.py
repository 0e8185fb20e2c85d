# SPDX-License-Identifier: Apache-2.0
"""Meshes drawn on the images they were estimated from: an image file each, or one video."""

from __future__ import annotations

from pathlib import Path

from hmr_ros.core.arrays import Image, Ints
from hmr_ros.media.images import write_image_file
from hmr_ros.media.video import VideoFile
from hmr_ros.perception.hand_overlay import draw_hands
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.recording.entry import Entry


class OverlayImages:
    """Writes ``STEM.png`` for every image into a directory. ``faces`` (F, 3) are the triangles of every body."""

    def __init__(self, directory: Path, faces: Ints) -> None:
        self._directory = directory
        self._faces = faces

    def write(self, entry: Entry) -> None:
        """Draw ``entry`` into a file."""
        self._directory.mkdir(exist_ok=True)
        write_image_file(self._directory / f"{entry.stem}.png", _drawn(entry, self._faces))

    def close(self) -> None:
        """Every image is written already."""


class OverlayVideo:
    """Writes an MP4 file of ``rate_hz`` that runs as fast as the stamps do. ``faces`` (F, 3) as above.

    Where images are missing, as when a webcam is faster than the networks, the one before stays; what comes too soon
    for the rate is left out.
    """

    def __init__(self, path: Path, rate_hz: float, faces: Ints) -> None:
        self._file = VideoFile(path, rate_hz)
        self._rate_hz = rate_hz
        self._faces = faces
        self._first_s: float | None = None
        self._last: Image | None = None
        self._written = 0

    def write(self, entry: Entry) -> None:
        """Draw ``entry``, after as many repetitions of the one before as its stamp asks for."""
        stamp_s = entry.stamp_s or 0.0
        self._first_s = stamp_s if self._first_s is None else self._first_s
        slot = round((stamp_s - self._first_s) * self._rate_hz)
        if slot < self._written:
            return
        drawn = _drawn(entry, self._faces)
        while self._last is not None and self._written < slot:
            self._append(self._last)
        self._append(drawn)
        self._last = drawn

    def close(self) -> None:
        """Complete the video."""
        self._file.close()

    def _append(self, image: Image) -> None:
        self._file.write(image)
        self._written += 1


def _drawn(entry: Entry, faces: Ints) -> Image:
    """(H, W, 3) uint8 RGB."""
    drawn = draw_bodies(entry.image, entry.trusted(), entry.camera, faces)
    return drawn if entry.hands is None else draw_hands(drawn, entry.hands)
