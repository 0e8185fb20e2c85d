# SPDX-License-Identifier: Apache-2.0
"""The subscriptions of a camera: the newest image in a slot, with its calibration and depth."""

from __future__ import annotations

import os
import time

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from hmr_ros.core import tracepoints
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Camera, Detections
from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.camera_info import CameraInfoInput
from hmr_ros.ros.input.camera_model import is_rectified
from hmr_ros.ros.input.depth import DepthInput
from hmr_ros.ros.input.detections import DetectionsInput
from hmr_ros.ros.input.fixed_frames import FixedFrames
from hmr_ros.ros.input.ground import ground_input
from hmr_ros.ros.input.images import DECODERS, Frame, darkness
from hmr_ros.ros.input.slot import LatestSlot
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription, how_to_take, topics_of_others
from hmr_ros.ros.input.waiting_slot import WaitingSlot
from hmr_ros.ros.input.world import world_input
from hmr_ros.ros.monitor import Drop, Monitor
from hmr_ros.ros.wire.cdr import Stamp, stamp_of
from hmr_ros.ros.wire.endpoints import several
from hmr_ros.ros.wire.transport import profiles_variable
from hmr_ros.ros.wire.types import type_name

_COMPRESSED = "/compressed"
_MESSAGE_TYPES = {"raw": Image, "compressed": CompressedImage}

_RAW_TYPE, _COMPRESSED_TYPE = (type_name(kind) for kind in (Image, CompressedImage))

_LARGE_IMAGES_HINT = (
    f"Fast DDS loses large images by default: start the camera driver with {profiles_variable(os.environ)}=(config/"
    "fastdds.xml of hmr_ros), or subscribe compressed images (image_transport:=compressed)"
)


