# SPDX-License-Identifier: Apache-2.0
"""An .mcap file, complete or not: its chunks are found by going through the file, so its own index is not needed.

A file that was cut off, as by a full disk or a killed recorder, is read to its last whole chunk; a damaged chunk is
left out. Format: https://mcap.dev/spec
"""

from __future__ import annotations

import heapq
import io
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema, Statistics
from mcap.stream_reader import breakup_chunk

from hmr_ros.ros.bag.recording import Record, RecordingError, Report, Topic, full_type

MAGIC = b"\x89MCAP0\r\n"
_HEADER = struct.Struct("<BQ")
_TIMES = struct.Struct("<QQQ")
"""Beginning of a chunk: first and last time, ns, and the size of its content, bytes."""

_LARGEST_CONTENT = 1 << 31
"""Bytes; recorders write some megabytes."""

_PLAIN_BYTES = 4 << 20
"""Messages outside of chunks are read in pieces of about this size."""

_OPCODES = frozenset(int(opcode) for opcode in Opcode)
_PRIVATE_OPCODES = 0x80
"""From here on records are of whoever wrote them, and skipped."""


@dataclass(frozen=True)
class _Part:
    """A chunk, or a run of messages without one: offset and end of its records in bytes, and its times in ns."""

    start: int
    end: int
    first_ns: int
    last_ns: int
    is_chunk: bool


