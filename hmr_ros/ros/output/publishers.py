# SPDX-License-Identifier: Apache-2.0
"""How the worker thread makes publishers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

from hmr_ros.ros.wire.qos import PUBLISHER, overridden

_NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""Publishers without event handlers add nothing to the executor's wait set, so the worker thread may make them."""


@dataclass(frozen=True)
class PublisherFactory:
    """Makes and destroys publishers of ``node``, past those of its lifecycle: they live while the node is active."""

    node: Node

    def create(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher[Any]:
        """A publisher; reliable and volatile unless ``qos``, or the user, says otherwise. Raises ParameterError."""
        return self._created(message_type, topic, overridden(self.node, topic, qos, PUBLISHER))

    def family(self, message_type: type, topic: str, qos: QoSProfile) -> Callable[[str], Publisher[Any]]:
        """What makes a person's publisher: ``{}`` in ``topic`` stands for their id. Raises ParameterError.

        Parameters about it are those of the topic of somebody called ``id``.
        """
        chosen = overridden(self.node, topic.format("id"), qos, PUBLISHER)
        return lambda person: self._created(message_type, topic.format(person), chosen)

    def _created(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher[Any]:
        return Node.create_publisher(self.node, message_type, topic, qos, event_callbacks=_NO_EVENTS)

    def destroy(self, publisher: Publisher[Any]) -> None:
        """Take a publisher off the graph."""
        self.node.destroy_publisher(publisher)


@contextlib.contextmanager
def undone_on_error(node: Node) -> Iterator[None]:
    """Take off the graph what the block has put there, if it fails half-way."""
    publishers, subscriptions = set(node.publishers), set(node.subscriptions)
    try:
        yield
    except Exception:
        for subscription in set(node.subscriptions) - subscriptions:
            node.destroy_subscription(subscription)
        for publisher in set(node.publishers) - publishers:
            node.destroy_publisher(publisher)
        raise


def has_subscribers(publisher: Publisher[Any]) -> bool:
    """Whether anybody subscribes; 3 us, so it is asked before every message that takes longer to make."""
    return bool(publisher.get_subscription_count())
