# SPDX-License-Identifier: Apache-2.0
"""Depth images -> what was measured of the image at hand."""

from __future__ import annotations

import threading
from collections import deque
from enum import StrEnum

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Camera
from hmr_ros.ros.input.images import BadImageError, BadImageReason, Frame, check_size, pixel_rows
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire.cdr import CdrError, Stamp, read_image, stamp_of

_KEPT = 6
"""Depth images that wait for theirs; a camera sends no more of them while one image is processed."""

_LOG_EVERY_S = 10.0
_BYTES = {"16UC1": 2, "mono16": 2, "32FC1": 4}
"""Bytes per pixel by encoding (REP-118: z in mm as integers, or in m as floats; mono16 is what some drivers write)."""


class DepthGap(StrEnum):
    """Why an image was processed without depth; the names that diagnostics count."""

    MISSING = "depth_missing"
    UNPAIRED = "depth_unpaired"
    UNUSABLE = "depth_unusable"


class DepthInput:
    """Subscribes ``depth``, registered to the colour image, of any resolution with its proportions.

    An image takes the depth image with the nearest stamp, if it is near enough, and never waits for one. ``problem``
    says what is wrong with the last one that was to be taken, "" when nothing is.
    """

    def __init__(self, node: Node, config: RobotConfig, monitor: Monitor) -> None:
        self.problem = ""
        self._node = node
        self._monitor = monitor
        self._scale = config.depth_scale
        self._tolerance_s = config.depth_tolerance_s
        self._lock = threading.Lock()
        self._newest: deque[bytes] = deque(maxlen=_KEPT)
        self._subscription = AdaptiveSubscription(node, Image, node.resolve_topic_name("depth"), self._receive)

    def _receive(self, data: bytes) -> None:
        with self._lock:
            self._newest.append(data)

    def of(self, frame: Frame, camera: Camera) -> DepthImage | None:
        """The depth of ``frame``, which ``camera`` took; None, counted by its reason, where there is none."""
        self.problem = ""
        with self._lock:
            waiting = list(self._newest)
        try:
            return self._paired(waiting, frame, camera)
        except BadImageError as err:
            self._miss(DepthGap.UNUSABLE, f"depth on {self._subscription.topic} is unusable: {err}")
        except LookupError as err:
            gap = DepthGap.UNPAIRED if waiting else DepthGap.MISSING
            self._miss(gap, f"{err} on {self._subscription.topic}")
        return None

    def adapt(self) -> None:
        """Look at the publishers again; call about once a second."""
        self._subscription.adapt()

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()

    def _paired(self, waiting: list[bytes], frame: Frame, camera: Camera) -> DepthImage:
        """Raises LookupError where none of ``waiting`` belongs to ``frame``, or BadImageError."""
        if not waiting:
            raise LookupError("no depth image")
        gaps_s = [abs(_stamp(data).nanoseconds - frame.stamp.nanoseconds) * 1e-9 for data in waiting]
        nearest = int(np.argmin(gaps_s))
        if gaps_s[nearest] > self._tolerance_s:
            raise LookupError(
                f"no depth image within depth_tolerance_s = {self._tolerance_s:g} s, the nearest in time is "
                f"{gaps_s[nearest]:.3f} s off"
            )
        return decode_depth(waiting[nearest], self._scale, frame.frame_id, camera)

    def _miss(self, gap: DepthGap, explanation: str) -> None:
        self.problem = explanation
        self._monitor.drop(gap)
        self._node.get_logger().warning(
            f"{explanation}: people are placed by the colour image alone", throttle_duration_sec=_LOG_EVERY_S
        )


def decode_depth(data: bytes, scale: float, frame_id: str, camera: Camera) -> DepthImage:
    """A serialised sensor_msgs/Image with ``scale`` m per unit of an integer, or m as floats.

    Raises BadImageError, also for depth that is not registered to the images of ``camera``, which are in ``frame_id``.
    """
    try:
        raw = read_image(data)
    except CdrError as err:
        raise BadImageError(BadImageReason.BROKEN_MESSAGE, str(err)) from err
    check_size(raw.height, raw.width)
    if raw.encoding not in _BYTES:
        expected = f"encoding {raw.encoding!r} is none of {', '.join(_BYTES)}"
        raise BadImageError(BadImageReason.UNKNOWN_ENCODING, expected)
    if raw.frame_id and frame_id and raw.frame_id != frame_id:
        raise BadImageError(
            BadImageReason.BAD_SIZE,
            f"it is in frame {raw.frame_id!r}, the image in {frame_id!r}: subscribe depth that is registered to colour",
        )
    # Rounded to whole pixels, either side may be off by one.
    if abs(raw.width * camera.height - raw.height * camera.width) > max(camera.width, camera.height):
        raise BadImageError(
            BadImageReason.BAD_SIZE,
            f"{raw.width} x {raw.height} px have not the proportions of the image's {camera.width} x {camera.height}: "
            "subscribe depth that is registered to colour",
        )
    size, order = _BYTES[raw.encoding], ">" if raw.is_bigendian else "<"
    values = np.ascontiguousarray(pixel_rows(raw, size)).view(f"{order}{'f4' if size == 4 else 'u2'}")
    return DepthImage(values.astype(np.float32) if size == 4 else values * np.float32(scale))


def _stamp(data: bytes) -> Stamp:
    """Of a message that may be broken: such a one has a stamp far from any image's."""
    try:
        return stamp_of(data)
    except CdrError:
        return Stamp(0, 0)
