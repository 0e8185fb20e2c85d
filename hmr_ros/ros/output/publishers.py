# SPDX-License-Identifier: Apache-2.0
"""The publishers of an active node: created and destroyed from the worker thread too."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile

from hmr_ros.core import tracepoints
from hmr_ros.ros.input.fixed_frames import Listener
from hmr_ros.ros.input.transform_listener import listener_for
from hmr_ros.ros.output.publishing import LAST_MESSAGES_S, Qos
from hmr_ros.ros.output.publishing import Publisher as AnyPublisher
from hmr_ros.ros.wire.interfaces import OptionalOutput
from hmr_ros.ros.wire.qos import PUBLISHER, overridden

_NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""Publishers without event handlers are not in the executor's wait set, so the worker thread may create them."""

_LOG_EVERY_S = 10.0


@dataclass(frozen=True)
class PublisherFactory:
    """Creates plain publishers of ``node``, not lifecycle publishers: they exist while the node is active."""

    node: Node

    @property
    def is_open(self) -> bool:
        """Whether the middleware is there: False while the process ends."""
        return self.node.context.ok()

    def create(self, message_type: type, topic: str, qos: Qos) -> Publisher[Any]:
        """A publisher with ``qos``, or the user's ``qos_overrides``. Raises ParameterError."""
        return self._created(message_type, topic, overridden(self.node, topic, _profile(qos), PUBLISHER))

    def family(self, message_type: type, topic: str, qos: Qos) -> Callable[[str], Publisher[Any]]:
        """A function that creates the publisher of a person by name, which replaces ``{}`` in ``topic``.

        The ``qos_overrides`` of all of them are those of the topic with ``id`` for the name. Raises ParameterError.
        """
        chosen = overridden(self.node, topic.format("id"), _profile(qos), PUBLISHER)
        return lambda person: self._created(message_type, topic.format(person), chosen)

    def _created(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher[Any]:
        publisher: Publisher[Any] = Node.create_publisher(
            self.node, message_type, topic, qos, event_callbacks=_NO_EVENTS
        )
        setattr(publisher, "publish", self._losing(publisher, topic))  # noqa: B010  # a method, which mypy would not replace
        return publisher

    def _losing(self, publisher: Publisher[Any], topic: str) -> Callable[[Any], None]:
        """``publisher.publish`` that loses a message which the middleware cannot send now, and logs it.

        Fast DDS gives up after 100 ms with a full transport, as on a machine that is too busy. rclpy raises then, which
        would end the node from a timer, and all tracks from the worker.
        """
        itself = weakref.proxy(publisher)  # which holds this function: a cycle would keep it until the next collection

        made, sent = (f"{topic.rpartition('/')[2]}, {step}" for step in ("making", "sending"))

        def losing(message: Any) -> None:
            tracepoints.mark(made)
            try:
                Publisher.publish(itself, message)
                tracepoints.mark(sent)
            except InvalidHandle:
                raise
            except RuntimeError as err:
                if not self.node.context.ok():
                    raise  # the process is ending
                text = f"a message on {itself.topic_name} is lost: {err}. Is the machine or the network too busy?"
                self.node.get_logger().warning(text, throttle_duration_sec=_LOG_EVERY_S)

        return losing

    def destroy(self, publisher: AnyPublisher) -> None:
        """Destroy a publisher made by this factory."""
        self.node.destroy_publisher(cast("Publisher[Any]", publisher))

    def speaks(self, publisher: AnyPublisher) -> bool:
        """Whether ``publisher`` can publish: neither it, as after an error, nor the middleware is gone."""
        return self.is_open and any(publisher is each for each in self.node.publishers)

    def delivered(self, publishers: Iterable[AnyPublisher], timeout_s: float = LAST_MESSAGES_S) -> None:
        """Wait until reliable subscribers have all messages of ``publishers``: destroying them discards the rest."""
        deadline_s = time.monotonic() + timeout_s
        for publisher in filter(self.speaks, publishers):
            left = Duration(seconds=max(deadline_s - time.monotonic(), 0.0))
            cast("Publisher[Any]", publisher).wait_for_all_acked(left)

    def offers(self, output: OptionalOutput) -> bool:
        """Whether the messages of ``output`` are installed."""
        return output.is_available

    def listener(self, frames: Iterable[str]) -> Listener | None:
        """TF, subscribed where one of ``frames`` needs it and tf2_msgs is installed."""
        return listener_for(self.node, frames)

    def info(self, text: str) -> None:
        """Log ``text``."""
        self.node.get_logger().info(text)

    def warning(self, text: str) -> None:
        """Log ``text`` as a warning."""
        self.node.get_logger().warning(text)


def _profile(qos: Qos) -> QoSProfile:
    durability = DurabilityPolicy.TRANSIENT_LOCAL if qos.latched else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=qos.depth, durability=durability)


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