class CameraInput:
    """Subscribes ``image`` or ``image/compressed``, its ``camera_info`` and, with ``use_depth``, ``depth``.

    ``slot`` holds the newest image; the thread that takes it calls ``camera`` and ``depth`` for it.
    """

    def __init__(self, node: Node, config: RobotConfig, monitor: Monitor, frames: FixedFrames) -> None:
        """``frames`` of TF, which their owner closes."""
        self.slot: LatestSlot[bytes] | WaitingSlot = LatestSlot()
        self._node = node
        self._monitor = monitor
        self._started_s = time.monotonic()
        self._decode = DECODERS[config.image_transport]
        self._bit_depth = BitDepth()
        self._image_problem = ""
        self._rivals = ""

        base, topic = image_topics(node, config.image_transport)
        self._base = base
        self._infos = CameraInfoInput(node, base, rectified=is_rectified(config.rectified, base))
        self._depth = DepthInput(node, config, monitor) if config.use_depth else None
        self._ground = ground_input(frames, config.ground_frame)
        self._world = world_input(frames, config.world_frame)
        self._detections: DetectionsInput | None = None
        if config.detections.is_external:
            self.slot = WaitingSlot(self._is_ready, config.detections.timeout_s, self._drop_replaced)
            self._detections = DetectionsInput(node, config, monitor, self.slot.wake)
        self._images = AdaptiveSubscription(node, _MESSAGE_TYPES[config.image_transport], topic, self._on_image)
        node.get_logger().info(f"waiting for images on {topic} and calibration on {self._infos.topic}")

    def _on_image(self, data: bytes) -> None:
        if (recorder := tracepoints.recorder()) is not None:
            recorder.arrived(stamp_of(data).nanoseconds)
        self._monitor.receive()
        if self.slot.put(data):
            self._drop_replaced()

    def _is_ready(self, stamp: Stamp) -> bool:
        """Whether the image with ``stamp`` need not wait for detections."""
        return self._detections is not None and self._detections.is_ready(stamp)

    def _drop_replaced(self) -> None:
        self._monitor.drop(Drop.REPLACED)

    def decode(self, data: bytes) -> Frame:
        """The image in a serialised message of the slot. Raises BadImageError."""
        frame = self._decode(data, self._bit_depth)
        self._image_problem = darkness(frame.image)
        return frame

    def camera(self, frame: Frame, timeout_s: float) -> Camera | None:
        """The camera that took ``frame``; None when its calibration is unusable (see CameraInfoInput.camera)."""
        return self._infos.camera(frame, timeout_s)

    def depth(self, frame: Frame, camera: Camera | None) -> DepthImage | None:
        """The depth of ``frame``, which ``camera`` took; None when there is none (see DepthInput.of)."""
        if self._depth is None or camera is None:
            return None
        return self._depth.of(frame, camera)

    def detections(self, frame: Frame) -> Detections | None:
        """The people in ``frame`` as another detector finds them; None when it does not, or ours does."""
        return None if self._detections is None else self._detections.of(frame)

    def ground(self, frame: Frame, camera: Camera | None, config: RobotConfig) -> Ground | None:
        """The ground below the camera of ``frame``; None when none is stated, or known (see GroundInput.of)."""
        if self._ground is None or camera is None:
            return None
        return self._ground.of(frame, config)

    def world(self, frame: Frame, config: RobotConfig) -> Transform | None:
        """From the optical frame of ``frame`` into the world; None when none is named, or known (see WorldInput.of)."""
        return None if self._world is None else self._world.of(frame, config)

    def adapt(self) -> None:
        """Follow the publishers' QoS; call about once a second."""
        self._images.adapt()
        self._infos.adapt(self._monitor.received_count)
        self._warn_of_rivals()
        for optional in (self._depth, self._detections):
            if optional is not None:
                optional.adapt()

    def problem(self, timeout_s: float) -> str:
        """Why no image, or nothing of another detector, arrived for ``timeout_s``; "" when both did."""
        last_s = max(self._monitor.last_received_s(), self._started_s)
        silence_s = time.monotonic() - last_s
        if silence_s <= timeout_s:
            return "" if self._detections is None else self._detections.silence(timeout_s)
        if not self._images.publishers():
            wrong, hint = self._images.wrong_types(), self._hint()
            return f"no publisher of {wrong or self._images.topic}{hint or ('' if wrong else self._elsewhere())}"
        return f"no image for {silence_s:.0f} s, though {self._images.topic} has a publisher. {_LARGE_IMAGES_HINT}"

    def _hint(self) -> str:
        """Which topics are there with images of other transports, and which parameter helps; "" where none are."""
        found = {
            name: types[0]
            for name, types in self._node.get_topic_names_and_types()
            if (name == self._base or name.startswith(self._base + "/")) and self._node.count_publishers(name)
        }
        found.pop(self._images.topic, None)
        other = _COMPRESSED if self._images.type_name == _RAW_TYPE else ""
        if found.get(self._base + other) == (_COMPRESSED_TYPE if other else _RAW_TYPE):
            transport = "compressed" if other else "raw"
            return f", but there is a publisher of {self._base}{other}: set image_transport to {transport}"
        if self._types(self._base) == {_COMPRESSED_TYPE}:
            return (
                f". {self._base} carries {_COMPRESSED_TYPE} under a name without {_COMPRESSED}: set image_transport to "
                f"compressed, and remap image{_COMPRESSED}:={self._base}"
            )
        transports = [f"{name} ({type_})" for name, type_ in found.items() if "info" not in name.rpartition("/")[2]]
        return f", but of {', '.join(transports)}: publish a transport raw or compressed" if transports else ""

    def _elsewhere(self) -> str:
        """Which other topics carry images of other nodes, and how to take one."""
        found = topics_of_others(self._node, _RAW_TYPE, _COMPRESSED_TYPE)
        topics = sorted({name.removesuffix(_COMPRESSED) for name in found})
        if not topics:
            domain = os.environ.get("ROS_DOMAIN_ID", "0")
            return f" nor of other images: does the camera run, with ROS_DOMAIN_ID {domain}?"
        return f"; there are images {how_to_take(topics, 'image')}"

    def _types(self, topic: str) -> set[str]:
        return {publisher.topic_type for publisher in self._node.get_publishers_info_by_topic(topic)}

    def calibration_problem(self) -> str:
        """The problem of calibration, depth, detections, ground or world of the last image, or its own; "" if none."""
        parts = (self._depth, self._detections, self._ground, self._world)
        optional = (part.problem for part in parts if part is not None)
        return self.rivals() or self._infos.problem or next(filter(None, optional), "") or self._image_problem

    def rivals(self, separator: str = "") -> str:
        """The problem, after ``separator``, when several cameras publish the images; "" when one does."""
        found = several(self._images.topic, self._images.publishers())
        return f"{separator}{found}: give each camera its own topic" if found else ""

    def _warn_of_rivals(self) -> None:
        """Log the publishers once for as long as they are the same."""
        rivals = self.rivals()
        if rivals and rivals != self._rivals:
            self._node.get_logger().warning(rivals)
        self._rivals = rivals

    def close(self) -> None:
        """Unsubscribe, and wake the thread that waits for an image."""
        for subscription in (self._images, self._infos, self._depth, self._detections):
            if subscription is not None:
                subscription.close()
        self.slot.close()


def image_topics(node: Node, transport: str) -> tuple[str, str]:
    """The image topic without its transport, which camera_info lies beside, and the topic to subscribe.

    ``image/compressed`` may be remapped on its own, for a camera with another name for it.
    """
    base = node.resolve_topic_name("image").removesuffix(_COMPRESSED)
    if transport != "compressed":
        return base, base
    resolved = node.resolve_topic_name("image" + _COMPRESSED)
    unmapped = f"{node.get_namespace().rstrip('/')}/image{_COMPRESSED}"
    return (base, base + _COMPRESSED) if resolved == unmapped else (resolved.removesuffix(_COMPRESSED), resolved)
