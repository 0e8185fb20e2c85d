# SPDX-License-Identifier: Apache-2.0
"""A subscriber for who looks on: bodies as they come, each with the image that it belongs to."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.core import arrays
from hmr_ros.core.bounded import Bounded
from hmr_ros.core.people import Camera
from hmr_ros.msg import SmplBodyArray
from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, is_rectified
from hmr_ros.ros.input.images import DECODERS, BadImageError
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.wire.cdr import Stamp, stamp_of
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.qos import AS_OFFERED

_KEPT_IMAGES = 30
"""Images that wait for their bodies: more than a camera sends within the latency of the node."""

_REQUESTED = copy.copy(AS_OFFERED)
_REQUESTED.depth = 10
"""Reliable where the camera is: DDS loses large images otherwise."""

_ADAPTS_EVERY_S = 1.0

_PATIENCE = 3
"""Large images may come after their bodies: so many later bodies are waited for."""

_MOST_WAITING = 100
"""Bodies that wait to be shown; of older ones no one learns."""


@dataclass(frozen=True, eq=False)
class Sight:
    """The bodies of one image; ``image`` (H, W, 3) uint8 RGB and ``camera`` are None where they did not come."""

    message: SmplBodyArray
    image: arrays.Image | None
    camera: Camera | None


class Watcher(Node):
    """Subscribes ``bodies``, ``image_topic`` and the camera_info beside it; ``sights`` is filled while it is spun.

    Compressed images are those of a topic that ends in /compressed. A rectified image is one of ``image_rect``.
    """

    def __init__(self, image_topic: str) -> None:
        super().__init__("hmr_watcher")
        self.sights: deque[Sight] = deque(maxlen=_MOST_WAITING)
        base = image_topic.removesuffix("/compressed")
        where = base.rpartition("/")[0]
        is_compressed = base != image_topic
        self._is_rectified = is_rectified("auto", base)
        self._decode = DECODERS["compressed" if is_compressed else "raw"]
        self._depth = BitDepth()
        self._waiting: deque[SmplBodyArray] = deque()
        self._images = Bounded[int, bytes](_KEPT_IMAGES)
        self._info: CameraInfo | None = None
        info_topic = f"{where}/camera_info" if where or base.startswith("/") else "camera_info"
        kind = CompressedImage if is_compressed else Image
        self._inputs = (
            AdaptiveSubscription(self, kind, image_topic, self._on_image, _REQUESTED),
            AdaptiveSubscription(self, CameraInfo, info_topic, self._on_info, _REQUESTED),
        )
        self.create_timer(_ADAPTS_EVERY_S, self._adapt)
        self.create_subscription(SmplBodyArray, "bodies", self._on_bodies, QoSProfile(depth=10))

    def _on_image(self, data: bytes) -> None:
        self._images[stamp_of(data).nanoseconds] = data
        self._release()

    def _on_info(self, data: bytes) -> None:
        self._info = deserialise(data, CameraInfo)

    def _adapt(self) -> None:
        for each in self._inputs:
            each.adapt()

    def _on_bodies(self, message: SmplBodyArray) -> None:
        self._waiting.append(message)
        self._release()

    def _release(self) -> None:
        """Show, in their order, bodies whose image has come, and those before them; or that have waited for long."""
        while self._waiting:
            has_come = any(_stamp_ns(message) in self._images for message in self._waiting)
            if not has_come and len(self._waiting) <= _PATIENCE:
                return
            message = self._waiting.popleft()
            image = self._decoded(self._images.pop(_stamp_ns(message), None))
            self.sights.append(Sight(message, image, self._camera(image)))

    def _decoded(self, data: bytes | None) -> arrays.Image | None:
        try:
            return None if data is None else self._decode(data, self._depth).image
        except BadImageError:
            return None  # the node reports why

    def _camera(self, image: arrays.Image | None) -> Camera | None:
        if self._info is None or image is None:
            return None
        try:
            return camera_from_info(self._info, image.shape[1], image.shape[0], rectified=self._is_rectified)
        except BadCameraInfoError:
            return None  # the node reports why


def _stamp_ns(message: SmplBodyArray) -> int:
    return Stamp(message.header.stamp.sec, message.header.stamp.nanosec).nanoseconds
