# SPDX-License-Identifier: Apache-2.0
"""A .bag file of ROS 1, by rosbags: its messages become those of ROS 2, as far as we know their types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from rosbags.rosbag1 import Reader, ReaderError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hmr_ros.ros.bag.recording import Record, RecordingError, Report, Topic
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.schemas import definitions, schema
from hmr_ros.ros.wire.standins import NamespacedType, Sequence, standin

_RENAMED = {"tf/msg/tfMessage": "tf2_msgs/msg/TFMessage"}


class Ros1Recording:
    """The messages of one file. Raises RecordingError where rosbags cannot read it."""

    def __init__(self, path: Path, report: Report) -> None:
        try:
            self._reader = Reader(path)
            self._reader.open()
        except (ReaderError, OSError, ValueError) as err:
            raise RecordingError(
                f"{path}: {err}. `rosbag reindex` of ROS 1 mends a recording that was cut off"
            ) from err
        self._path = path
        self._report = report
        self._store = get_typestore(Stores.ROS1_NOETIC)
        self._topics = {}
        unknown = []
        for connection in self._reader.connections:
            kind = _RENAMED.get(connection.msgtype, connection.msgtype)
            if (short := kind.replace("/msg/", "/")) in definitions():
                self._learn(connection.msgdef.data, connection.msgtype)
                self._topics[connection.topic] = Topic(connection.topic, kind, schema(short), count=connection.msgcount)
            else:
                unknown.append(connection.topic)
        if unknown:
            report(f"{path}: {len(unknown)} topics of ROS 1 with other messages than ours are not read")

    def _learn(self, definition: str, name: str) -> None:
        """Make known what the bag says of the message ``name``, as rosbags has not all of ROS 1."""
        types = get_types_from_msg(definition, name)
        self._store.register({kind: fields for kind, fields in types.items() if kind not in self._store.fielddefs})

    @property
    def topics(self) -> Mapping[str, Topic]:
        """The topics whose messages have a counterpart here, by name."""
        return self._topics

    @property
    def span_ns(self) -> tuple[int, int]:
        """When its first and its last message were recorded."""
        return (self._reader.start_time, self._reader.end_time) if self._topics else (0, 0)

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """The messages of ``topics``, None: of all, by their time. See Recording."""
        wanted = [
            c for c in self._reader.connections if c.topic in self._topics and (topics is None or c.topic in topics)
        ]
        if not wanted:
            return
        try:
            for connection, log_ns, data in self._reader.messages(wanted):
                message = self._store.deserialize_ros1(data, connection.msgtype)
                kind = self._topics[connection.topic].type.replace("/msg/", "/")
                yield Record(connection.topic, log_ns, serialise(converted(message, kind)))
        except Exception as err:  # rosbags lets those of decompression and numpy through
            self._report(f"{self._path}: damaged ({err}): what was recorded until then is read")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def converted(message: Any, kind: str) -> Any:
    """A ``message`` of ROS 1 as one of ``kind``: upper case becomes lower, and a header's ``seq`` goes."""
    made = standin(kind)()
    for name, slot in zip(made.get_fields_and_field_types(), made.SLOT_TYPES, strict=True):
        value = getattr(message, name) if hasattr(message, name) else getattr(message, name.upper(), None)
        if value is not None:
            setattr(made, name, _value(value, slot))
    return made


def _value(value: Any, slot: Any) -> Any:
    if isinstance(slot, NamespacedType):
        return converted(value, f"{slot.namespaces[0]}/{slot.name}")
    if isinstance(slot, Sequence) and isinstance(slot.value_type, NamespacedType):
        kind = slot.value_type
        return [converted(each, f"{kind.namespaces[0]}/{kind.name}") for each in value]
    return value
