# SPDX-License-Identifier: Apache-2.0
"""Bytes (CDR 1, of either byte order) -> messages as objects, without rclpy. For messages of which there are few."""

from __future__ import annotations

from typing import Any

from hmr_ros.ros.wire.cdr import CdrError, CdrReader
from hmr_ros.ros.wire.encoding import KINDS, slots
from hmr_ros.ros.wire.types import AbstractNestedType, AbstractString, Array, BasicType, message_class


def deserialise(data: bytes, message_type: Any) -> Any:
    """The message of class ``message_type`` in ``data``. Raises CdrError where the bytes end inside it."""
    return _message(CdrReader(data), message_type)


def _message(reader: CdrReader, message_type: Any) -> Any:
    message = message_type()
    for name, kind in slots(message_type):
        setattr(message, name, _value(reader, kind))
    return message


def _value(reader: CdrReader, kind: Any) -> Any:
    if isinstance(kind, BasicType):
        return _number(reader, kind.typename)
    if isinstance(kind, AbstractString):
        return reader.string()
    if not isinstance(kind, AbstractNestedType):
        return _message(reader, message_class(next(iter(kind.namespaces)), kind.name))
    count = kind.size if isinstance(kind, Array) else reader.uint32()
    if not isinstance(kind.value_type, BasicType):
        if count > reader.left:  # each takes a byte or more
            raise CdrError(f"sequence of {count} elements in {reader.left} bytes")
        return [_value(reader, kind.value_type) for _ in range(count)]
    numbers = reader.numbers(KINDS[kind.value_type.typename], count)
    return numbers if isinstance(kind, Array) else numbers.tolist()


def _number(reader: CdrReader, typename: str) -> Any:
    value = reader.numbers(KINDS[typename], 1)[0]
    if typename == "octet":
        return bytes([value])
    return bool(value) if typename == "boolean" else value.item()
