# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest


@pytest.mark.ros
@pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # of a module that rclpy loads
def test_messages_are_those_of_the_player_but_for_the_stamp(tmp_path):
    pytest.importorskip("rclpy")
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CameraInfo, Image

    from hmr_ros.bench.camera import serialised, stamped
    from hmr_ros.ros.player import calibration

    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "one.png"), image)
    messages, info = serialised(str(tmp_path / "one.png"), calibration.from_focal_length(9.0))
    sent = deserialize_message(stamped(messages[0], 3_000_000_004), Image)
    assert (sent.header.stamp.sec, sent.header.stamp.nanosec) == (3, 4)
    assert (sent.header.frame_id, sent.encoding, sent.width, sent.height) == ("camera_optical_frame", "bgr8", 8, 6)
    assert np.array_equal(np.array(sent.data).reshape(image.shape), image)
    about = deserialize_message(stamped(info, 5), CameraInfo)
    assert (about.width, about.height, about.k[0], about.header.stamp.nanosec) == (8, 6, 9.0, 5)
    assert about.header.frame_id == sent.header.frame_id
