# SPDX-License-Identifier: Apache-2.0
"""Image messages -> RGB pixels. BGR never leaves this file."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmr_ros.core.arrays import Image, Ints
from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.image_header import ends_inside_jpeg, image_size
from hmr_ros.ros.wire.cdr import CdrError, RawCompressedImage, RawImage, Stamp, read_compressed_image, read_image

_MAX_SIDE = 16384
"""Longest image side, px. A larger one means a broken message, which must not cause an allocation."""

_MAX_PIXELS = 1 << 26
"""Maximum number of pixels, for the same reason: 64 million."""


_JPEG_END, _JPEG_PADDING = b"\xff\xd9", 64


_DARK, _DARK_QUANTILE, _DARK_STEP = 12, 0.99, 8
"""An image is nearly black if so many of its values, of every eighth row and column, are below 12."""


class BadImageReason(StrEnum):
    """Why an image message cannot be used; counted by these names in diagnostics."""

    BROKEN_MESSAGE = "broken_message"
    BAD_SIZE = "bad_size"
    BAD_STEP = "bad_step"
    SHORT_DATA = "short_data"
    UNKNOWN_ENCODING = "unknown_encoding"
    UNDECODABLE = "undecodable"


class BadImageError(ValueError):
    """An image message that cannot be decoded; ``reason`` is counted."""

    def __init__(self, reason: BadImageReason, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Frame:
    """One received image: ``image`` (H, W, 3) uint8 RGB, with the stamp and frame of its message.

    ``frame_id`` is without a leading slash.
    """

    stamp: Stamp
    frame_id: str
    image: Image


@dataclass(frozen=True)
class _Encoding:
    """Memory layout of an encoding, and the OpenCV conversion to RGB (None: it is RGB already)."""

    channels: int
    to_rgb: int | None
    bytes_per_channel: int = 1
    chroma_rows: bool = False


_ENCODINGS = {
    "rgb8": _Encoding(3, None),
    "bgr8": _Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding(4, cv2.COLOR_BGRA2RGB),
    "8UC3": _Encoding(3, cv2.COLOR_BGR2RGB),
    "mono8": _Encoding(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Encoding(1, cv2.COLOR_GRAY2RGB),
    "8UC4": _Encoding(4, cv2.COLOR_BGRA2RGB),
    "mono16": _Encoding(1, cv2.COLOR_GRAY2RGB, 2),
    "16UC1": _Encoding(1, cv2.COLOR_GRAY2RGB, 2),
    "rgb16": _Encoding(3, None, 2),
    "bgr16": _Encoding(3, cv2.COLOR_BGR2RGB, 2),
    "16UC3": _Encoding(3, cv2.COLOR_BGR2RGB, 2),
    "rgba16": _Encoding(4, cv2.COLOR_RGBA2RGB, 2),
    "bgra16": _Encoding(4, cv2.COLOR_BGRA2RGB, 2),
    "yuv422": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    # OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first row's first two.
    "bayer_rggb8": _Encoding(1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Encoding(1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Encoding(1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Encoding(1, cv2.COLOR_BayerGB2RGB),
    "bayer_rggb16": _Encoding(1, cv2.COLOR_BayerBG2RGB, 2),
    "bayer_bggr16": _Encoding(1, cv2.COLOR_BayerRG2RGB, 2),
    "bayer_gbrg16": _Encoding(1, cv2.COLOR_BayerGR2RGB, 2),
    "bayer_grbg16": _Encoding(1, cv2.COLOR_BayerGB2RGB, 2),
    # Rows of luma, then half as many of interleaved chroma.
    "nv12": _Encoding(1, cv2.COLOR_YUV2RGB_NV12, chroma_rows=True),
    "nv21": _Encoding(1, cv2.COLOR_YUV2RGB_NV21, chroma_rows=True),
}
"""The encodings of sensor_msgs/image_encodings.hpp that cameras send."""


def decode_image(data: bytes, depth: BitDepth | None = None) -> Frame:
    """Decode a serialised sensor_msgs/Image. ``depth`` is that of the camera; None: of this image alone.

    Raises BadImageError with a named reason.
    """
    try:
        raw = read_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    check_size(raw.height, raw.width)
    encoding = _ENCODINGS.get(raw.encoding)
    if encoding is None:
        return Frame(raw.stamp, bare_frame(raw.frame_id), _through_cv_bridge(data, raw.encoding))
    return Frame(raw.stamp, bare_frame(raw.frame_id), _to_rgb(_pixels(raw, encoding), encoding, depth or BitDepth()))


def decode_compressed_image(data: bytes, depth: BitDepth | None = None) -> Frame:
    """Decode a serialised sensor_msgs/CompressedImage (JPEG, PNG, ...); ``depth`` as in ``decode_image``.

    Raises BadImageError with a named reason.
    """
    try:
        raw = read_compressed_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    return Frame(raw.stamp, bare_frame(raw.frame_id), _decompressed(raw, depth or BitDepth()))


DECODERS: dict[str, Callable[[bytes, BitDepth], Frame]] = {"raw": decode_image, "compressed": decode_compressed_image}
"""Value of the parameter ``image_transport`` -> decoder."""


def _decompressed(raw: RawCompressedImage, depth: BitDepth) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB from a compressed image.

    compressed_image_transport writes the format "<encoding of the source>; <codec> compressed <stored as>"; most
    drivers write the codec alone ("jpeg"), for an ordinary image. Raises BadImageError.
    """
    source, _, stored = (part.strip() for part in raw.format.partition(";"))
    is_mosaic = source in _ENCODINGS and source.startswith("bayer_") and "bgr" not in stored and "rgb" not in stored
    deep = cv2.IMREAD_ANYDEPTH  # OpenCV would take the upper 8 bits, in use or not
    # Calibration is of the sensor's pixels: the orientation tag of a JPEG must not rotate it.
    flags = (cv2.IMREAD_GRAYSCALE if is_mosaic else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION | deep
    _check_header(raw)
    try:
        pixels = _read(raw.data, flags)
    except cv2.error as err:
        raise BadImageError(BadImageReason.UNDECODABLE, f"{raw.format!r}: {err}") from err
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        explanation = f"{raw.data.size} bytes of format {raw.format!r} are not an image that OpenCV can decode"
        raise BadImageError(BadImageReason.UNDECODABLE, explanation)
    check_size(*pixels.shape[:2])
    # "rgb": the RGB image was written as if it were BGR, so it is read back as RGB.
    encoding = _ENCODINGS[source if is_mosaic else "rgb8" if "compressed rgb" in stored else "bgr8"]
    return _to_rgb(np.asarray(pixels), encoding, depth)


def _read(data: NDArray[np.uint8], flags: int) -> cv2.typing.MatLike | None:
    """The pixels in ``data``; None where it is no image, or ends before the image does.

    A JPEG may lack its end marker, as those of some webcams do; OpenCV refuses it. It is complete where bytes added
    to the end change nothing: those after the last block of pixels are skipped.
    """
    if data.size == 0:
        return None
    if not ends_inside_jpeg(data[:2].tobytes(), data[-64:].tobytes()):
        return cv2.imdecode(data, flags)
    end = np.frombuffer(_JPEG_END, np.uint8)
    closed = cv2.imdecode(np.concatenate([data, end]), flags)
    padded = cv2.imdecode(np.concatenate([data, np.full(_JPEG_PADDING, 0x55, np.uint8), end]), flags)
    return closed if closed is not None and padded is not None and np.array_equal(closed, padded) else None


def _check_header(raw: RawCompressedImage) -> None:
    """Raise BadImageError for a header that is cut off or names an impossible size."""
    try:
        size = image_size(raw.data.tobytes())
    except ValueError as err:
        raise BadImageError(BadImageReason.UNDECODABLE, f"{raw.format!r}: {err}") from err
    if size is not None:
        check_size(*size)


def check_size(height: int, width: int) -> None:
    """Raise BadImageError for a size in px that no camera has."""
    if height * width > _MAX_PIXELS:
        raise BadImageError(BadImageReason.BAD_SIZE, f"expected at most {_MAX_PIXELS} px, got {width} x {height}")
    if not (0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE):
        raise BadImageError(BadImageReason.BAD_SIZE, f"expected 1 to {_MAX_SIDE} px per side, got {width} x {height}")


def _pixels(raw: RawImage, encoding: _Encoding) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The payload as (H, W) or (H, W, C), a view where it may be; with chroma rows (H + H / 2, W).

    Raises BadImageError.
    """
    if encoding.chroma_rows:
        if raw.height % 2 or raw.width % 2:
            raise BadImageError(
                BadImageReason.BAD_SIZE, f"{raw.encoding} needs even sides, got {raw.width} x {raw.height} px"
            )
        return pixel_rows(dataclasses.replace(raw, height=raw.height * 3 // 2), 1)
    rows = pixel_rows(raw, encoding.channels * encoding.bytes_per_channel)
    if encoding.bytes_per_channel == 2:
        rows = np.ascontiguousarray(rows).view(">u2" if raw.is_bigendian else "<u2")
    return rows if encoding.channels == 1 else rows.reshape(raw.height, raw.width, encoding.channels)


def pixel_rows(raw: RawImage, bytes_per_pixel: int) -> NDArray[np.uint8]:
    """The payload as (H, W * bytes_per_pixel) uint8, a view without row padding. Raises BadImageError."""
    row = raw.width * bytes_per_pixel
    if raw.step < row:
        raise BadImageError(
            BadImageReason.BAD_STEP, f"expected a step of at least {row} bytes for {raw.encoding}, got {raw.step}"
        )
    # The last row may come without its padding.
    needed = raw.step * (raw.height - 1) + row
    if raw.data.size < needed:
        raise BadImageError(BadImageReason.SHORT_DATA, f"expected {needed} bytes of pixels, got {raw.data.size}")
    return np.lib.stride_tricks.as_strided(raw.data, (raw.height, row), (raw.step, 1), writeable=False)


def _to_rgb(pixels: Ints, encoding: _Encoding, depth: BitDepth) -> NDArray[np.uint8]:
    """``pixels`` (H, W) or (H, W, C) in ``encoding`` -> (H, W, 3) uint8 RGB. Raises BadImageError."""
    if pixels.dtype.itemsize == 2:
        pixels = depth.to_uint8(pixels)
    if encoding.to_rgb is None:
        return _as_uint8(pixels)
    if encoding.channels == 2 and pixels.shape[1] % 2:  # OpenCV 4.6 makes up the last column
        raise BadImageError(
            BadImageReason.BAD_SIZE,
            f"expected an even width for YUV 4:2:2, two pixels share a colour; got {pixels.shape[1]}",
        )
    try:
        return _as_uint8(cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb))
    except cv2.error as err:  # Bayer of a single row
        raise BadImageError(BadImageReason.BAD_SIZE, str(err)) from err


def _as_uint8(pixels: ArrayLike) -> NDArray[np.uint8]:
    """``pixels`` (H, W, 3) as contiguous uint8, without a copy where they are already."""
    return np.ascontiguousarray(pixels, np.uint8)


def _through_cv_bridge(data: bytes, encoding: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB from an encoding that only cv_bridge knows, if it is installed. Raises BadImageError."""
    explanation = f"expected encoding {', '.join(_ENCODINGS)}, got {encoding!r}: set one of them in the camera's driver"
    if importlib.util.find_spec("cv_bridge") is None:
        raise BadImageError(BadImageReason.UNKNOWN_ENCODING, explanation)
    from cv_bridge import CvBridge, CvBridgeError  # type: ignore[import-not-found]  # absent from PyPI
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import Image as ImageMessage

    try:
        return _as_uint8(CvBridge().imgmsg_to_cv2(deserialize_message(data, ImageMessage), "rgb8"))
    except (CvBridgeError, RuntimeError) as err:
        raise BadImageError(BadImageReason.UNKNOWN_ENCODING, f"{explanation} (cv_bridge: {err})") from err


def darkness(image: Image) -> str:
    """The problem of an ``image`` that is nearly black, "" for any other."""
    values = image[::_DARK_STEP, ::_DARK_STEP]
    # Counting is quicker than sorting. Where more values are bright than lie above the quantile, it is bright, too.
    bright = np.count_nonzero(values >= _DARK)
    if bright > (1 - _DARK_QUANTILE) * values.size + 1 or np.quantile(values, _DARK_QUANTILE) >= _DARK:
        return ""
    return (
        f"images are nearly black (99 % of values below {_DARK} of 255): is the lens covered, the light off, or the "
        "exposure too short?"
    )