class McapRecording:
    """The messages of one file whose encoding is CDR. Raises RecordingError where it is no MCAP file."""

    def __init__(self, path: Path, report: Report) -> None:
        self._path = path
        self._report = report
        self._stream: BinaryIO = path.open("rb")
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._counts: Mapping[int, int] = {}
        self._parts: list[_Part] = []
        self._problem = ""
        self._reported: set[str] = set()
        if self._stream.read(len(MAGIC)) != MAGIC:
            self._stream.close()
            raise RecordingError(f"{path}: not an MCAP file, or its beginning is damaged")
        self._scan()
        if self._problem:
            self._say(self._problem)
        if not self._counts:  # no summary: topics are named in the chunks alone
            self._look_for_channels()
        self._topics = self._named()

    @property
    def topics(self) -> Mapping[str, Topic]:
        """The topics whose messages are CDR, by name."""
        return self._topics

    @property
    def span_ns(self) -> tuple[int, int]:
        """When its first and its last message were recorded; 0, 0 without any."""
        firsts, lasts = [part.first_ns for part in self._parts], [part.last_ns for part in self._parts]
        return min(firsts, default=0), max(lasts, default=0)

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """The messages of ``topics``, None: of all, by their log time. See Recording."""
        pending: list[tuple[int, int, Record]] = []
        number = 0
        for part in sorted(self._parts, key=lambda part: part.first_ns):
            while pending and pending[0][0] < part.first_ns:
                yield heapq.heappop(pending)[2]
            for record in self._messages(part, topics):
                heapq.heappush(pending, (record.log_ns, number, record))
                number += 1
        while pending:
            yield heapq.heappop(pending)[2]

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _say(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self._report(f"{self._path}: {text}")

    def _scan(self) -> None:
        """Find the parts and read the summary. Whatever ends it early becomes the problem."""
        size, at = self._stream.seek(0, os.SEEK_END), len(MAGIC)
        while True:
            self._stream.seek(at)
            head = self._stream.read(_HEADER.size)
            if len(head) < _HEADER.size:
                self._problem = f"it ends early, at byte {size}: what was recorded until then is read"
                return
            opcode, length = _HEADER.unpack(head)
            start, end = at + _HEADER.size, at + _HEADER.size + length
            if opcode not in _OPCODES and opcode < _PRIVATE_OPCODES:
                self._problem = f"it is damaged at byte {at}: what was recorded until then is read"
                return
            if end > size:
                self._problem = f"it ends early, inside a record at byte {at}: what was recorded until then is read"
                return
            if opcode == Opcode.FOOTER:
                return
            self._index(opcode, start, end)
            at = end

    def _index(self, opcode: int, start: int, end: int) -> None:
        """Note the record between the bytes ``start`` and ``end``."""
        try:
            if opcode == Opcode.CHUNK:
                first_ns, last_ns, _ = _TIMES.unpack(self._stream.read(_TIMES.size))
                self._parts.append(_Part(start, end, first_ns, last_ns, is_chunk=True))
            elif opcode == Opcode.MESSAGE:
                self._index_plain(start, end)
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                content = ReadDataStream(io.BytesIO(self._stream.read(end - start)))
                self._note(Schema.read(content) if opcode == Opcode.SCHEMA else Channel.read(content))
            elif opcode == Opcode.STATISTICS:
                statistics = Statistics.read(ReadDataStream(io.BytesIO(self._stream.read(end - start))))
                self._counts = statistics.channel_message_counts
        except (McapError, struct.error, UnicodeDecodeError, ValueError) as err:
            self._say(f"a damaged record at byte {start} is left out ({err})")

    def _index_plain(self, start: int, end: int) -> None:
        """Note a message outside of a chunk, in the part of the one before it if they are neighbours."""
        _, _, log_ns = struct.unpack("<HIQ", self._stream.read(14))
        begin, first_ns, last_ns = start - _HEADER.size, log_ns, log_ns
        if self._parts:
            last = self._parts[-1]
            if not last.is_chunk and last.end == begin and begin - last.start < _PLAIN_BYTES:
                self._parts.pop()
                begin, first_ns, last_ns = last.start, min(last.first_ns, log_ns), max(last.last_ns, log_ns)
        self._parts.append(_Part(begin, end, first_ns, last_ns, is_chunk=False))

    def _note(self, record: Schema | Channel) -> None:
        if isinstance(record, Schema):
            self._schemas[record.id] = record
        else:
            self._channels[record.id] = record

    def _look_for_channels(self) -> None:
        for part in self._parts:
            for record in self._content(part):
                if isinstance(record, Schema | Channel):
                    self._note(record)

    def _messages(self, part: _Part, topics: Collection[str] | None) -> Iterator[Record]:
        """The messages of ``topics`` in ``part``, in the order in which they were written."""
        for record in self._content(part):
            if isinstance(record, Schema | Channel):
                self._note(record)
                continue
            channel = self._channels.get(record.channel_id)
            if channel is None or channel.topic not in self._topics:
                continue
            if topics is None or channel.topic in topics:
                yield Record(channel.topic, record.log_time, record.data)

    def _content(self, part: _Part) -> list[Schema | Channel | Message]:
        """The records of ``part``; none where it is damaged, which is reported."""
        self._stream.seek(part.start)
        data = self._stream.read(part.end - part.start)
        try:
            return _chunk_records(data) if part.is_chunk else _plain_records(data)
        except Exception as err:  # each library for decompression has errors of its own
            seconds = (part.first_ns - self._parts[0].first_ns) * 1e-9
            self._say(f"a damaged chunk at byte {part.start}, {seconds:.1f} s from the beginning, is left out ({err})")
            return []

    def _named(self) -> dict[str, Topic]:
        """The topics by name; what is no CDR is reported once for each encoding."""
        found: dict[str, Topic] = {}
        for channel in self._channels.values():
            schema = self._schemas.get(channel.schema_id)
            if channel.message_encoding != "cdr":
                self._say(f"messages in the encoding {channel.message_encoding!r} are left out, ROS 2 has cdr")
                continue
            if schema is None:
                self._say(f"{channel.topic} is left out: the file does not say of which type it is")
                continue
            topic = Topic(
                channel.topic,
                full_type(schema.name),
                schema.data.decode("utf-8", "replace"),
                schema.encoding,
                channel.metadata.get("offered_qos_profiles", ""),
                self._counts.get(channel.id, 0),
            )
            known = found.get(topic.name)
            found[topic.name] = replace(topic, count=topic.count + known.count) if known is not None else topic
        return found


def _chunk_records(data: bytes) -> list[Schema | Channel | Message]:
    chunk = Chunk.read(ReadDataStream(io.BytesIO(data)))
    if chunk.uncompressed_size > _LARGEST_CONTENT:
        raise ValueError(f"it claims {chunk.uncompressed_size} bytes")
    return list(breakup_chunk(chunk, validate_crc=True))


def _plain_records(data: bytes) -> list[Schema | Channel | Message]:
    records: list[Schema | Channel | Message] = []
    at = 0
    while at < len(data):
        _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        records.append(Message.read(ReadDataStream(io.BytesIO(data[at : at + length])), length))
        at += length
    return records
