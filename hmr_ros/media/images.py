# SPDX-License-Identifier: Apache-2.0
"""One image file: read into pixels, written from pixels; and images scaled and put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.manifest import atomic_path
from hmr_ros.media.errors import SourceError

Bgr = Image
"""(H, W, 3) uint8 in OpenCV's order of channels, as its decoders give it."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
"""Markers SOI, SOS and EOI (ITU-T T.81, B.1)."""

_JPEG_BARE = frozenset(bytes([code]) for code in (0x00, 0x01, 0xFF, *range(0xD0, 0xD9)))
"""Second bytes that no segment begins with: stuffing, fill bytes, TEM, RST0 to RST7 and SOI."""

_SHEET_COLUMNS, _SHEET_WIDTH = 3, 1536
_SHEET_GAP = 6


def read_bgr(path: Path) -> Bgr:
    """Decode an image file into (H, W, 3) uint8 BGR, upright as its EXIF orientation says.

    Grey becomes BGR, an alpha channel is dropped, 16 bits become 8. Raises SourceError for a file that is no image or
    whose end is missing.
    """
    try:
        encoded = np.fromfile(path, np.uint8)
        # From memory, since OpenCV takes a truncated JPEG in a file for a whole one with a grey lower part.
        whole = encoded.size and not _is_cut_off(encoded.tobytes())
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if whole else None
    except OSError as err:
        raise SourceError(f"{path}: cannot be read ({err.strerror})") from err
    except cv2.error as err:  # for example an image of more pixels than OpenCV allows
        raise SourceError(f"{path}: not an image OpenCV can read ({err.err})") from err
    if decoded is None:
        raise SourceError(f"{path}: not an image OpenCV can read, or one that is cut off: open it in a viewer to see")
    return np.asarray(decoded, np.uint8)


def _is_cut_off(encoded: bytes) -> bool:
    """Whether ``encoded`` is a JPEG without its end, whose lower part OpenCV 4.6 makes up.

    Segments are passed over by their length, since a preview in one of them has an end of its own.
    """
    if not encoded.startswith(_JPEG):
        return False
    at = encoded.find(b"\xff", len(_JPEG))
    while at >= 0 and encoded[at : at + 2] != _JPEG_SCAN:
        bare = encoded[at + 1 : at + 2] in _JPEG_BARE
        at = encoded.find(b"\xff", at + (1 if bare else 2 + int.from_bytes(encoded[at + 2 : at + 4])))
    return at < 0 or encoded.find(_JPEG_END, at) < 0


def bgr_to_rgb(image: Bgr) -> Image:
    """(H, W, 3) uint8 with its channels in the other order; also RGB to BGR."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def write_image_file(path: Path, image: Image) -> None:
    """Write (H, W, 3) uint8 RGB as PNG; ``path`` holds the whole image or what it held before."""
    _, payload = cv2.imencode(".png", bgr_to_rgb(image))
    with atomic_path(path) as temporary:
        temporary.write_bytes(payload.tobytes())


def letterboxed(image: Image, size: tuple[int, int]) -> Image:
    """``image`` scaled into ``size`` (width, height), centred on black."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    out = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out[top : top + inner[1], left : left + inner[0]] = (
        image if scale == 1 else cv2.resize(image, inner, interpolation=interpolation)
    )
    return out


def contact_sheet(images: Sequence[Image]) -> Image:
    """``images`` as a grid of three columns, all tiles of the shape of the first."""
    tile_width = (_SHEET_WIDTH - (_SHEET_COLUMNS + 1) * _SHEET_GAP) // _SHEET_COLUMNS
    tile_height = round(tile_width * images[0].shape[0] / images[0].shape[1])
    rows = -(-len(images) // _SHEET_COLUMNS)
    sheet = np.full((rows * (tile_height + _SHEET_GAP) + _SHEET_GAP, _SHEET_WIDTH, 3), 255, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, _SHEET_COLUMNS)
        y, x = (_SHEET_GAP + row * (tile_height + _SHEET_GAP), _SHEET_GAP + column * (tile_width + _SHEET_GAP))
        sheet[y : y + tile_height, x : x + tile_width] = letterboxed(image, (tile_width, tile_height))
    return sheet
