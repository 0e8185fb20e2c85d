# SPDX-License-Identifier: Apache-2.0
"""The values of depth images -> metres, with holes where sensors write marks instead of a distance."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.ros.input.image_header import image_size
from hmr_ros.ros.input.images import BadImageError, BadImageReason, check_size
from hmr_ros.ros.wire.cdr import RawCompressedImage

_RANGE_M = (0.05, 65.0)
"""No depth camera measures people nearer or farther; 65.535 is the mark of a hole, in mm."""

_MARK = 65535

_CLIP_PIXELS, _CLIP_FRACTION, _CLIP_GAP = 64, 0.01, 1.25
"""A largest value that so many pixels share exactly, so far beyond the next, marks what is out of range."""

_HEADER = struct.Struct("<iff")
"""Of compressed_depth_image_transport: the format, and the two parameters of quantised inverse depth."""


def depth_in_metres(values: NDArray[np.uint16] | Float32s, scale: float) -> DepthImage:
    """(h, w) integers of ``scale`` m, or floats in m -> depth; marks and values out of range are holes (0).

    Raises BadImageError where values are of another unit.
    """
    if values.dtype.kind == "u":
        z = np.where(values == _MARK, np.float32(0), values * np.float32(scale))
    else:
        z = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    usable = (z >= _RANGE_M[0]) & (z <= _RANGE_M[1])
    measured = z > 0
    if measured.any() and not usable.any():
        raise BadImageError(BadImageReason.BAD_SIZE, _wrong_unit(float(np.median(z[measured])), values.dtype.kind))
    return DepthImage(_without_clip(np.where(usable, z, np.float32(0))))


def _without_clip(z: Float32s) -> Float32s:
    """``z`` (h, w) m with holes for the far end of the sensor's range, where it marks what is beyond."""
    farthest = z.max()
    clipped = z == farthest
    if clipped.sum() < max(_CLIP_PIXELS, _CLIP_FRACTION * z.size):
        return z
    next_farthest = z[~clipped].max(initial=0.0)
    if next_farthest == 0 or farthest < _CLIP_GAP * next_farthest:
        return z
    return np.where(clipped, np.float32(0), z)


def _wrong_unit(median_m: float, kind: str) -> str:
    low, high = _RANGE_M
    remedy = (
        "integers are depth_scale m per unit: set depth_scale (0.001 for mm, 1 for m)"
        if kind == "u"
        else "32FC1 is to be in m, is it in mm?"
    )
    return f"no value is between {low:g} and {high:g} m, their median is {median_m:g} m: {remedy}"


def decompressed_depth(raw: RawCompressedImage) -> NDArray[np.uint16] | Float32s:
    """(h, w) integers, or floats in m, of a message "<16UC1 or 32FC1>; compressedDepth png". Raises BadImageError."""
    encoding, _, codec = (part.strip() for part in raw.format.partition(";"))
    if "rvl" in codec or encoding not in ("16UC1", "mono16", "32FC1"):
        explanation = (
            f"expected 16UC1 or 32FC1; compressedDepth png, got {raw.format!r}: set the format png in the driver"
        )
        raise BadImageError(BadImageReason.UNKNOWN_ENCODING, explanation)
    values = _png(raw.data.tobytes())
    if encoding != "32FC1":
        return values
    _, a, b = _HEADER.unpack_from(raw.data.tobytes())
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.float32(a) / (values.astype(np.float32) - np.float32(b))
    return np.where(values == 0, np.float32(0), z)


def _png(data: bytes) -> NDArray[np.uint16]:
    """(h, w) values of the PNG after the header. Raises BadImageError."""
    payload = data[_HEADER.size :]
    try:
        size = image_size(payload)
    except ValueError as err:
        raise BadImageError(BadImageReason.UNDECODABLE, str(err)) from err
    if size is not None:
        check_size(*size)
    try:
        values = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED) if size is not None else None
    except cv2.error as err:
        raise BadImageError(BadImageReason.UNDECODABLE, str(err)) from err
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise BadImageError(BadImageReason.UNDECODABLE, f"{len(payload)} bytes are not a PNG of 16 bits")
    return np.asarray(values, np.uint16)
