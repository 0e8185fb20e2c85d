# SPDX-License-Identifier: Apache-2.0
"""A subscriber of bodies and markers in a process of its own, which ``make soak`` kills."""

from __future__ import annotations

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from visualization_msgs.msg import MarkerArray

from hmr_ros.msg import SmplBodyArray


def main() -> None:
    """Receive until killed."""
    rclpy.init()
    node = Node("client")
    for kind, topic in ((SmplBodyArray, "bodies"), (MarkerArray, "markers")):
        node.create_subscription(kind, topic, lambda _data: None, QoSProfile(depth=5), raw=True)
    rclpy.spin(node)


if __name__ == "__main__":
    main()
