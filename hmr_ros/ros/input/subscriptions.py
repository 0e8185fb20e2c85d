# SPDX-License-Identifier: Apache-2.0
"""Subscriptions that take what publishers offer.

Camera drivers differ in the quality of service they offer, and Fast DDS drops large best-effort images in its default
configuration; so we look at what each publisher offers and ask for the best of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from hmr_ros.ros.wire.qos import AS_OFFERED, SUBSCRIPTION, overridden

NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
"""rclpy would warn about publishers that offer less than we ask: ``adapt`` asks for less, and /diagnostics tells."""


class AdaptiveSubscription:
    """A subscription of serialised messages, the last one unless the user says otherwise.

    It asks for what every publisher of the topic offers, but for what the user has settled (see qos.py).

    ``adapt`` is to be called now and then: publishers come and go, and QoS is fixed when a subscription is made.
    """

    def __init__(self, node: Node, message_type: type, topic: str, callback: Callable[[bytes], None]) -> None:
        self._node = node
        self._message_type = message_type
        self._callback = callback
        self._subscription: Subscription[Any] | None = None
        self._asked = overridden(node, topic, AS_OFFERED, SUBSCRIPTION)
        self.topic = topic
        self.adapt()

    def adapt(self) -> None:
        """Subscribe, or subscribe again when the publishers' offers have changed."""
        publishers = self.publishers()
        wanted = best_offered(publishers, self._asked)
        if self._subscription is not None:
            if not publishers:
                return  # whoever comes next probably offers what the last one did
            current = self._subscription.qos_profile
            if (current.reliability, current.durability) == (wanted.reliability, wanted.durability):
                return
            self._node.get_logger().info(f"{self.topic}: subscribing again, {wanted.reliability.name}")
            self.close()
        self._subscription = self._node.create_subscription(
            self._message_type, self.topic, self._callback, wanted, raw=True, event_callbacks=NO_EVENTS
        )

    @property
    def is_latched(self) -> bool:
        """Whether publishers send their last message to whoever comes late."""
        current = self._subscription
        return current is not None and current.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL

    def publishers(self) -> list[TopicEndpointInfo]:
        """Who publishes the topic."""
        return self._node.get_publishers_info_by_topic(self.topic)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None


def best_offered(publishers: Sequence[TopicEndpointInfo], asked: QoSProfile = AS_OFFERED) -> QoSProfile:
    """What is ``asked`` for; of what is to be as offered, reliable and transient local where all ``publishers`` are.

    Asking more than a publisher offers would receive nothing, so without publishers we ask for the least.
    """
    offers = [publisher.qos_profile for publisher in publishers]
    best = copy.copy(asked)
    if asked.reliability is ReliabilityPolicy.BEST_AVAILABLE:
        reliable = bool(offers) and all(o.reliability is ReliabilityPolicy.RELIABLE for o in offers)
        best.reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    if asked.durability is DurabilityPolicy.BEST_AVAILABLE:
        latched = bool(offers) and all(o.durability is DurabilityPolicy.TRANSIENT_LOCAL for o in offers)
        best.durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    return best
