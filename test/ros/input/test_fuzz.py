# SPDX-License-Identifier: Apache-2.0
"""Thousands of broken messages: each is decoded or refused by name, none crashes, hangs or warns."""

import contextlib
from collections import Counter

import cv2
import numpy as np
import pytest
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image

from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.geometry.camera import project, undistort_points
from hmr_ros.core.people import Camera
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size
from hmr_ros.ros.input.depth_messages import decode_depth
from hmr_ros.ros.input.images import (
    BadImageError,
    BadImageReason,
    decode_compressed_image,
    decode_image,
)
from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.player import calibration
from hmr_ros.ros.wire import cdr
from test.ros.graph import FakeCamera, qos, spin_until
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline

CAMERA = Camera(np.array([[500.0, 0, 8], [0, 500, 6], [0, 0, 1]]), 16, 12)
ENCODINGS = (
    *("rgb8", "bgr8", "rgba8", "bgra8", "8UC3", "mono8", "mono16", "uyvy", "yuv422", "yuyv", "yuv422_yuy2"),
    *("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", "16UC1", "32FC1", "nv12", "", "RGB8", "r\0b", "ü"),
)
SIZES = (0, 1, 2, 3, 7, 12, 16, 16384, 16385, 65536, 2**31 - 1, 2**32 - 1)
FORMATS = (
    "jpeg",
    "png",
    "rgb8; jpeg compressed bgr8",
    "bayer_rggb8; png compressed ",
    ";;;",
    "",
    "rgb8; compressed rgb8",
)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 500.0, 1e-300, 1e300, -1e30, np.nan, np.inf, -np.inf)


def some_image(rng, encodings=ENCODINGS):
    """A serialised sensor_msgs/Image, each of whose fields may be wrong."""
    height, width, step = (int(rng.choice(SIZES[:7] if rng.random() < 0.7 else SIZES)) for _ in range(3))
    if rng.random() < 0.5:
        step = min(width * int(rng.integers(1, 5)), 2**32 - 1)
    size = min(height * step, 4096) if rng.random() < 0.7 else int(rng.integers(0, 64))
    writer = cdr.CdrWriter().stamp(cdr.Stamp(1, 0)).string("camera").pack("I", height, width)
    writer.string(str(rng.choice(encodings))).pack("B", int(rng.integers(0, 3))).pack("I", step)
    return writer.array(rng.integers(0, 256, size, np.uint8), size).finish()


def some_depth(rng):
    return some_image(rng, ("16UC1", "mono16", "32FC1", "mono8"))


def some_compressed_image(rng):
    pixels = rng.integers(0, 256, (12, 16, 3), np.uint8)
    payload = cv2.imencode(str(rng.choice([".jpg", ".png"])), pixels)[1].ravel()
    if rng.random() < 0.7:
        payload = spoiled(payload.tobytes(), rng)
    return cdr.write_compressed_image(
        cdr.Stamp(1, 0), "camera", np.frombuffer(bytes(payload), np.uint8), str(rng.choice(FORMATS))
    )


def spoiled(data, rng):
    """``data`` with some bytes changed, cut off, or put in."""
    spoilt = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, max(len(spoilt), 1)))
        kind = rng.integers(0, 4)
        if kind == 0:
            spoilt[at : at + 1] = bytes([rng.integers(0, 256)])
        elif kind == 1:
            spoilt[at : at + 4] = b"\xff" * 4
        elif kind == 2:
            del spoilt[at:]
        else:
            spoilt[at:at] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(spoilt)


