"""How the worker thread makes publishers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

_NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""Publishers without event handlers add nothing to the executor's wait set, so the worker thread may make them."""


@dataclass(frozen=True)
class PublisherFactory:
    """Makes and destroys publishers of ``node``, past those of its lifecycle: they live while the node is active."""

    node: Node

    def create(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher[Any]:
        """A publisher; reliable and volatile unless ``qos`` says otherwise."""
        return Node.create_publisher(self.node, message_type, topic, qos, event_callbacks=_NO_EVENTS)

    def destroy(self, publisher: Publisher[Any]) -> None:
        """Take a publisher off the graph."""
        self.node.destroy_publisher(publisher)


def has_listeners(publisher: Publisher[Any]) -> bool:
    """Whether anybody subscribes; 3 us, so it is asked before every message that takes longer to make."""
    return bool(publisher.get_subscription_count())
