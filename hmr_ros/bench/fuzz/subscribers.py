# SPDX-License-Identifier: Apache-2.0
"""The readers of messages: whoever is on the network chooses every byte of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo

from hmr_ros.bench.fuzz.mutations import damaged
from hmr_ros.bench.fuzz.targets import Target
from hmr_ros.core.geometry.camera import project, undistort_points
from hmr_ros.core.geometry.frames import FrameTree, NoTransformError
from hmr_ros.core.people import Camera
from hmr_ros.msg import Keypoints2D, Keypoints2DArray
from hmr_ros.perception.external import checked, faults
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size
from hmr_ros.ros.input.depth_messages import decode_compressed_depth, decode_depth
from hmr_ros.ros.input.detection_messages import BadDetectionsError, Reported, read_boxes, read_keypoints
from hmr_ros.ros.input.images import (
    BadImageError,
    Frame,
    darkness,
    decode_compressed_image,
    decode_image,
)
from hmr_ros.ros.input.transform_messages import read_transforms
from hmr_ros.ros.player.calibration import from_focal_length
from hmr_ros.ros.wire.cdr import CdrError, CdrWriter, Stamp, stamp_of, write_compressed_image

_STAMP = Stamp(1, 0)
_WIDTH, _HEIGHT = 16, 12
_CAMERA = Camera(np.array([[20.0, 0, 8], [0, 20, 6], [0, 0, 1]]), _WIDTH, _HEIGHT)
_BYTES = {
    **{"rgb8": 3, "bgr8": 3, "rgba8": 4, "8UC3": 3, "8UC4": 4, "mono8": 1, "mono16": 2, "16UC1": 2, "32FC1": 4},
    **{"uyvy": 2, "yuyv": 2, "yuv422_yuy2": 2, "bayer_rggb8": 1, "bayer_gbrg16": 2, "bgr16": 6},
}
"""Encoding -> bytes per pixel. Those that depth has are among them."""

_DEPTHS = ("16UC1", "mono16", "32FC1")
_POINTS = np.array([[0.0, 0, 2], [0.5, -0.3, 2], [-5, 4, 1], [0, 0, -1]])
_PIXELS = np.array([[0.0, 0], [8, 6], [15, 11]])


def subscribers() -> Iterator[Target]:
    """All that the node subscribes."""
    refusals = (BadImageError, CdrError)
    yield Target("image", damaged(_images(_BYTES)), _image_reader(decode_image), refusals, 220)
    yield Target("compressed image", damaged(_compressed()), _image_reader(decode_compressed_image), refusals, 180)
    yield Target("depth", damaged(_images(_DEPTHS)), _depth, refusals, 120)
    yield Target("compressed depth", damaged(_compressed_depths()), _compressed_depth, refusals, 80)
    yield Target("camera_info", damaged(_calibrations()), _calibration, (RuntimeError, BadCameraInfoError), 160)
    yield Target("tf", damaged([_transforms(1), _transforms(3)]), _tf, (CdrError,), 120)
    yield Target("detections", damaged([_boxes(0), _boxes(2)]), _detections, (BadDetectionsError,), 100)
    yield Target("keypoints", damaged([_keypoints(0), _keypoints(2)]), _skeletons, (BadDetectionsError,), 100)


def _image_reader(decode: Callable[[bytes], Frame]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        stamp_of(data)
        darkness(decode(data).image)

    return read


def _depth(data: bytes) -> None:
    decode_depth(data, 0.001, "camera", _CAMERA)


def _compressed_depth(data: bytes) -> None:
    decode_compressed_depth(data, 0.001, "camera", _CAMERA)


def _calibration(data: bytes) -> None:
    info = deserialize_message(data, CameraInfo)
    for width, height in (described_size(info), (_WIDTH, _HEIGHT)):
        with contextlib.suppress(BadCameraInfoError):
            camera = camera_from_info(info, width, height, rectified=False)
            project(_POINTS, camera)
            undistort_points(_PIXELS, camera)


def _tf(data: bytes) -> None:
    tree = FrameTree()
    read_transforms(tree, data, is_static=False)
    read_transforms(tree, data, is_static=True)
    for target, source in (("frame0", "frame1"), ("frame3", "frame0")):
        with contextlib.suppress(NoTransformError):
            tree.lookup(target, source, _STAMP.nanoseconds)(_POINTS)


def _detections(data: bytes) -> None:
    _use(read_boxes(data, ("person",)))


def _skeletons(data: bytes) -> None:
    _use(read_keypoints(data, _WIDTH, _HEIGHT))


def _use(reported: Reported) -> None:
    """What the pipeline makes of ``reported`` people, who may be refused one by one."""
    found = faults(reported.detections, _WIDTH, _HEIGHT, keep_ids=True)
    usable = reported.detections.take(np.array([row not in found for row in range(len(reported.detections))], np.bool_))
    checked(usable, np.zeros((_HEIGHT, _WIDTH, 3), np.uint8), keep_ids=True)


def _noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _images(encodings: dict[str, int] | tuple[str, ...]) -> list[bytes]:
    return [_image(encoding, _noise(_HEIGHT, _WIDTH * _BYTES[encoding])) for encoding in encodings]


def _image(encoding: str, rows: NDArray[np.uint8]) -> bytes:
    """A sensor_msgs/Image of ``rows`` (H, bytes per row)."""
    writer = CdrWriter().stamp(_STAMP).string("camera").pack("I", _HEIGHT, _WIDTH).string(encoding)
    return writer.pack("B", 0).pack("I", rows.shape[1]).array(rows, rows.size).finish()


def _encoded(suffix: str, image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imencode(suffix, image)[1], np.uint8).ravel()


def _compressed() -> list[bytes]:
    color, grey = _noise(_HEIGHT, _WIDTH, 3), _noise(_HEIGHT, _WIDTH)
    files = {
        "jpeg": _encoded(".jpg", color),
        "rgb8; jpeg compressed bgr8": _encoded(".jpg", color),
        "png": _encoded(".png", color),
        "mono16; png compressed": _encoded(".png", grey.astype(np.uint16) * 200),
        "bayer_rggb8; png compressed ": _encoded(".png", grey),
    }
    return [write_compressed_image(_STAMP, "camera", payload, kind) for kind, payload in files.items()]


def _compressed_depths() -> list[bytes]:
    values = _noise(_HEIGHT, _WIDTH).astype(np.uint16) * 20
    config = np.frombuffer(np.array([0, 0], "<f4").tobytes() + bytes(4), np.uint8)  # compressed_depth_image_transport
    payload = np.concatenate([config, _encoded(".png", values)])
    kinds = ("16UC1; compressedDepth png", "32FC1; compressedDepth png", "16UC1; compressedDepth")
    return [write_compressed_image(_STAMP, "camera", payload, kind) for kind in kinds]


def _calibrations() -> list[bytes]:
    found = []
    for model, coefficients in (("plumb_bob", 5), ("rational_polynomial", 8), ("equidistant", 4), ("plumb_bob", 14)):
        info = from_focal_length(20.0)(_WIDTH, _HEIGHT)
        info.header.frame_id, info.distortion_model = "camera", model
        info.d = [0.01] * coefficients
        found.append(serialize_message(info))
    return found


def _transforms(count: int) -> bytes:
    """A tf2_msgs/TFMessage of a chain of ``count`` transforms."""
    writer = CdrWriter().pack("I", count)
    for number in range(count):
        writer.stamp(_STAMP).string(f"frame{number}").string(f"frame{number + 1}")
        writer.pack("d", 0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0)
    return writer.finish()


def _boxes(count: int) -> bytes:
    """A vision_msgs/Detection2DArray of ``count`` people."""
    writer = CdrWriter().stamp(_STAMP).string("camera").pack("I", count)
    for number in range(count):
        writer.stamp(_STAMP).string("camera").pack("I", 1).string("person").pack("d", 0.9, *[0.0] * 43)
        writer.pack("d", 8.0, 6.0, 0.0, 4.0, 8.0).string(str(number))
    return writer.finish()


def _keypoints(count: int) -> bytes:
    message = Keypoints2DArray(joint_set="coco17")
    rng = np.random.default_rng(0)
    for number in range(count):
        points = rng.uniform(0, _HEIGHT, 34).astype(np.float32)
        scores = np.full(17, 0.9, np.float32)
        message.people.append(Keypoints2D(id=str(number), score=0.9, keypoints=points, keypoint_scores=scores))
    return bytes(serialize_message(message))
