"""The camera's two topics: the newest image in a slot, the newest CameraInfo beside it.

Camera drivers differ in the quality of service they offer, and Fast DDS drops large best-effort images in its default
configuration; so we look at what each publisher offers and ask for the best of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Camera
from hmr_ros.ros.cdr import STAMP_END
from hmr_ros.ros.diagnostics import Drop, Monitor
from hmr_ros.ros.images import BadCameraInfoError, Frame, camera_from_info, described_size
from hmr_ros.ros.slot import LatestSlot

_Message = TypeVar("_Message", CameraInfo, bytes)

_COMPRESSED = "/compressed"
_MESSAGE_TYPES = {"raw": Image, "compressed": CompressedImage}

_NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
"""rclpy would warn about a publisher that offers less than we ask; ``adapt`` sees it and asks for less."""

LARGE_DATA_HINT = (
    "Fast DDS drops large images by default: set FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA for the camera driver and for "
    "this node, or subscribe compressed images (image_transport:=compressed)"
)


class AdaptiveSubscription(Generic[_Message]):
    """A keep-last-1 subscription that asks for what every publisher of the topic offers.

    ``adapt`` is to be called now and then: publishers come and go, and QoS is fixed when a subscription is made.
    """

    def __init__(
        self, node: Node, message_type: type, topic: str, callback: Callable[[_Message], None], *, raw: bool
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._callback: Callable[[_Message], None] = callback
        self._raw = raw
        self._subscription: Subscription[Any] | None = None
        self.topic = topic
        self.adapt()

    def adapt(self) -> None:
        """Subscribe, or subscribe anew when the publishers' offers have changed."""
        publishers = self.publishers()
        wanted = best_offered(publishers)
        if self._subscription is not None:
            if not publishers:
                return  # whoever comes next probably offers what the last one did
            current = self._subscription.qos_profile
            if (current.reliability, current.durability) == (wanted.reliability, wanted.durability):
                return
            self._node.get_logger().info(f"{self.topic}: subscribing anew, {wanted.reliability.name}")
            self.close()
        self._subscription = self._node.create_subscription(
            self._message_type, self.topic, self._callback, wanted, raw=self._raw, event_callbacks=_NO_EVENTS
        )

    def publishers(self) -> list[TopicEndpointInfo]:
        """Who publishes the topic."""
        return self._node.get_publishers_info_by_topic(self.topic)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None


