# SPDX-License-Identifier: Apache-2.0
"""The size of an image from the first bytes of its file: decoding tens of thousands of images takes minutes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_PNG = b"\x89PNG\r\n\x1a\n"
_NOT_FRAMES = (0xC4, 0xC8, 0xCC)
"""Markers among those of frames that are none."""


def size_of_header(path: Path) -> tuple[int, int] | None:
    """Width and height in px of a PNG or JPEG file, as stored; None for other files and damaged ones."""
    with path.open("rb") as file:
        head = file.read(24)
        if head.startswith(_PNG) and len(head) == 24:
            width, height = struct.unpack(">II", head[16:])
            return int(width), int(height)
        if head.startswith(b"\xff\xd8"):
            file.seek(2)
            return _size_of_jpeg(file)
    return None


def _size_of_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    """The size in the header of the frame, which other segments precede."""
    while len(segment := file.read(4)) == 4 and segment[0] == 0xFF:
        marker, length = segment[1], int.from_bytes(segment[2:], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            frame = file.read(5)
            if len(frame) < 5:
                return None
            height, width = struct.unpack(">HH", frame[1:])
            return int(width), int(height)
        file.seek(length - 2, 1)
    return None
