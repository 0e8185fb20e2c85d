# SPDX-License-Identifier: Apache-2.0
"""Subscriptions that request the best QoS that all publishers offer.

Camera drivers differ in the QoS they offer, and Fast DDS drops large best-effort images in its default configuration.
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
from hmr_ros.ros.wire.types import type_name

NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
"""Without rclpy's warnings about incompatible QoS: ``adapt`` requests less, and /diagnostics reports what remains."""

_SHOWN = 3
"""Topics that an error names at most."""


class AdaptiveSubscription:
    """A subscription of serialised messages that keeps the last one and follows the QoS that all publishers offer.

    ``qos_overrides`` parameters take precedence (wire/qos.py); with ``requested`` QoS they are not asked for. QoS is
    fixed when a subscription is created, so ``adapt`` creates it again when publishers changed; call it about once a
    second. Raises ParameterError.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        callback: Callable[[bytes], None],
        requested: QoSProfile | None = None,
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._callback = callback
        self._subscription: Subscription[Any] | None = None
        self._requested = requested or overridden(node, topic, AS_OFFERED, SUBSCRIPTION)
        self.topic = topic
        self.adapt()

    def adapt(self) -> None:
        """Subscribe, or subscribe again when the QoS that publishers offer has changed."""
        publishers = self.publishers()
        wanted = best_offered(publishers, self._requested)
        if self._subscription is not None:
            if not publishers:
                return  # the next publisher probably offers the same
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
        """Whether publishers send their last message to late subscribers."""
        current = self._subscription
        return current is not None and current.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL

    def publishers(self) -> list[TopicEndpointInfo]:
        """The publishers of the topic that have its message type."""
        return [publisher for publisher in self._all_publishers() if publisher.topic_type == self.type_name]

    def wrong_types(self) -> str:
        """What is published on the topic, in words, where nothing has its message type; else ""."""
        types = {publisher.topic_type for publisher in self._all_publishers()}
        if not types or self.type_name in types:
            return ""
        return f"{self.topic}: it carries {', '.join(sorted(types))}, expected {self.type_name}"

    @property
    def type_name(self) -> str:
        """The message type, such as sensor_msgs/msg/Image."""
        return type_name(self._message_type)

    def _all_publishers(self) -> list[TopicEndpointInfo]:
        return self._node.get_publishers_info_by_topic(self.topic)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None


def best_offered(publishers: Sequence[TopicEndpointInfo], requested: QoSProfile = AS_OFFERED) -> QoSProfile:
    """``requested`` QoS with BEST_AVAILABLE resolved: reliable and transient local where all ``publishers`` are.

    A subscription that requests more than a publisher offers receives nothing, so without publishers it requests the
    minimum.
    """
    offers = [publisher.qos_profile for publisher in publishers]
    best = copy.copy(requested)
    if requested.reliability is ReliabilityPolicy.BEST_AVAILABLE:
        reliable = bool(offers) and all(o.reliability is ReliabilityPolicy.RELIABLE for o in offers)
        best.reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    if requested.durability is DurabilityPolicy.BEST_AVAILABLE:
        latched = bool(offers) and all(o.durability is DurabilityPolicy.TRANSIENT_LOCAL for o in offers)
        best.durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    return best


def topics_of_others(node: Node, *types: str) -> list[str]:
    """The topics of ``types``, such as sensor_msgs/msg/Image, that other nodes than ``node`` publish; sorted."""
    ours = node.get_name(), node.get_namespace()

    def is_of_others(topic: str) -> bool:
        publishers = node.get_publishers_info_by_topic(topic)
        return any((publisher.node_name, publisher.node_namespace) != ours for publisher in publishers)

    everywhere = node.get_topic_names_and_types()
    return sorted(topic for topic, of_topic in everywhere if set(types) & set(of_topic) and is_of_others(topic))


def how_to_take(topics: Sequence[str], name: str) -> str:
    """Where something is, and how to subscribe the first of ``topics`` as ``name``, such as image."""
    shown = ", ".join(topics[:_SHOWN]) + (", ..." if len(topics) > _SHOWN else "")
    return f"on {shown}: launch with {name}_topic:={topics[0]}, or remap {name}:={topics[0]}"
