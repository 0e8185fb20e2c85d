# SPDX-License-Identifier: Apache-2.0
"""A client of ROS4HRI, written from REP-155 alone: it knows nothing of hmr_ros."""

from geometry_msgs.msg import PointStamped, TwistStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

RELIABLE = QoSProfile(depth=10)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class HriBody:
    """One tracked body; ``latest`` holds the last message of each of its topics."""

    def __init__(self, node, namespace, body_id, with_images):
        from hri_msgs.msg import NormalizedRegionOfInterest2D, Skeleton2D

        self.latest = {}
        self.counts = {}
        topics = {
            "roi": (NormalizedRegionOfInterest2D, RELIABLE),
            "skeleton2d": (Skeleton2D, RELIABLE),
            "joint_states": (JointState, RELIABLE),
            "urdf": (String, LATCHED),
            "position": (PointStamped, RELIABLE),
            "velocity": (TwistStamped, RELIABLE),
        }
        if with_images:
            topics["cropped"] = (Image, RELIABLE)
        self.subscriptions = [
            node.create_subscription(kind, f"{namespace}/bodies/{body_id}/{topic}", self._keeper(topic), qos)
            for topic, (kind, qos) in topics.items()
        ]

    def _keeper(self, topic):
        def keep(message):
            self.latest[topic] = message
            self.counts[topic] = self.counts.get(topic, 0) + 1

        return keep


class HriSubscriber:
    """Follows ``<namespace>/bodies/tracked`` as libhri does: ids that are listed exist, all others are gone."""

    def __init__(self, node, namespace="/humans", with_images=False):
        from hri_msgs.msg import IdsList

        self.bodies = {}
        self.lost = []
        self.lists = 0
        self._node, self._namespace, self._with_images = node, namespace, with_images
        node.create_subscription(IdsList, f"{namespace}/bodies/tracked", self._on_tracked, RELIABLE)

    def _on_tracked(self, message):
        self.lists += 1
        for gone in self.bodies.keys() - set(message.ids):
            for subscription in self.bodies.pop(gone).subscriptions:
                self._node.destroy_subscription(subscription)
            self.lost.append(gone)
        for new in set(message.ids) - self.bodies.keys():
            self.bodies[new] = HriBody(self._node, self._namespace, new, self._with_images)
