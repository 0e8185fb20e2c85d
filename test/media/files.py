# SPDX-License-Identifier: Apache-2.0
"""Small images and videos, made for tests."""

import struct
from pathlib import Path

import cv2
import numpy as np


def write_clip(path: Path, frames: int = 5, rate_hz: float = 12.0) -> None:
    """A video of 64 x 48 px whose frame k is grey of brightness 40 k, modulo 256."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (64, 48))
    for k in range(frames):
        writer.write(np.full((48, 64, 3), 40 * k % 256, np.uint8))
    writer.release()


def jpeg(image: np.ndarray, orientation: int | None = None) -> bytes:
    """(H, W, 3) BGR as JPEG, with an EXIF ``orientation`` (6: the camera was held upright)."""
    encoded = cv2.imencode(".jpg", image)[1].tobytes()
    if orientation is None:
        return encoded
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM" + struct.pack(">HIH", 42, 8, 1) + entry + struct.pack(">I", 0)
    exif = b"Exif\0\0" + tiff
    return encoded[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + encoded[2:]
