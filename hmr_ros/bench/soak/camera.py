# SPDX-License-Identifier: Apache-2.0
"""The camera of ``make soak``: it can be unplugged, fall silent, break its images and have a wrong clock."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from hmr_ros.bench.soak.scene import HEIGHT, WIDTH, Scene
from hmr_ros.ros.player.calibration import from_focal_length
from hmr_ros.ros.wire.cdr import Stamp, write_image
from hmr_ros.ros.wire.messages import header

_FRAME = "camera_optical_frame"
_FOCAL_PX = 500.0


@dataclass(frozen=True)
class Fault:
    """What is wrong with a camera; by default nothing.

    ``broken``: the fraction of its images that is broken. ``offset_s``: how far its clock is ahead. ``calibrated``:
    whether its CameraInfo is usable. ``repeats``: how many messages carry the same stamp. ``zero``: stamps are 0.
    """

    silent: bool = False
    broken: float = 0.0
    offset_s: float = 0.0
    calibrated: bool = True
    repeats: int = 1
    zero: bool = False


@dataclass(eq=False)
class SoakCamera:
    """Publishes one image with its CameraInfo for each ``take``; ``fault`` may be replaced at any time."""

    node: Node
    scene: Scene
    rng: np.random.Generator
    fault: Fault = field(default_factory=Fault)
    taken: int = 0
    """Number of images so far."""
    _images: Publisher[Any] | None = None
    _infos: Publisher[Any] | None = None
    _stamp: Stamp = field(default_factory=lambda: Stamp(0, 0))

    def plug(self, reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE) -> None:
        """Offer the topics with ``reliability``."""
        self.unplug()
        qos = QoSProfile(depth=2, reliability=reliability)
        self._images = self.node.create_publisher(Image, "image", qos)
        self._infos = self.node.create_publisher(CameraInfo, "camera_info", qos)

    def unplug(self) -> None:
        """Withdraw the topics."""
        for publisher in (self._images, self._infos):
            if publisher is not None:
                self.node.destroy_publisher(publisher)
        self._images = self._infos = None

    def take(self, lanes: frozenset[int]) -> None:
        """Publish the image of the people in ``lanes``, unless the camera is unplugged or silent."""
        if self._images is None or self._infos is None or self.fault.silent:
            return
        if self.taken % self.fault.repeats == 0:
            self._stamp = self._now()
        self.taken += 1
        message = write_image(self._stamp, _FRAME, self.scene(lanes), "rgb8")
        if self.rng.random() < self.fault.broken:
            message = broken(message, self.rng)
        with contextlib.suppress(RuntimeError):  # the transport is full for longer than the middleware waits
            self._infos.publish(self._info(self._stamp))
            self._images.publish(message)

    def _now(self) -> Stamp:
        """The time by the camera's clock."""
        if self.fault.zero:
            return Stamp(0, 0)
        nanoseconds = self.node.get_clock().now().nanoseconds + round(self.fault.offset_s * 1e9)
        return Stamp(*divmod(nanoseconds, 1_000_000_000))

    def _info(self, stamp: Stamp) -> CameraInfo:
        info = (
            from_focal_length(_FOCAL_PX)(WIDTH, HEIGHT)
            if self.fault.calibrated
            else CameraInfo(width=WIDTH, height=HEIGHT)
        )
        info.header = header(stamp, _FRAME)
        return info


def broken(message: bytes, rng: np.random.Generator) -> bytes:
    """A serialised image whose data are cut off, or whose encoding does not exist."""
    if rng.random() < 0.5:
        return message[: int(rng.integers(len(message) // 2))]
    return message.replace(b"rgb8\0", b"rgb9\0", 1)
