# SPDX-License-Identifier: Apache-2.0
"""Creates and destroys the publishers of an active node, from the worker thread too."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

from hmr_ros.ros.wire.qos import PUBLISHER, overridden

_NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""Publishers without event handlers are not in the executor's wait set, so the worker thread may create them."""

_LOG_EVERY_S = 10.0

LAST_MESSAGES_S = 3.5
"""Longest wait for subscribers to acknowledge the last messages, s: a lost one is repeated with the middleware's next
heartbeat, every 3 s. A subscriber that hangs must not hold the node: launch files kill it after 5 s."""


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
        publisher: Publisher[Any] = Node.create_publisher(
            self.node, message_type, topic, qos, event_callbacks=_NO_EVENTS
        )
        setattr(publisher, "publish", self._losing(publisher))  # noqa: B010  # a method, which mypy would not replace
        return publisher

    def _losing(self, publisher: Publisher[Any]) -> Callable[[Any], None]:
        """``publisher.publish`` that loses a message which the middleware cannot send now, and logs it.

        Fast DDS gives up after 100 ms with a full transport, as on a machine that is too busy. rclpy raises then, which
        would end the node from a timer, and all tracks from the worker.
        """
        itself = weakref.proxy(publisher)  # which holds this function: a cycle would keep it until the next collection

        def losing(message: Any) -> None:
            try:
                Publisher.publish(itself, message)
            except InvalidHandle:
                raise
            except RuntimeError as err:
                if not self.node.context.ok():
                    raise  # the process is ending
                text = f"a message on {itself.topic_name} is lost: {err}. Is the machine or the network too busy?"
                self.node.get_logger().warning(text, throttle_duration_sec=_LOG_EVERY_S)

        return losing

    def destroy(self, publisher: Publisher[Any]) -> None:
        """Destroy a publisher made by this factory."""
        self.node.destroy_publisher(publisher)

    def speaks(self, publisher: Publisher[Any]) -> bool:
        """Whether ``publisher`` can publish: neither it, as after an error, nor the middleware is gone."""
        return self.node.context.ok() and publisher in self.node.publishers

    def delivered(self, publishers: Iterable[Publisher[Any]], timeout_s: float = LAST_MESSAGES_S) -> None:
        """Wait until reliable subscribers have all messages of ``publishers``: destroying them discards the rest."""
        deadline_s = time.monotonic() + timeout_s
        for publisher in filter(self.speaks, publishers):
            publisher.wait_for_all_acked(Duration(seconds=max(deadline_s - time.monotonic(), 0.0)))


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
