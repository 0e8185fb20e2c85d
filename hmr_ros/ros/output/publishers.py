# SPDX-License-Identifier: Apache-2.0
"""Creates and destroys the publishers of an active node, from the worker thread too."""

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
"""Publishers without event handlers are not in the executor's wait set, so the worker thread may create them."""


@dataclass(frozen=True)
class PublisherFactory:
    """Creates plain publishers of ``node``, not lifecycle publishers: they exist while the node is active."""

    node: Node

    def create(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher[Any]:
        """A publisher with ``qos``, or the user's ``qos_overrides``. Raises ParameterError."""
        return self._created(message_type, topic, overridden(self.node, topic, qos, PUBLISHER))

    def family(self, message_type: type, topic: str, qos: QoSProfile) -> Callable[[str], Publisher[Any]]:
        """A function that creates the publisher of a person by name, which replaces ``{}`` in ``topic``.

        The ``qos_overrides`` of all of them are those of the topic with ``id`` for the name. Raises ParameterError.
        """
        chosen = overridden(self.node, topic.format("id"), qos, PUBLISHER)
        return lambda person: self._created(message_type, topic.format(person), chosen)

    def _created(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher[Any]:
        return Node.create_publisher(self.node, message_type, topic, qos, event_callbacks=_NO_EVENTS)

    def destroy(self, publisher: Publisher[Any]) -> None:
        """Destroy a publisher made by this factory."""
        self.node.destroy_publisher(publisher)


@contextlib.contextmanager
def undone_on_error(node: Node) -> Iterator[None]:
    """Destroy the publishers and subscriptions that the block created, if it raises."""
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
    """Whether there are subscribers; takes 3 us, so it is asked before any message that takes longer to make."""
    return bool(publisher.get_subscription_count())
