# SPDX-License-Identifier: Apache-2.0
"""The size of a compressed image from its header, checked before the image is decoded.

A broken header makes OpenCV allocate gigabytes; a PNG chunk longer than the file makes it run for many seconds.
"""

from __future__ import annotations

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK = 12
"""Bytes of a chunk besides its data: length, type, checksum."""

_JPEG = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
"""Zeros may follow it, as drivers pad what they send."""

_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of segments with the size: SOF0 to SOF15 without DHT, JPG and DAC. ITU-T T.81, B.1."""

_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a segment (TEM, RST0 to RST7, SOI)."""


def image_size(data: bytes) -> tuple[int, int] | None:
    """Height and width in px of a PNG or JPEG; None for other formats. Raises ValueError for one that is cut off."""
    try:
        if data.startswith(_PNG):
            return _png_size(data)
        return _jpeg_size(data) if data.startswith(_JPEG) else None
    except struct.error as err:
        raise ValueError("it is cut off") from err


def ends_inside_jpeg(first: bytes, last: bytes) -> bool:
    """Whether the file with the ``first`` and ``last`` bytes is a JPEG without its end marker."""
    return first.startswith(_JPEG) and _JPEG_END not in last


def _png_size(data: bytes) -> tuple[int, int]:
    """Height and width in px, after walking all chunks. Raises struct.error for one that reaches past the data."""
    at = len(_PNG)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        at += _PNG_CHUNK + length
    if at > len(data):
        raise struct.error("a chunk is longer than the rest")
    width, height = struct.unpack_from(">II", data, len(_PNG) + 8)
    return height, width


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width in px from the first frame segment. Raises struct.error where the data ends before it."""
    at = len(_JPEG)
    while (at := data.find(b"\xff", at)) >= 0:  # there may be bytes between segments, which decoders skip
        (marker,) = struct.unpack_from(">B", data, at + 1)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
        if marker in (0x00, 0xFF) or marker in _JPEG_BARE:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + max(length, 2)
    raise struct.error("no size so far")
