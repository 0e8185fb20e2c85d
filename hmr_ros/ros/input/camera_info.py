# SPDX-License-Identifier: Apache-2.0
"""Calibration from CameraInfo: which message belongs to an image, and the problem where none does."""

from __future__ import annotations

import time

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo

from hmr_ros.core.bounded import Bounded
from hmr_ros.core.people import Camera
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription, how_to_take, topics_of_others
from hmr_ros.ros.wire.cdr import STAMP_END
from hmr_ros.ros.wire.types import type_name

_WINDOW_S = 10.0
_LARGEST_RATIO = 3
"""image_transport publishes image and camera_info in pairs. A larger ratio of their rates points to a mistake, such as
the calibration of another camera. Results do not depend on it: the newest calibration is used for all images."""

_SIZES, _TEXTS = 8, 64
"""Image sizes and warnings that are remembered: more than any camera has, whatever a broken one sends."""


class CameraInfoInput:
    """Subscribes ``camera_info``. The executor's thread receives; another thread may call ``camera``.

    ``problem`` is that of the calibration of the last image, "" when there is none.
    """

    def __init__(self, node: Node, image_topic: str, *, rectified: bool) -> None:
        self.problem = ""
        self._node = node
        self._rectified = rectified
        self._by_size = Bounded[tuple[int, int], CameraInfo](_SIZES)
        self._newest: CameraInfo | None = None
        self._newest_bytes = b""
        self._cameras_by_size = Bounded[tuple[int, int], tuple[CameraInfo, Camera]](_SIZES)
        self._warned = Bounded[str, None](_TEXTS)
        self._started_s = self._counted_from_s = time.monotonic()
        self._images_before: int | None = None  # the first count may include images of an earlier activation
        self._infos = 0
        topic = camera_info_topic(node, image_topic)
        self._subscription = AdaptiveSubscription(node, CameraInfo, topic, self._receive)

    @property
    def topic(self) -> str:
        """The topic that calibration is expected on."""
        return self._subscription.topic

    def camera(self, frame: Frame, timeout_s: float) -> Camera | None:
        """The camera that took ``frame``; None, with one warning per cause, when its calibration is unusable.

        It is the newest calibration for the size of the image: that of the same stamp may be late or lost. A missing
        calibration is reported only after ``timeout_s``.
        """
        height, width = frame.image.shape[:2]
        info = self._by_size.get((width, height), self._newest)
        if info is None:
            if time.monotonic() - self._started_s > timeout_s:
                self._refuse(f"no CameraInfo on {self._subscription.wrong_types() or self.topic + self._elsewhere()}")
            return None
        try:
            camera = self._read(info, width, height)
        except BadCameraInfoError as err:
            self._refuse(f"CameraInfo on {self.topic} is unusable: {err}")
            return None
        self._compare_frames(frame.frame_id, bare_frame(info.header.frame_id))
        return camera

    def adapt(self, images_received: int) -> None:
        """Follow the publishers' QoS and compare the rates; ``images_received`` so far. Call about once a second."""
        self._subscription.adapt()
        if self._images_before is None:
            self._images_before = images_received
        if time.monotonic() - self._counted_from_s >= _WINDOW_S:
            self._compare_rates(images_received - self._images_before, self._infos)
            self._images_before, self._infos, self._counted_from_s = images_received, 0, time.monotonic()

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()

    def _elsewhere(self) -> str:
        """Which other topics carry calibration, and how to take one."""
        topics = topics_of_others(self._node, type_name(CameraInfo))
        if not topics:
            return " nor on another topic: drivers publish it once the camera is calibrated"
        return f"; there is one {how_to_take(topics, 'camera_info')}"

    def _read(self, info: CameraInfo, width: int, height: int) -> Camera:
        """``info`` as the camera of an image of ``width`` x ``height`` px, read once. Raises BadCameraInfoError."""
        last = self._cameras_by_size.get((width, height))
        if last is not None and last[0] is info:
            return last[1]
        camera = camera_from_info(info, width, height, rectified=self._rectified)
        self._cameras_by_size[width, height] = info, camera
        return camera

    def _receive(self, data: bytes) -> None:
        """Keep a calibration that differs from the last one: cameras repeat it with every image under another stamp."""
        self._infos += 1
        if (calibration := data[STAMP_END:]) == self._newest_bytes:
            return
        self._newest_bytes = calibration
        try:
            info = deserialize_message(data, CameraInfo)
        except RuntimeError as err:  # a broken message must not end the node
            self._refuse(f"CameraInfo on {self.topic} cannot be read: {err}")
            return
        self._newest = self._by_size[described_size(info)] = info

    def _compare_rates(self, images: int, infos: int) -> None:
        """Warn where the rates differ, unless calibration is latched; silence of either is reported elsewhere."""
        if 0 < _LARGEST_RATIO * min(images, infos) < max(images, infos) and not self._subscription.is_latched:
            self._warn(
                f"{images} images and {infos} CameraInfo on {self.topic} in {_WINDOW_S:g} s: is this the calibration "
                "of this camera? (Fast DDS with its default profile loses some that large images follow.) The newest "
                "is used for all images",
                once_for="rates",  # the numbers differ each time
            )

    def _compare_frames(self, of_image: str, of_info: str) -> None:
        """Set ``problem`` where image and CameraInfo are not in the same frame; results are in that of the image."""
        self.problem = ""
        if not of_image:
            self.problem = "images have no header.frame_id: TF, RViz and planners get no people"
        elif of_info and of_image != of_info:
            self.problem = (
                f"images are in frame {of_image!r}, the CameraInfo on {self.topic} in {of_info!r}: is it this camera's?"
            )
        if self.problem:
            self._warn(self.problem)

    def _refuse(self, cause: str) -> None:
        """Make ``cause`` the problem, and warn once."""
        self.problem = cause
        self._warn(f"{cause}. Publishing 2D keypoints only, no positions, no meshes.")

    def _warn(self, text: str, once_for: str = "") -> None:
        """Log a warning once per ``once_for``, or per text."""
        if (cause := once_for or text) not in self._warned:
            self._warned[cause] = None
            self._node.get_logger().warning(text)


def camera_info_topic(node: Node, image_topic: str) -> str:
    """``camera_info`` in the namespace of the image topic, as in image_transport, unless it was remapped itself."""
    resolved = node.resolve_topic_name("camera_info")
    unmapped = f"{node.get_namespace().rstrip('/')}/camera_info"
    return resolved if resolved != unmapped else f"{image_topic.rpartition('/')[0]}/camera_info"
