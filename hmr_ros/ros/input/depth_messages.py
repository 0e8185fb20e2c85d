# SPDX-License-Identifier: Apache-2.0
"""Depth messages -> depth in metres, and which of several belongs to an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Camera
from hmr_ros.ros.input.depth_values import decompressed_depth, depth_in_metres
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.images import BadImageError, BadImageReason, check_size, pixel_rows
from hmr_ros.ros.wire.cdr import CdrError, RawImage, Stamp, read_compressed_image, read_image, stamp_of

COMPRESSED = "/compressedDepth"
"""End of a topic's name where it carries PNG, as compressed_depth_image_transport names it."""

_BYTES = {"16UC1": 2, "mono16": 2, "32FC1": 4}
"""Bytes per pixel by encoding. REP-118: z in mm as integers or in m as floats; some drivers write mono16."""

Decoder = Callable[[bytes, float, str, Camera], DepthImage]
"""A message, m per unit of its integers, the frame and the camera of the image -> depth. Raises BadImageError."""


def decoder_of(topic: str) -> Decoder:
    """What reads the messages of ``topic``."""
    return decode_compressed_depth if topic.endswith(COMPRESSED) else decode_depth


def nearest(waiting: Sequence[bytes], stamp: Stamp, tolerance_s: float) -> bytes:
    """The message in ``waiting`` nearest in time to ``stamp``. Raises LookupError, with the reason."""
    if not waiting:
        raise LookupError("no depth image")
    gaps_s = [abs(_stamp(data).nanoseconds - stamp.nanoseconds) * 1e-9 for data in waiting]
    best = int(np.argmin(gaps_s))
    if gaps_s[best] > tolerance_s:
        raise LookupError(
            f"no depth image within depth_tolerance_s = {tolerance_s:g} s, the nearest in time is "
            f"{gaps_s[best]:.3f} s off"
        )
    return waiting[best]


def decode_depth(data: bytes, scale: float, frame_id: str, camera: Camera) -> DepthImage:
    """Decode a serialised sensor_msgs/Image of depth: integers in units of ``scale`` m, or floats in m.

    Raises BadImageError, also for depth that is not registered to the images of ``camera``, which are in ``frame_id``.
    """
    try:
        raw = read_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    check_size(raw.height, raw.width)
    if raw.encoding not in _BYTES:
        raise BadImageError(
            BadImageReason.UNKNOWN_ENCODING, f"expected encoding {', '.join(_BYTES)}, got {raw.encoding!r}"
        )
    _check_registration(raw, frame_id, camera)
    size, order = _BYTES[raw.encoding], ">" if raw.is_bigendian else "<"
    values = np.ascontiguousarray(pixel_rows(raw, size)).view(f"{order}{'f4' if size == 4 else 'u2'}")
    return depth_in_metres(values, scale)


def decode_compressed_depth(data: bytes, scale: float, frame_id: str, camera: Camera) -> DepthImage:
    """Decode a serialised CompressedImage of compressed_depth_image_transport (PNG); otherwise as ``decode_depth``."""
    try:
        raw = read_compressed_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    values = decompressed_depth(raw)
    height, width = values.shape
    _check_registration(_Seen(raw.frame_id, width, height), frame_id, camera)
    return depth_in_metres(values, scale)


class _Seen(NamedTuple):
    """What registration is checked by: the frame and the size of a depth image in px."""

    frame_id: str
    width: int
    height: int


def _check_registration(raw: RawImage | _Seen, frame_id: str, camera: Camera) -> None:
    """Raise BadImageError unless depth has the frame and the aspect ratio of the images of ``camera``."""
    remedy = "subscribe depth that is registered to colour"
    depth_frame = bare_frame(raw.frame_id)
    if depth_frame and frame_id and depth_frame != frame_id:
        raise BadImageError(
            BadImageReason.BAD_SIZE, f"it is in frame {depth_frame!r}, the image in {frame_id!r}: {remedy}"
        )
    # Rounded to whole pixels, either side may be off by one.
    if abs(raw.width * camera.height - raw.height * camera.width) > max(camera.width, camera.height):
        raise BadImageError(
            BadImageReason.BAD_SIZE,
            f"{raw.width} x {raw.height} px do not have the aspect ratio of the image, {camera.width} x "
            f"{camera.height} px: {remedy}",
        )


def _stamp(data: bytes) -> Stamp:
    """The stamp of a message; zero, far from that of any image, where the message is broken."""
    try:
        return stamp_of(data)
    except CdrError:
        return Stamp(0, 0)
