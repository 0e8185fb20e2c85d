# SPDX-License-Identifier: Apache-2.0
"""A recording: topics with their types, and messages in the order in which they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from hmr_ros.media.errors import SourceError


class RecordingError(SourceError):
    """A recording of which nothing can be read; the message names it, the reason and the remedy."""


@dataclass(frozen=True)
class Topic:
    """A topic of a recording.

    ``type`` is such as sensor_msgs/msg/Image; ``schema`` the text of its definition in ``schema_encoding``, "" where
    the recording has none; ``qos`` the offered QoS as rosbag2 writes it; ``count`` the number of messages, 0: unknown.
    """

    name: str
    type: str
    schema: str = ""
    schema_encoding: str = "ros2msg"
    qos: str = ""
    count: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """A serialised message (CDR) of ``topic``, recorded at ``log_ns``."""

    topic: str
    log_ns: int
    data: bytes


Report = Callable[[str], None]
"""Takes one line about what is wrong with a recording, and what is done about it."""


class Recording(Protocol):
    """Opened by ``opening.open_recording``; close it."""

    @property
    def topics(self) -> Mapping[str, Topic]:
        """The topics whose messages can be read, by name."""

    @property
    def span_ns(self) -> tuple[int, int]:
        """When its first and its last message were recorded, as far as that is known without reading it; or 0, 0."""

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """The messages of ``topics``, None: of all, by the time at which they were recorded.

        What is damaged is reported and left out. May be called again.
        """

    def close(self) -> None:
        """Close the files."""


def full_type(name: str) -> str:
    """``name`` of a message type with its namespace: std_msgs/Header -> std_msgs/msg/Header."""
    parts = name.split("/")
    return f"{parts[0]}/msg/{parts[1]}" if len(parts) == 2 else name
