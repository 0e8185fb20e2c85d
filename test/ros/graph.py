# SPDX-License-Identifier: Apache-2.0
"""Helpers for tests that talk over DDS."""

import os
import time

import numpy as np
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.ros.player import calibration
from hmr_ros.ros.wire import cdr
from hmr_ros.ros.wire.messages import header

PATIENCE_S = 120.0
"""How long what must happen may take on a machine that is busy; longer is a failure."""


def spin_until(executor, condition):
    """Spin until ``condition()``; fail when it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        executor.spin_once(timeout_sec=0.02)


def started_context(args, number=0):
    """A started context in a domain of its own, by ``number``, where the session's nodes do not see it.

    Fast DDS may hang for ever when a publisher is destroyed, where two contexts of one process see each other and the
    machine is busy: eProsima/Fast-DDS#6193.
    """
    context = Context()
    context.init(args=args, domain_id=1 + (int(os.environ["ROS_DOMAIN_ID"]) + 49 + number) % 100)
    return context


def qos(reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE, depth=5):
    return QoSProfile(depth=depth, reliability=reliability, durability=durability)


class FakeCamera:
    """Publishes images and their calibration from ``node``."""

    def __init__(self, node, image_topic="image", info_topic="camera_info", compressed=False, profile=None):
        self._node = node
        kind = CompressedImage if compressed else Image
        self.images = node.create_publisher(kind, image_topic, profile or qos())
        self.infos = node.create_publisher(CameraInfo, info_topic, qos())

    def now(self):
        return cdr.Stamp(*self._node.get_clock().now().seconds_nanoseconds())

    def publish_image(self, stamp=None, width=640, height=480, frame_id="camera_optical_frame"):
        stamp = stamp or self.now()
        pixels = np.full((height, width, 3), 90, np.uint8)
        self.images.publish(cdr.write_image(stamp, frame_id, pixels, "rgb8"))
        return stamp

    def publish_info(self, info=None):
        info = info or calibration.from_focal_length(500.0)(640, 480)
        info.header = header(self.now(), "camera_optical_frame")
        self.infos.publish(info)
