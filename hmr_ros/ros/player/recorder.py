# SPDX-License-Identifier: Apache-2.0
"""A subscriber that keeps images and the bodies that the node publishes about them, for ``hmr demo``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.core.arrays import Float64s
from hmr_ros.core.people import Camera
from hmr_ros.msg import SmplBodyArray
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size
from hmr_ros.ros.input.images import decode_image
from hmr_ros.ros.node.diagnostics import OVERHEAD
from hmr_ros.ros.wire.cdr import Stamp, stamp_of
from hmr_ros.ros.wire.interfaces import TF

if TYPE_CHECKING:  # Jazzy's rclpy has no name for it
    from rclpy.subscription import MessageInfo

_JPEG_QUALITY = 95
_QOS = QoSProfile(depth=10)
_MESH_QOS = QoSProfile(depth=32)
"""Depth for one message per person."""

_WAITING_IMAGES = 60
"""Number of images kept until their bodies arrive: far more than a camera sends in the latency of the node."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One image, as ``jpeg`` (N,) bytes, and its bodies, which were published ``latency_s`` after its stamp."""

    jpeg: NDArray[np.uint8]
    camera: Camera | None
    message: SmplBodyArray
    latency_s: float

    def image(self) -> NDArray[np.uint8]:
        """The image (H, W, 3) uint8 RGB."""
        bgr = cv2.imdecode(self.jpeg, cv2.IMREAD_COLOR)
        assert bgr is not None, "encoded by the recorder itself"
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


class Recorder(Node):
    """Records while it is spun (session.Session); read ``moments``, ``image_count`` and ``rates_hz`` afterwards."""

    def __init__(self) -> None:
        super().__init__("hmr_recorder")
        self.moments: list[Moment] = []
        self.image_count = 0
        self.last_bodies_s = float("-inf")
        self.overhead_ms = float("nan")
        """The node's own time per image besides its pipeline, from /diagnostics, ms."""
        self._images: dict[int, bytes] = {}
        self._infos: dict[tuple[int, int], CameraInfo] = {}
        self._arrivals: dict[str, list[float]] = {"image": [], "bodies": [], "mesh": []}
        self._mesh_latency: dict[int, float] = {}
        self.create_subscription(Image, "image", self._on_image, _QOS, raw=True)
        self.create_subscription(CameraInfo, "camera_info", self._on_info, QoSProfile(depth=1))
        self.create_subscription(SmplBodyArray, "bodies", self._on_bodies, _QOS)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, _QOS)
        self.create_subscription(Marker, "mesh", self._on_mesh, _MESH_QOS, raw=True)
        self._count(MarkerArray, "markers")
        if TF.is_available:
            self._count(TF.message("TFMessage"), "/tf")

    def start_over(self) -> None:
        """Forget all messages received so far."""
        self.moments.clear()
        self._mesh_latency.clear()
        for arrivals in self._arrivals.values():
            arrivals.clear()

    def rates_hz(self) -> dict[str, float]:
        """Messages per second on each topic, between its first and its last."""
        return {topic: _rate_hz(arrivals) for topic, arrivals in self._arrivals.items()}

    def latencies_s(self) -> Float64s:
        """(N,) s: for each image, the time from its stamp until the node published its last mesh."""
        return np.array(list(self._mesh_latency.values()))

    def _count(self, kind: type, topic: str) -> None:
        arrivals = self._arrivals[topic] = []
        self.create_subscription(kind, topic, lambda _data: arrivals.append(time.monotonic()), _QOS, raw=True)

    def _on_mesh(self, data: bytes, info: MessageInfo) -> None:
        self._arrivals["mesh"].append(time.monotonic())
        stamp = stamp_of(data)
        self._mesh_latency[stamp.nanoseconds] = (info["source_timestamp"] - stamp.nanoseconds) * 1e-9

    def _on_image(self, data: bytes) -> None:
        self._arrivals["image"].append(time.monotonic())
        self.image_count += 1
        self._images[stamp_of(data).nanoseconds] = data
        while len(self._images) > _WAITING_IMAGES:
            self._images.pop(next(iter(self._images)))

    def _on_info(self, info: CameraInfo) -> None:
        self._infos[described_size(info)] = info

    def _on_bodies(self, message: SmplBodyArray, info: MessageInfo) -> None:
        self.last_bodies_s = time.monotonic()
        self._arrivals["bodies"].append(self.last_bodies_s)
        stamp = Stamp(message.header.stamp.sec, message.header.stamp.nanosec)
        if (data := self._images.pop(stamp.nanoseconds, None)) is not None:
            latency_s = (info["source_timestamp"] - stamp.nanoseconds) * 1e-9
            self.moments.append(self._moment(decode_image(data).image, message, latency_s))

    def _moment(self, image: NDArray[np.uint8], message: SmplBodyArray, latency_s: float) -> Moment:
        """The moment of ``image`` (H, W, 3) uint8 RGB, with the calibration received by now."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        height, width = image.shape[:2]
        camera = _camera(self._infos.get((width, height)), width, height)
        return Moment(np.asarray(jpeg, np.uint8), camera, message, latency_s)

    def _on_diagnostics(self, report: DiagnosticArray) -> None:
        namespace = self.get_namespace().lstrip("/")
        for status in report.status:
            if status.hardware_id.startswith(namespace) and status.name.endswith(": bodies"):
                values = {pair.key: pair.value for pair in status.values}
                self.overhead_ms = float(values.get(OVERHEAD, "nan"))


def _camera(info: CameraInfo | None, width: int, height: int) -> Camera | None:
    """The camera of an unrectified image of ``width`` x ``height`` px; None without a usable ``info``."""
    try:
        return None if info is None else camera_from_info(info, width, height, rectified=False)
    except BadCameraInfoError:
        return None  # the node reports why


def _rate_hz(arrivals: list[float]) -> float:
    """Mean rate of messages that arrived at these times in s."""
    if len(arrivals) < 2:
        return 0.0
    return (len(arrivals) - 1) / max(arrivals[-1] - arrivals[0], 1e-9)
