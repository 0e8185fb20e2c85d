# SPDX-License-Identifier: Apache-2.0
"""What a camera sends does not decide how much the node remembers."""

from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo

from hmr_ros.ros.input.camera_info import CameraInfoInput


def test_calibrations_of_ever_new_sizes_are_forgotten(executor):
    node = Node("sizes")
    executor.add_node(node)
    infos = CameraInfoInput(node, "/image", rectified=False)
    for width in range(1, 1000):
        infos._receive(serialize_message(CameraInfo(width=width, height=2)))
        infos._warn(f"size {width}")
    assert 999 in {width for width, _ in infos._by_size}
    assert len(infos._by_size) < 50
    assert len(infos._warned) < 100
    infos.close()
