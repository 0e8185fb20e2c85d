# SPDX-License-Identifier: Apache-2.0
"""Compressed depth that OpenCV raises on instead of returning nothing."""

import struct

import cv2
import numpy as np
import pytest

from hmr_ros.core.people import Camera
from hmr_ros.ros.input.depth_messages import decode_compressed_depth
from hmr_ros.ros.input.images import BadImageError, BadImageReason
from hmr_ros.ros.wire.cdr import Stamp, write_compressed_image

CAMERA = Camera(np.array([[500.0, 0, 8], [0, 500, 6], [0, 0, 1]]), 16, 12)


def test_what_opencv_rejects_is_undecodable(monkeypatch):
    def rejecting(data, flags):
        raise cv2.error("(-215:Assertion failed)")

    png = cv2.imencode(".png", np.full((12, 16), 1000, np.uint16))[1].tobytes()
    payload = np.frombuffer(struct.pack("<iff", 0, 0.0, 0.0) + png, np.uint8)
    message = write_compressed_image(Stamp(1, 0), "camera", payload, "16UC1; compressedDepth png")
    assert decode_compressed_depth(message, 0.001, "camera", CAMERA).z.max() == pytest.approx(1.0)
    monkeypatch.setattr(cv2, "imdecode", rejecting)
    with pytest.raises(BadImageError, match="Assertion failed") as caught:
        decode_compressed_depth(message, 0.001, "camera", CAMERA)
    assert caught.value.reason is BadImageReason.UNDECODABLE
