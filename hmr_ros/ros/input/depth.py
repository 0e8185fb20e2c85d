# SPDX-License-Identifier: Apache-2.0
"""Depth images, subscribed: the one that belongs to an image."""

from __future__ import annotations

import threading
from collections import deque
from enum import StrEnum

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Camera
from hmr_ros.ros.input.depth_messages import COMPRESSED, decoder_of, nearest
from hmr_ros.ros.input.images import BadImageError, Frame
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.monitor import Monitor

_KEPT = 6
"""Number of depth images kept until an image asks for one: a camera sends fewer while an image is processed."""

_LOG_EVERY_S = 10.0


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
        self._decode = decoder_of(topic)
        kind = CompressedImage if topic.endswith(COMPRESSED) else Image
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
        if self._subscription.publishers() or not self._node.count_publishers(topic + COMPRESSED):
            return ""
        return f": remap depth:={topic}{COMPRESSED}"

    def adapt(self) -> None:
        """Follow the publishers' QoS; call about once a second."""
        self._subscription.adapt()

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()

    def _paired(self, waiting: list[bytes], frame: Frame, camera: Camera) -> DepthImage:
        """The depth image in ``waiting`` nearest in time to ``frame``. Raises LookupError or BadImageError."""
        data = nearest(waiting, frame.stamp, self._tolerance_s)
        return self._decode(data, self._scale, frame.frame_id, camera)

    def _miss(self, gap: DepthGap, explanation: str) -> None:
        """Count, keep and log why an image got no depth."""
        self.problem = explanation
        self._monitor.drop(gap)
        self._node.get_logger().warning(
            f"{explanation}: positions come from the colour image alone", throttle_duration_sec=_LOG_EVERY_S
        )
