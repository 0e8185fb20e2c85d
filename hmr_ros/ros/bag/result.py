# SPDX-License-Identifier: Apache-2.0
"""The result of a recording: an .mcap file that ros2 bag, RViz, Foxglove and rosbags read."""

from __future__ import annotations

from pathlib import Path

from mcap.writer import CompressionType, Writer

from hmr_ros import __version__
from hmr_ros.ros.bag.recording import Record, Topic
from hmr_ros.ros.wire.schemas import definitions, schema

_CHUNK_BYTES = 1 << 20
"""What is lost at most where the process is killed, before compression."""


class Result:
    """Writes messages into ``path``. Close it: a file of a killed process has no index, and is read chunk by chunk."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._writer = Writer(self._stream, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._writer.start(profile="ros2", library=f"hmr_ros {__version__}")
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._sequences: dict[int, int] = {}

    def write(self, topic: Topic, record: Record) -> None:
        """Append ``record``, which is of ``topic``."""
        channel = self._channels.get((topic.name, topic.type))
        if channel is None:
            channel = self._registered(topic)
        self._sequences[channel] += 1
        self._writer.add_message(channel, record.log_ns, record.data, record.log_ns, self._sequences[channel])
        self._stream.flush()  # nothing, but after a chunk

    def close(self) -> None:
        """Complete the file."""
        self._writer.finish()
        self._stream.close()

    def _registered(self, topic: Topic) -> int:
        """The new channel of ``topic``."""
        if topic.type not in self._schemas:
            text = topic.schema or known_schema(topic.type)
            encoding = topic.schema_encoding if topic.schema else "ros2msg"
            self._schemas[topic.type] = self._writer.register_schema(topic.type, encoding, text.encode())
        metadata = {"offered_qos_profiles": topic.qos} if topic.qos else {}
        channel: int = self._writer.register_channel(topic.name, "cdr", self._schemas[topic.type], metadata)
        self._channels[topic.name, topic.type] = channel
        self._sequences[channel] = 0
        return channel


def known_schema(kind: str) -> str:
    """The definition of a message type, "" where we have none."""
    short = kind.replace("/msg/", "/")
    return schema(short) if short in definitions() else ""
