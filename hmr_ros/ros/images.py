"""Image and CameraInfo messages -> RGB pixels and a ``Camera``. BGR never leaves this file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from hmr_ros.core.people import Camera
from hmr_ros.ros.cdr import CdrError, RawCompressedImage, RawImage, Stamp, read_compressed_image, read_image
from hmr_ros.ros.picture_size import picture_size

_LARGEST_SIDE = 16384
"""px; more than any camera has. A larger figure is a broken message, and must not become an allocation."""

_MOST_PIXELS = 1 << 26
"""As above, both sides together: 64 million."""

_STEREO_BASELINE = 1e-9

_LARGEST_PX = 1e6
"""Of focal length and principal point: a lens of half a milliradian; calibration beyond is a mistake."""

_LARGEST_COEFFICIENT = 1e4
"""Of lens distortion. Rational polynomials have coefficients of some tens."""


class BadImageReason(StrEnum):
    """Why an image message cannot be used; the names that diagnostics count."""

    BROKEN_MESSAGE = "broken_message"
    BAD_SIZE = "bad_size"
    BAD_STEP = "bad_step"
    SHORT_DATA = "short_data"
    UNKNOWN_ENCODING = "unknown_encoding"
    UNDECODABLE = "undecodable"


class BadImageError(ValueError):
    """An image message that cannot be turned into pixels."""

    def __init__(self, reason: BadImageReason, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason


class BadCameraInfoError(ValueError):
    """A CameraInfo that does not calibrate the image it comes with."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One received image: ``image`` (H, W, 3) uint8 RGB, with the stamp and frame of its message."""

    stamp: Stamp
    frame_id: str
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class _Encoding:
    """Memory layout of an encoding, and the OpenCV conversion to RGB (None: it is RGB)."""

    channels: int
    to_rgb: int | None
    bytes_per_channel: int = 1


