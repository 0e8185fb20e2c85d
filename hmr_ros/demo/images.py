# SPDX-License-Identifier: Apache-2.0
"""The files a demo leaves behind: the clip with meshes, a contact sheet of it, and a view of people in space."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from hmr_ros.core.arrays import Image

_SHEET_COLUMNS, _SHEET_WIDTH = 3, 1536
_SHEET_GAP = 6


def write_image_file(path: Path, image: Image) -> None:
    """Write RGB pixels as PNG."""
    _, payload = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    path.write_bytes(payload.tobytes())


def write_video(path: Path, images: Iterable[Image], rate_hz: float) -> None:
    """Write RGB ``images`` as MP4 of the size of the first; others are scaled into it with a black border."""
    images = iter(images)
    first = next(images)
    size = first.shape[1], first.shape[0]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate_hz, size)
    try:
        for image in itertools.chain([first], images):
            writer.write(cv2.cvtColor(letterboxed(image, size), cv2.COLOR_RGB2BGR))
    finally:
        writer.release()


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
