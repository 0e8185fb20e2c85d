# SPDX-License-Identifier: Apache-2.0
"""Messages as objects -> bytes: CDR 1, little endian, with zeros for padding. The same with and without ROS.

rclpy's bytes are not used: Fast CDR makes their buffer too long behind an empty sequence of numbers, and leaves the end
and the padding uninitialised, so memory of this process would travel with them.
"""

from __future__ import annotations

import array
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmr_ros.ros.wire.cdr import CdrWriter
from hmr_ros.ros.wire.types import (
    AbstractNestedType,
    AbstractString,
    Array,
    BasicType,
    NamespacedType,
    message_class,
)

KINDS = {
    "boolean": "u1",
    "octet": "u1",
    "char": "u1",
    "uint8": "u1",
    "int8": "i1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<i4",  # so that a Time is one block; a uint32 from 2^31 on needs a view of its bits
    "int64": "<i8",
    "uint64": "<i8",
    "float": "<f4",
    "double": "<f8",
}
"""Type of number -> numpy dtype; signed and unsigned integers of the same size share one."""

_FORMATS = {"boolean": "B", "octet": "B", "char": "B", "uint8": "B", "int8": "b", "int16": "h", "uint16": "H"}
_FORMATS |= {"int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "float": "f", "double": "d"}
"""Type of number -> struct format character."""


def serialise(message: Any) -> bytes:
    """The serialised ``message``, an object of a message class."""
    writer = CdrWriter()
    _write_fields(writer, message)
    return writer.finish()


def fields_of(message: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and type of each field of ``message``."""
    for name, kind in slots(message.__class__):
        yield name, getattr(message, name), kind


@functools.cache
def slots(message_type: Any) -> tuple[tuple[str, Any], ...]:
    """Name and type of each field: ROS makes a new dictionary of them at every call."""
    return tuple(zip(message_type.get_fields_and_field_types(), message_type.SLOT_TYPES, strict=True))


def _write_fields(writer: CdrWriter, message: Any) -> None:
    for _, value, kind in fields_of(message):
        _write(writer, value, kind)


def _write(writer: CdrWriter, value: Any, kind: Any) -> None:
    if isinstance(kind, BasicType):
        writer.pack(_FORMATS[kind.typename], value[0] if isinstance(value, bytes) else value)
    elif isinstance(kind, AbstractString):
        writer.string(value)
    elif isinstance(kind, AbstractNestedType):
        _write_several(writer, value, kind)
    else:
        _write_fields(writer, value)


def _write_several(writer: CdrWriter, values: Any, kind: Any) -> None:
    """An array, or a sequence with its length."""
    if not isinstance(kind, Array):
        writer.pack("I", len(values))
    if isinstance(kind.value_type, BasicType):
        writer.block(_numbers(values, "<" + _FORMATS[kind.value_type.typename]))
    elif (block := uniform(kind.value_type)) and block[0].kind == "f":
        writer.block(np.array([_flat(value) for value in values], block[0]))
    else:
        for value in values:
            _write(writer, value, kind.value_type)


def _numbers(values: Any, dtype: str) -> NDArray[Any]:
    """``values`` of an array or a sequence of numbers (N,) as they are stored."""
    if isinstance(values, bytes | bytearray):
        return np.frombuffer(values, np.uint8)
    if isinstance(values, list) and values and isinstance(values[0], bytes):  # octets
        return np.frombuffer(b"".join(values), np.uint8)
    plain = np.frombuffer(values, values.typecode) if isinstance(values, array.array) and values else np.array(values)
    return plain.astype(dtype)


def uniform(kind: Any) -> tuple[np.dtype[Any], int] | None:
    """Type and count of the numbers that ``kind`` consists of; None unless they are all of one type."""
    if isinstance(kind, BasicType):
        return np.dtype(KINDS[kind.typename]), 1
    if isinstance(kind, Array):
        element = uniform(kind.value_type)
        return element and (element[0], element[1] * kind.size)
    if isinstance(kind, NamespacedType):
        return _uniform_message(next(iter(kind.namespaces)), kind.name)
    return None


@functools.cache
def _uniform_message(package: str, name: str) -> tuple[np.dtype[Any], int] | None:
    """As ``uniform``, of the message ``<package>/<name>``."""
    parts = [uniform(part) for part in message_class(package, name).SLOT_TYPES]
    known = [part for part in parts if part is not None]
    if len(known) == len(parts) and len({dtype for dtype, _ in known}) == 1:
        return known[0][0], sum(count for _, count in known)
    return None


def _flat(message: Any) -> list[Any]:
    """The numbers of a message of numbers alone."""
    numbers: list[Any] = []
    for _, value, kind in fields_of(message):
        if isinstance(kind, BasicType):
            numbers.append(value)
        elif isinstance(kind, AbstractNestedType):
            numbers += list(value)
        else:
            numbers += _flat(value)
    return numbers