def some_camera_info(rng):
    """A CameraInfo that is right but for some fields."""
    info = calibration.from_focal_length(20.0)(16, 12)
    for _ in range(rng.integers(1, 4)):
        field = rng.choice(["k", "p", "d", "size", "model", "binning", "roi"])
        if field in ("k", "p"):
            values = np.array(getattr(info, field))
            values[rng.integers(0, len(values))] = rng.choice(NUMBERS)
            setattr(info, field, values)
        elif field == "d":
            info.d = rng.choice(NUMBERS if rng.random() < 0.5 else [-0.3, 0.1, 1e3], int(rng.integers(0, 15))).tolist()
        elif field == "size":
            info.width, info.height = (int(rng.choice(SIZES)) for _ in range(2))
        elif field == "model":
            info.distortion_model = str(rng.choice(["plumb_bob", "rational_polynomial", "equidistant", "", "magic"]))
        elif field == "binning":
            info.binning_x, info.binning_y = (int(rng.choice(SIZES)) for _ in range(2))
        else:
            names = ("x_offset", "y_offset", "width", "height")
            for name in names:
                setattr(info.roi, name, int(rng.choice(SIZES)))
    return info


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "decode"),
    [
        (some_image, decode_image),
        (some_compressed_image, decode_compressed_image),
        (some_depth, lambda data: decode_depth(data, 0.001, "camera", CAMERA)),
    ],
    ids=["raw", "compressed", "depth"],
)
def test_images_are_decoded_or_refused_by_name(make, decode):
    rng, outcomes = np.random.default_rng(0), Counter()
    for number in range(6000):
        data = make(rng)
        outcomes[outcome(decode, spoiled(data, rng) if number % 3 == 0 else data)] += 1
    assert outcomes["fine"] > 50
    assert len(outcomes) >= 4
    assert outcomes.keys() <= {"fine", *BadImageReason}


def outcome(decode, data):
    """The reason why ``data`` is refused, or that it is fine."""
    try:
        decoded = decode(data)
    except BadImageError as err:
        return err.reason
    pixels = decoded.z if isinstance(decoded, DepthImage) else decoded.image
    return "fine" if pixels.size else "empty"


@pytest.mark.slow
def test_calibrations_are_used_or_refused_by_name():
    rng, cameras = np.random.default_rng(0), []
    points = np.array([[0.0, 0, 2], [0.5, -0.3, 2], [-5, 4, 1], [0, 0, -1]])
    pixels = np.array([[0.0, 0], [8, 6], [15, 11]])
    for number in range(3000):
        info = deserialize_message(serialize_message(some_camera_info(rng)), CameraInfo)
        width, height = (16, 12) if number % 2 else described_size(info)
        with contextlib.suppress(BadCameraInfoError):
            cameras.append(camera_from_info(info, width, height, rectified=bool(rng.integers(0, 2))))
    assert 300 < len(cameras) < 2700
    for camera in cameras:
        assert project(points, camera).shape == (4, 2)
        assert undistort_points(pixels, camera).shape == (3, 2)


@pytest.mark.slow
def test_a_node_survives_all_of_them(executor):
    parameters = {"max_frame_age_s": 0.0, "use_depth": True}
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node, peer = HmrNode(lambda config: stub_pipeline(StubDetector(), StubEstimator()), overrides), Node("peer")
    executor.add_node(node)
    executor.add_node(peer)
    camera, bodies, rng = FakeCamera(peer), [], np.random.default_rng(0)
    depth = peer.create_publisher(Image, "depth", qos())
    peer.create_subscription(SmplBodyArray, "bodies", bodies.append, qos())
    assert node.start()
    try:
        spin_until(executor, lambda: camera.images.get_subscription_count() and depth.get_subscription_count())
        for _ in range(300):
            camera.infos.publish(some_camera_info(rng))
            depth.publish(some_image(rng))
            camera.images.publish(some_image(rng))
            executor.spin_once(timeout_sec=0.005)
        before = len(bodies)

        def healed():
            camera.publish_info()
            camera.publish_image()
            return len(bodies) > before and bodies[-1].bodies and bodies[-1].bodies[0].valid

        spin_until(executor, healed)
        assert node.monitor.drops().get(Drop.INTERNAL_ERROR) is None
    finally:
        executor.remove_node(node)
        node.destroy_node()
