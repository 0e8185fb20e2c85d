# SPDX-License-Identifier: Apache-2.0
"""The calibration that comes beside the images: which of it is theirs, and what is wrong with it."""

from __future__ import annotations

import time

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo

from hmr_ros.core.people import Camera
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.wire.cdr import STAMP_END

_WINDOW_S = 10.0
_LARGEST_RATIO = 3
"""As image_transport has it: image and camera_info go in pairs. More of one than so many times the other is a mistake
somewhere, be it another camera's calibration; it does no harm here, where the newest calibration serves all images."""


class CameraInfoInput:
    """Subscribes ``camera_info``; the executor's thread receives, another one may ask.

    ``problem`` says what is wrong with the calibration of the last image, "" as long as nothing is known to be.
    """

    def __init__(self, node: Node, image_topic: str, *, rectified: bool) -> None:
        self.problem = ""
        self._node = node
        self._rectified = rectified
        self._by_size: dict[tuple[int, int], CameraInfo] = {}
        self._newest: CameraInfo | None = None
        self._newest_bytes = b""
        self._cameras_by_size: dict[tuple[int, int], tuple[CameraInfo, Camera]] = {}
        self._warned: set[str] = set()
        self._started_s = self._counted_from_s = time.monotonic()
        self._images_before: int | None = None  # the first count may hold those of an earlier activation
        self._infos = 0
        topic = camera_info_topic(node, image_topic)
        self._subscription = AdaptiveSubscription(node, CameraInfo, topic, self._receive)

    @property
    def topic(self) -> str:
        """Where calibration is expected."""
        return self._subscription.topic

    def camera(self, frame: Frame, timeout_s: float) -> Camera | None:
        """The camera that took ``frame``; None, with one warning per cause, when its calibration is unusable.

        It is the newest calibration for the size of the image: the one of the same stamp may come late, or get lost.
        A calibration that has not come is not complained about before ``timeout_s``.
        """
        height, width = frame.image.shape[:2]
        info = self._by_size.get((width, height), self._newest)
        if info is None:
            if time.monotonic() - self._started_s > timeout_s:
                self._refuse(f"no CameraInfo on {self.topic}")
            return None
        read = self._cameras_by_size.get((width, height))
        if read is None or read[0] is not info:
            try:
                read = info, camera_from_info(info, width, height, rectified=self._rectified)
            except BadCameraInfoError as err:
                self._refuse(f"CameraInfo on {self.topic} is unusable: {err}")
                return None
            self._cameras_by_size[width, height] = read
        self._compare_frames(frame.frame_id, info.header.frame_id)
        return read[1]

    def adapt(self, images_received: int) -> None:
        """Look at the publishers again, and at the rates; call about once a second."""
        self._subscription.adapt()
        if self._images_before is None:
            self._images_before = images_received
        if time.monotonic() - self._counted_from_s >= _WINDOW_S:
            self._compare_rates(images_received - self._images_before, self._infos)
            self._images_before, self._infos, self._counted_from_s = images_received, 0, time.monotonic()

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()

    def _receive(self, data: bytes) -> None:
        """A camera says the same with every image, but for the stamp: only what is new is looked at."""
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
        """Of the last window. What is latched need come only once; that none came, of either, is told elsewhere."""
        if 0 < _LARGEST_RATIO * min(images, infos) < max(images, infos) and not self._subscription.is_latched:
            self._warn(
                f"{images} images and {infos} CameraInfo on {self.topic} in {_WINDOW_S:g} s: is this the calibration "
                "of this camera? (Fast DDS as it comes loses some that large images follow.) The newest is used for "
                "all images",
                once_for="rates",  # the numbers differ each time
            )

    def _compare_frames(self, of_image: str, of_info: str) -> None:
        """Both should name the optical frame of the one camera; what is published is in the image's."""
        self.problem = ""
        if not of_image:
            self.problem = "images name no frame (header.frame_id): TF will not have people, RViz and planners neither"
        elif of_info and of_image != of_info:
            self.problem = (
                f"images are in frame {of_image!r}, the CameraInfo on {self.topic} in {of_info!r}: is it this camera's?"
            )
        if self.problem:
            self._warn(self.problem)

    def _refuse(self, cause: str) -> None:
        self.problem = cause
        self._warn(f"{cause}. Publishing 2D keypoints only, no positions, no meshes.")

    def _warn(self, text: str, once_for: str = "") -> None:
        if (cause := once_for or text) not in self._warned:
            self._warned.add(cause)
            self._node.get_logger().warning(text)


def camera_info_topic(node: Node, image_topic: str) -> str:
    """``camera_info`` beside the image (as image_transport has it), unless it was remapped on its own."""
    resolved = node.resolve_topic_name("camera_info")
    unmapped = f"{node.get_namespace().rstrip('/')}/camera_info"
    return resolved if resolved != unmapped else f"{image_topic.rpartition('/')[0]}/camera_info"
