# SPDX-License-Identifier: Apache-2.0
"""How outputs publish, whatever carries the messages: a node (publishers.py) or a recording (ros/bag)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from hmr_ros.ros.input.fixed_frames import Listener
from hmr_ros.ros.wire.interfaces import OptionalOutput

LAST_MESSAGES_S = 3.5
"""Longest wait for subscribers to acknowledge the last messages, s: a lost one is repeated with the middleware's next
heartbeat, every 3 s. A subscriber that hangs must not hold the node: launch files kill it after 5 s."""


@dataclass(frozen=True)
class Qos:
    """The number of messages kept for a subscriber; ``latched``: late subscribers get the last ones. Reliable."""

    depth: int
    latched: bool = False


class Publisher(Protocol):
    """One topic."""

    def publish(self, message: Any) -> None:
        """Publish a message, as an object or as its bytes."""

    def get_subscription_count(self) -> int:
        """The number of subscribers."""


class Publishers(Protocol):
    """Creates and destroys publishers, and whatever else outputs ask of their surroundings."""

    @property
    def is_open(self) -> bool:
        """Whether anything can be published: the process is not ending."""

    def create(self, message_type: type, topic: str, qos: Qos) -> Publisher:
        """A publisher of ``topic``."""

    def family(self, message_type: type, topic: str, qos: Qos) -> Callable[[str], Publisher]:
        """A function that creates the publisher of a person by name, which replaces ``{}`` in ``topic``."""

    def destroy(self, publisher: Publisher) -> None:
        """Destroy a publisher made here."""

    def speaks(self, publisher: Publisher) -> bool:
        """Whether ``publisher`` can publish."""

    def delivered(self, publishers: Iterable[Publisher], timeout_s: float = LAST_MESSAGES_S) -> None:
        """Wait until subscribers have all messages of ``publishers``."""

    def offers(self, output: OptionalOutput) -> bool:
        """Whether the messages of ``output`` can be published."""

    def listener(self, frames: Iterable[str]) -> Listener | None:
        """TF; None where all of ``frames`` are "", the camera's, or where there is none."""

    def info(self, text: str) -> None:
        """Log ``text``."""

    def warning(self, text: str) -> None:
        """Log ``text`` as a warning."""


def has_subscribers(publisher: Publisher) -> bool:
    """Whether there are subscribers; takes 3 us, so it is asked before any message that takes longer to make."""
    return bool(publisher.get_subscription_count())
