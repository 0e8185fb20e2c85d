# SPDX-License-Identifier: Apache-2.0
"""What a viewer receives of a running node: over DDS, as cameras publish, best effort."""

import cv2
import numpy as np
import pytest
from hmr_ros.msg import SmplBodyArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.ros.player.watcher import Watcher
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import Origin, header, smpl_body_array
from test.ros.graph import spin_until
from test.ros.stubs import some_bodies

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
PIXELS = np.full((48, 64, 3), 90, np.uint8)


def stamped(k):
    return header(Stamp(100 + k, 0), "camera")


def raw(k):
    return Image(header=stamped(k), height=48, width=64, encoding="rgb8", step=192, data=PIXELS.tobytes())


def compressed(k):
    return CompressedImage(header=stamped(k), format="png", data=cv2.imencode(".png", PIXELS)[1].tobytes())


def info():
    K = [60.0, 0, 31.5, 0, 60.0, 23.5, 0, 0, 1]
    return CameraInfo(header=stamped(0), height=48, width=64, k=K, distortion_model="plumb_bob")


@pytest.mark.parametrize(("topic", "make"), [("/front/image_raw", raw), ("/front/image_raw/compressed", compressed)])
def test_bodies_come_with_their_image_and_camera(executor, topic, make):
    watcher = Watcher(topic)
    executor.add_node(watcher)
    images = watcher.create_publisher(type(make(0)), topic, BEST_EFFORT)
    infos = watcher.create_publisher(CameraInfo, "/front/camera_info", BEST_EFFORT)
    bodies = watcher.create_publisher(SmplBodyArray, "bodies", 10)
    infos.publish(info())
    images.publish(make(1))
    spin_until(executor, lambda: watcher._info is not None and watcher._images)
    for k in range(1, 6):  # of the second one and others no image comes
        bodies.publish(smpl_body_array(stamped(k), some_bodies(1), (), Origin("stub", "open_body")))
    spin_until(executor, lambda: len(watcher.sights) == 2)
    first, second = watcher.sights
    assert np.array_equal(first.image, PIXELS)
    assert (first.camera.width, first.camera.K[0, 0]) == (64, 60)
    assert (second.image, second.camera) == (None, None)
    assert len(first.message.bodies) == 1


def test_an_image_that_comes_after_its_bodies_is_waited_for(executor):
    watcher = Watcher("/front/image_raw")
    executor.add_node(watcher)
    for k in (1, 2):
        watcher._on_bodies(smpl_body_array(stamped(k), some_bodies(1), (), Origin("stub", "open_body")))
    assert not watcher.sights
    watcher._on_image(serialize_message(raw(2)))
    assert [sight.image is None for sight in watcher.sights] == [True, False]
    assert [sight.message.header.stamp.sec for sight in watcher.sights] == [101, 102]


def test_a_relative_topic_has_its_camera_info_beside_it(executor):
    watcher = Watcher("image")
    executor.add_node(watcher)
    assert {"/camera_info", "/image", "/bodies"} <= {name for name, _ in watcher.get_topic_names_and_types()}