def best_offered(publishers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """Keep the last message; reliable and transient local where all ``publishers`` are.

    Asking more than a publisher offers would receive nothing, so without publishers we ask for the least.
    """
    offers = [publisher.qos_profile for publisher in publishers]
    reliable = bool(offers) and all(o.reliability is ReliabilityPolicy.RELIABLE for o in offers)
    latched = bool(offers) and all(o.durability is DurabilityPolicy.TRANSIENT_LOCAL for o in offers)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,  # more would have Fast DDS hold back new messages, up to a second, until a lost one is sent again
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


class CameraInput:
    """Subscribes ``image`` (or its compressed sibling) and its ``camera_info``; ``slot`` holds the newest image."""

    def __init__(self, node: Node, config: RobotConfig, monitor: Monitor) -> None:
        self.slot: LatestSlot[bytes] = LatestSlot()
        self._node = node
        self._monitor = monitor
        self._infos_by_size: dict[tuple[int, int], CameraInfo] = {}
        self._newest_info: CameraInfo | None = None
        self._newest_calibration = b""
        self._cameras_by_size: dict[tuple[int, int], tuple[CameraInfo, Camera]] = {}
        self._problem = ""
        self._warned: set[str] = set()
        self._started_s = time.monotonic()

        base = node.resolve_topic_name("image").removesuffix(_COMPRESSED)
        topic = base + _COMPRESSED if config.image_transport == "compressed" else base
        self._rectified = _is_rectified(config.rectified, base)
        self._infos = AdaptiveSubscription[bytes](
            node, CameraInfo, camera_info_topic(node, base), self._on_info, raw=True
        )
        self._images = AdaptiveSubscription[bytes](
            node, _MESSAGE_TYPES[config.image_transport], topic, self._on_image, raw=True
        )
        node.get_logger().info(f"waiting for images on {topic} and calibration on {self._infos.topic}")

    def _on_image(self, data: bytes) -> None:
        self._monitor.receive()
        if self.slot.put(data):
            self._monitor.drop(Drop.REPLACED)

    def _on_info(self, data: bytes) -> None:
        """A camera says the same with every image, but for the stamp: only what is new is looked at."""
        if (calibration := data[STAMP_END:]) == self._newest_calibration:
            return
        self._newest_calibration = calibration
        try:
            info = deserialize_message(data, CameraInfo)
        except RuntimeError as err:  # a broken message must not end the node
            self._complain(f"CameraInfo on {self._infos.topic} cannot be read: {err}")
            return
        self._newest_info = self._infos_by_size[described_size(info)] = info

    def camera(self, frame: Frame, timeout_s: float) -> Camera | None:
        """The camera that took ``frame``; None, with one warning per cause, when its calibration is unusable.

        It is the newest calibration for the size of the image: the one of the same stamp may come late, or get lost.
        A calibration that has not come is not complained about before ``timeout_s``.
        """
        height, width = frame.image.shape[:2]
        info = self._infos_by_size.get((width, height), self._newest_info)
        if info is None:
            if time.monotonic() - self._started_s > timeout_s:
                self._complain(f"no CameraInfo on {self._infos.topic}")
            return None
        known, camera = self._cameras_by_size.get((width, height), (None, None))
        if known is not info:
            try:
                camera = camera_from_info(info, width, height, rectified=self._rectified)
            except BadCameraInfoError as err:
                self._complain(f"CameraInfo on {self._infos.topic} is unusable: {err}")
                return None
            self._cameras_by_size[width, height] = info, camera
        self._problem = ""
        return camera

    def _complain(self, cause: str) -> None:
        self._problem = cause
        if cause not in self._warned:
            self._warned.add(cause)
            self._node.get_logger().warning(f"{cause}. Publishing 2D keypoints only, no positions, no meshes.")

    def adapt(self) -> None:
        """Look at the publishers again; call about once a second."""
        self._images.adapt()
        self._infos.adapt()

    def problem(self, timeout_s: float) -> str:
        """What is wrong with the images, or "" when one came within ``timeout_s``."""
        last_s = max(self._monitor.last_received_s(), self._started_s)
        silence_s = time.monotonic() - last_s
        if silence_s <= timeout_s:
            return ""
        if not self._images.publishers():
            return f"no publisher of {self._images.topic}{self._other_transport()}"
        return f"no image for {silence_s:.0f} s, though {self._images.topic} has a publisher. {LARGE_DATA_HINT}"

    def _other_transport(self) -> str:
        """A hint when the camera offers the transport that we did not ask for."""
        topic = self._images.topic
        other = topic.removesuffix(_COMPRESSED) if topic.endswith(_COMPRESSED) else topic + _COMPRESSED
        if not self._node.count_publishers(other):
            return ""
        return f", but there is one of {other}: set image_transport to {'compressed' if other > topic else 'raw'}"

    def calibration_problem(self) -> str:
        """What is wrong with the calibration of the last image, "" as long as nothing is known to be."""
        return self._problem

    def close(self) -> None:
        """Unsubscribe, and wake whoever waits for an image."""
        self._images.close()
        self._infos.close()
        self.slot.close()


def camera_info_topic(node: Node, image_topic: str) -> str:
    """``camera_info`` beside the image (as image_transport has it), unless it was remapped on its own."""
    resolved = node.resolve_topic_name("camera_info")
    unmapped = f"{node.get_namespace().rstrip('/')}/camera_info"
    return resolved if resolved != unmapped else f"{image_topic.rpartition('/')[0]}/camera_info"


def _is_rectified(setting: str, image_topic: str) -> bool:
    """Images that image_proc rectified are called ``image_rect`` or ``image_rect_color``."""
    return setting == "always" or (setting == "auto" and image_topic.rpartition("/")[2].startswith("image_rect"))