_ENCODINGS = {
    "rgb8": _Encoding(3, None),
    "bgr8": _Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding(4, cv2.COLOR_BGRA2RGB),
    "8UC3": _Encoding(3, cv2.COLOR_BGR2RGB),
    "mono8": _Encoding(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Encoding(1, cv2.COLOR_GRAY2RGB),
    "mono16": _Encoding(1, cv2.COLOR_GRAY2RGB, 2),
    "yuv422": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    # OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first row's first two.
    "bayer_rggb8": _Encoding(1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Encoding(1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Encoding(1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Encoding(1, cv2.COLOR_BayerGB2RGB),
}
"""The encodings of sensor_msgs/image_encodings.hpp that cameras really send."""


def decode_image(data: bytes) -> Frame:
    """Decode a serialised sensor_msgs/Image. Raises BadImageError with a named reason."""
    try:
        raw = read_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    check_size(raw.height, raw.width)
    encoding = _ENCODINGS.get(raw.encoding)
    rgb = _through_cv_bridge(data, raw.encoding) if encoding is None else _to_rgb(_pixels(raw, encoding), encoding)
    return Frame(raw.stamp, raw.frame_id, rgb)


def decode_compressed_image(data: bytes) -> Frame:
    """Decode a serialised sensor_msgs/CompressedImage (JPEG, PNG, ...). Raises BadImageError with a named reason."""
    try:
        raw = read_compressed_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    return Frame(raw.stamp, raw.frame_id, _decompressed(raw))


DECODERS: dict[str, Callable[[bytes], Frame]] = {"raw": decode_image, "compressed": decode_compressed_image}
"""By the parameter ``image_transport``."""


def _decompressed(raw: RawCompressedImage) -> NDArray[np.uint8]:
    """What compressed_image_transport wrote, by its format "<encoding of the source>; <codec> compressed <stored as>".

    The codec alone ("jpeg"), as most drivers write it, is an ordinary picture.
    """
    source, _, stored = (part.strip() for part in raw.format.partition(";"))
    is_mosaic = source in _ENCODINGS and source.startswith("bayer_") and "bgr" not in stored and "rgb" not in stored
    # Calibration is of the sensor's pixels: a JPEG that asks for it must not be turned.
    flags = (cv2.IMREAD_GRAYSCALE if is_mosaic else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    _check_header(raw)
    try:
        pixels = cv2.imdecode(raw.data, flags) if raw.data.size else None
    except cv2.error as err:
        raise BadImageError(BadImageReason.UNDECODABLE, f"{raw.format!r}: {err}") from err
    if pixels is None:
        explanation = f"{raw.data.size} bytes of format {raw.format!r} are no image OpenCV can decode"
        raise BadImageError(BadImageReason.UNDECODABLE, explanation)
    check_size(*pixels.shape[:2])
    # Written as if it were BGR, an RGB image comes back as it was.
    encoding = _ENCODINGS[source if is_mosaic else "rgb8" if "compressed rgb" in stored else "bgr8"]
    return _to_rgb(np.asarray(pixels, np.uint8), encoding)


def _check_header(raw: RawCompressedImage) -> None:
    try:
        size = picture_size(raw.data.tobytes())
    except ValueError as err:
        raise BadImageError(BadImageReason.UNDECODABLE, f"{raw.format!r}: {err}") from err
    if size is not None:
        check_size(*size)


def check_size(height: int, width: int) -> None:
    """Raise BadImageError for a size that no camera has."""
    if height * width > _MOST_PIXELS:
        raise BadImageError(BadImageReason.BAD_SIZE, f"expected at most {_MOST_PIXELS} px, got {width} x {height}")
    if not (0 < height <= _LARGEST_SIDE and 0 < width <= _LARGEST_SIDE):
        raise BadImageError(
            BadImageReason.BAD_SIZE, f"expected 1 to {_LARGEST_SIDE} px per side, got {width} x {height}"
        )


def _pixels(raw: RawImage, encoding: _Encoding) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(H, W) or (H, W, C) view of the payload."""
    rows = pixel_rows(raw, encoding.channels * encoding.bytes_per_channel)
    if encoding.bytes_per_channel == 2:
        rows = np.ascontiguousarray(rows).view(">u2" if raw.is_bigendian else "<u2")
    return rows if encoding.channels == 1 else rows.reshape(raw.height, raw.width, encoding.channels)


def pixel_rows(raw: RawImage, bytes_per_pixel: int) -> NDArray[np.uint8]:
    """(H, W * bytes_per_pixel) view of the payload, row padding cut off. Raises BadImageError."""
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


def _to_rgb(pixels: NDArray[np.uint8] | NDArray[np.uint16], encoding: _Encoding) -> NDArray[np.uint8]:
    if encoding.to_rgb is None:
        return _as_uint8(pixels)
    if encoding.bytes_per_channel == 2:
        pixels = (pixels >> 8).astype(np.uint8)
    try:
        return _as_uint8(cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb))
    except cv2.error as err:  # YUV 4:2:2 of odd width, Bayer of a single row
        raise BadImageError(BadImageReason.BAD_SIZE, str(err)) from err


def _as_uint8(pixels: NDArray[np.integer] | cv2.typing.MatLike) -> NDArray[np.uint8]:
    """Contiguous uint8 (a no-op for what is so already)."""
    return np.ascontiguousarray(pixels, np.uint8)


def _through_cv_bridge(data: bytes, encoding: str) -> NDArray[np.uint8]:
    """Encodings that we do not decode ourselves, where the ROS installation can."""
    if importlib.util.find_spec("cv_bridge") is None:
        known = ", ".join(_ENCODINGS)
        raise BadImageError(
            BadImageReason.UNKNOWN_ENCODING, f"encoding {encoding!r} is none of {known}; others need cv_bridge"
        )
    from cv_bridge import CvBridge, CvBridgeError  # type: ignore[import-not-found]  # absent from PyPI
    from rclpy.serialization import deserialize_message

    try:
        return _as_uint8(CvBridge().imgmsg_to_cv2(deserialize_message(data, Image), "rgb8"))
    except (CvBridgeError, RuntimeError) as err:
        raise BadImageError(BadImageReason.UNKNOWN_ENCODING, f"encoding {encoding!r}: {err}") from err


def camera_from_info(info: CameraInfo, width: int, height: int, *, rectified: bool) -> Camera:
    """Read the camera of an image of ``width`` x ``height`` px.

    A ``rectified`` image is seen through P (no distortion), any other through K and D. Binning and region of
    interest are applied as in image_geometry: K and P describe the full sensor. Raises BadCameraInfoError.
    """
    left, top, expected_width, expected_height = _window(info)
    if (width, height) != (expected_width, expected_height):
        raise BadCameraInfoError(
            f"it describes {expected_width} x {expected_height} px, the image has {width} x {height}; "
            "calibrate at the resolution that you run"
        )
    K = np.array(info.p, np.float64).reshape(3, 4)[:, :3] if rectified else np.array(info.k, np.float64).reshape(3, 3)
    if not K.any():
        raise BadCameraInfoError(f"{'P' if rectified else 'K'} is all zero: the camera is not calibrated")
    if not (K[0, 0] > 0 and K[1, 1] > 0 and np.all(np.abs(K) <= _LARGEST_PX) and K[2].tolist() == [0, 0, 1]):
        raise BadCameraInfoError(
            f"{'P' if rectified else 'K'} is no camera matrix (focal lengths > 0, third row 0 0 1, all finite): "
            f"got {K.tolist()}"
        )
    if rectified and abs(info.p[3]) > _STEREO_BASELINE:
        raise BadCameraInfoError(
            "P has a baseline (right camera of a stereo pair), positions would not be in the image's frame; "
            "use the left camera, or the image that is not rectified"
        )
    binning = np.array([max(info.binning_x, 1), max(info.binning_y, 1), 1.0])
    K = (K - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]])) / binning[:, None]
    try:
        if rectified:
            return Camera(K, width, height)
        D = np.array(info.d, np.float64)
        if not np.all(np.abs(D) <= _LARGEST_COEFFICIENT):
            raise BadCameraInfoError(f"D must be finite and reasonable, got {D.tolist()}")
        return Camera(K, width, height, info.distortion_model or "plumb_bob", D)
    except ValueError as err:
        raise BadCameraInfoError(str(err)) from err


def described_size(info: CameraInfo) -> tuple[int, int]:
    """Width and height in px of the images that ``info`` is about."""
    _, _, width, height = _window(info)
    return width, height


def _window(info: CameraInfo) -> tuple[int, int, int, int]:
    """Left, top, width and height of the image that ``info`` describes (sensor px, sensor px, image px, image px)."""
    roi = info.roi
    whole = roi.width == 0 or roi.height == 0
    width, height = (info.width, info.height) if whole else (roi.width, roi.height)
    return roi.x_offset, roi.y_offset, width // max(info.binning_x, 1), height // max(info.binning_y, 1)
