# SPDX-License-Identifier: Apache-2.0
"""A .db3 file of rosbag2's storage sqlite3, complete or not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from hmr_ros.ros.bag.recording import Record, RecordingError, Report, Topic, full_type

_BY_TIME = "SELECT id, topic_id, timestamp, data FROM messages ORDER BY timestamp, id"
_BY_ID = "SELECT id, topic_id, timestamp, data FROM messages WHERE id > {after} ORDER BY id"
_DEFINITIONS = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"


class SqliteRecording:
    """The messages of one file; ``unpacked`` undoes their compression. Raises RecordingError for another file."""

    def __init__(self, path: Path, report: Report, unpacked: Callable[[bytes], bytes] = bytes) -> None:
        self._path = path
        self._report = report
        self._unpacked = unpacked
        self._is_damaged = False
        try:
            self._connection = _opened(path)
            self._names, self._topics = self._read_topics()
        except sqlite3.Error as err:
            raise RecordingError(f"{path}: not a recording of ROS 2 in sqlite3, or damaged ({err})") from err

    @property
    def topics(self) -> Mapping[str, Topic]:
        """The topics whose messages are CDR, by name."""
        return self._topics

    @property
    def span_ns(self) -> tuple[int, int]:
        """When its first and its last message were recorded; 0, 0 without any, or where the file is damaged."""
        try:
            first, last = self._connection.execute("SELECT MIN(timestamp), MAX(timestamp) FROM messages").fetchone()
        except sqlite3.Error:
            return 0, 0
        return int(first or 0), int(last or 0)

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """The messages of ``topics``, None: of all, by their time. See Recording.

        Where the file is damaged the index of times is often lost: the messages after that come as they were written.
        """
        last = 0
        try:
            for number, record in self._selected(_BY_TIME, topics):
                last = max(last, number)
                yield record
            return
        except sqlite3.Error as err:
            self._say(str(err))
        try:
            for _, record in self._selected(_BY_ID.format(after=last), topics):
                yield record
        except sqlite3.Error:
            pass  # reported, and this is where the readable part ends

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _say(self, reason: str) -> None:
        if not self._is_damaged:
            self._is_damaged = True
            self._report(f"{self._path}: damaged ({reason}): what can be read of it is read")

    def _read_topics(self) -> tuple[dict[int, str], dict[str, Topic]]:
        """The names of all topics by their numbers, and those whose messages are CDR. Raises sqlite3.Error."""
        schemas = self._schemas()
        rows = self._connection.execute("SELECT id, name, type, serialization_format FROM topics").fetchall()
        qos = self._column("offered_qos_profiles")
        names, topics = {}, {}
        for number, name, kind, encoding in rows:
            if encoding != "cdr":
                self._report(f"{self._path}: {name} is left out: its messages are {encoding!r}, not cdr")
                continue
            names[number] = name
            text, text_encoding = schemas.get(full_type(kind), ("", "ros2msg"))
            topics[name] = Topic(name, full_type(kind), text, text_encoding, qos.get(number, ""))
        return names, topics

    def _schemas(self) -> dict[str, tuple[str, str]]:
        """Text and encoding of definitions by type: in the files of Iron and later."""
        try:
            rows = self._connection.execute(_DEFINITIONS).fetchall()
        except sqlite3.Error:
            return {}
        return {full_type(kind): (text, encoding) for kind, encoding, text in rows if text}

    def _column(self, name: str) -> dict[int, str]:
        """A column of the topics that not every distribution writes, by the numbers of the topics."""
        try:
            return {k: str(text or "") for k, text in self._connection.execute(f"SELECT id, {name} FROM topics")}
        except sqlite3.Error:
            return {}

    def _selected(self, query: str, topics: Collection[str] | None) -> Iterator[tuple[int, Record]]:
        """Number and message of each row of ``query`` that is of ``topics``. Raises sqlite3.Error."""
        for number, topic_id, log_ns, data in self._connection.execute(query):
            name = self._names.get(topic_id)
            if name is not None and (topics is None or name in topics):
                yield number, Record(name, log_ns, self._unpacked(data))


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises sqlite3.Error."""
    name = quote(str(path.resolve()))
    try:
        return _connected(f"file:{name}?mode=ro")
    except sqlite3.OperationalError:  # with a journal beside it in a directory that cannot be written to
        return _connected(f"file:{name}?mode=ro&immutable=1")


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True)
    # A file that is shorter than it says is refused otherwise, however much of it is there.
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute("SELECT 1 FROM topics LIMIT 1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
