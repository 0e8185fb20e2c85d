# SPDX-License-Identifier: Apache-2.0
"""Publishers whose messages go into the result, stamped with the time at which the image was recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hmr_ros.ros.bag.recording import Record, Report, Topic
from hmr_ros.ros.input.fixed_frames import Listener
from hmr_ros.ros.output.publishing import LAST_MESSAGES_S, Publisher, Qos
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.interfaces import OptionalOutput
from hmr_ros.ros.wire.types import type_name

Write = Callable[[Topic, Record], None]
"""Puts a message of a topic into the result."""

_PIXELS = re.compile(r"(^|/)(overlay|cropped)$")
"""Topics that repeat the images: not recorded."""

_QOS = """- history: 1
  depth: {depth}
  reliability: 1
  durability: {durability}
  deadline:
    sec: 9223372036
    nsec: 854775807
  lifespan:
    sec: 9223372036
    nsec: 854775807
  liveliness: 1
  liveliness_lease_duration:
    sec: 9223372036
    nsec: 854775807
  avoid_ros_namespace_conventions: false
"""
"""As rosbag2 writes the QoS of a publisher, with the numbers of rmw: reliable; durability 1: latched, 2: volatile."""


@dataclass
class Clock:
    """The time of recording of the current image, ns."""

    log_ns: int = 0


@dataclass(frozen=True, eq=False)
class FilePublisher:
    """One topic of the result."""

    topic: Topic
    write: Write | None
    clock: Clock

    def publish(self, message: Any) -> None:
        """Write a message, as an object or as its bytes."""
        if self.write is not None:
            data = message if isinstance(message, bytes) else serialise(message)
            self.write(self.topic, Record(self.topic.name, self.clock.log_ns, data))

    def get_subscription_count(self) -> int:
        """1, or 0 where the topic is not recorded."""
        return int(self.write is not None)


@dataclass(frozen=True, eq=False)
class FilePublishers:
    """Publishers of one camera, whose topics are in ``namespace``; ``transforms`` is the TF of the recording."""

    write: Write
    clock: Clock
    namespace: str
    transforms: Listener
    report: Report

    @property
    def is_open(self) -> bool:
        """Always: a file takes messages until it is closed."""
        return True

    def create(self, message_type: type, topic: str, qos: Qos) -> FilePublisher:
        """A publisher of ``topic``, which is relative to the namespace unless it begins with a slash."""
        name = topic if topic.startswith("/") else f"{self.namespace}/{topic}"
        described = _QOS.format(depth=qos.depth, durability=1 if qos.latched else 2)
        write = None if _PIXELS.search(name) else self.write
        return FilePublisher(Topic(name, type_name(message_type), qos=described), write, self.clock)

    def family(self, message_type: type, topic: str, qos: Qos) -> Callable[[str], FilePublisher]:
        """A function that creates the publisher of a person by name, which replaces ``{}`` in ``topic``."""
        return lambda person: self.create(message_type, topic.format(person), qos)

    def destroy(self, publisher: Publisher) -> None:
        """Nothing is to be destroyed: a topic stays in the file."""

    def speaks(self, publisher: Publisher) -> bool:
        """Always."""
        return True

    def delivered(self, publishers: Iterable[Publisher], timeout_s: float = LAST_MESSAGES_S) -> None:
        """Nothing is to be waited for."""

    def offers(self, output: OptionalOutput) -> bool:
        """All outputs: we have the definitions of their messages."""
        return True

    def listener(self, frames: Iterable[str]) -> Listener | None:
        """The recording's TF, where one of ``frames`` needs it."""
        return self.transforms if any(frames) else None

    def info(self, text: str) -> None:
        """Nothing: what is written can be seen in the file."""

    def warning(self, text: str) -> None:
        """Report ``text``."""
        self.report(text)
