# SPDX-License-Identifier: Apache-2.0
"""Depth images: which one belongs to an image, and its conversion to metres."""

from __future__ import annotations

import threading
from collections import deque
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Camera
from hmr_ros.ros.input.depth_values import decompressed_depth, depth_in_metres
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.images import BadImageError, BadImageReason, Frame, check_size, pixel_rows
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire.cdr import CdrError, RawImage, Stamp, read_compressed_image, read_image, stamp_of

_KEPT = 6
"""Number of depth images kept until an image asks for one: a camera sends fewer while an image is processed."""

_COMPRESSED = "/compressedDepth"
_LOG_EVERY_S = 10.0
_BYTES = {"16UC1": 2, "mono16": 2, "32FC1": 4}
"""Bytes per pixel by encoding. REP-118: z in mm as integers or in m as floats; some drivers write mono16."""


class DepthGap(StrEnum):
    """Why an image was processed without depth; counted by these names in diagnostics."""

    MISSING = "depth_missing"
    UNPAIRED = "depth_unpaired"
    UNUSABLE = "depth_unusable"


class DepthInput:
    """Subscribes ``depth``, registered to the colour image, at any resolution of the same aspect ratio.

    A topic that is named as compressed_depth_image_transport names it, ``.../compressedDepth``, is read as that.
    An image gets the depth image with the nearest stamp within ``depth_tolerance_s``, and never waits for one.
    ``problem`` is why the last image got none, "" when it did.
    """

    def __init__(self, node: Node, config: RobotConfig, monitor: Monitor) -> None:
        self.problem = ""
        self._node = node
        self._monitor = monitor
        self._scale = config.depth_scale
        self._tolerance_s = config.depth_tolerance_s
        self._lock = threading.Lock()
        self._newest: deque[bytes] = deque(maxlen=_KEPT)
        topic = node.resolve_topic_name("depth")
        is_compressed = topic.endswith(_COMPRESSED)
        self._decode = decode_compressed_depth if is_compressed else decode_depth
        kind = CompressedImage if is_compressed else Image
        self._subscription: AdaptiveSubscription = AdaptiveSubscription(node, kind, topic, self._receive)

    def _receive(self, data: bytes) -> None:
        with self._lock:
            self._newest.append(data)

    def of(self, frame: Frame, camera: Camera) -> DepthImage | None:
        """The depth of ``frame``, which ``camera`` took; None, counted by its reason, when there is none."""
        self.problem = ""
        with self._lock:
            waiting = list(self._newest)
        try:
            return self._paired(waiting, frame, camera)
        except BadImageError as err:
            self._miss(DepthGap.UNUSABLE, f"depth on {self._subscription.topic} is unusable: {err}")
        except LookupError as err:
            gap = DepthGap.UNPAIRED if waiting else DepthGap.MISSING
            self._miss(gap, f"{err} on {self._subscription.wrong_types() or self._subscription.topic}{self._hint()}")
        return None

    def _hint(self) -> str:
        """The remapping that helps where only compressed depth is published; else ""."""
        topic = self._subscription.topic
        if self._subscription.publishers() or not self._node.count_publishers(topic + _COMPRESSED):
            return ""
        return f": remap depth:={topic}{_COMPRESSED}"

    def adapt(self) -> None:
        """Follow the publishers' QoS; call about once a second."""
        self._subscription.adapt()

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()

    def _paired(self, waiting: list[bytes], frame: Frame, camera: Camera) -> DepthImage:
        """The depth image in ``waiting`` nearest in time to ``frame``. Raises LookupError or BadImageError."""
        if not waiting:
            raise LookupError("no depth image")
        gaps_s = [abs(_stamp(data).nanoseconds - frame.stamp.nanoseconds) * 1e-9 for data in waiting]
        nearest = int(np.argmin(gaps_s))
        if gaps_s[nearest] > self._tolerance_s:
            raise LookupError(
                f"no depth image within depth_tolerance_s = {self._tolerance_s:g} s, the nearest in time is "
                f"{gaps_s[nearest]:.3f} s off"
            )
        return self._decode(waiting[nearest], self._scale, frame.frame_id, camera)

    def _miss(self, gap: DepthGap, explanation: str) -> None:
        """Count, keep and log why an image got no depth."""
        self.problem = explanation
        self._monitor.drop(gap)
        self._node.get_logger().warning(
            f"{explanation}: positions come from the colour image alone", throttle_duration_sec=_LOG_EVERY_S
        )


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
