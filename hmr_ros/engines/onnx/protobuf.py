# SPDX-License-Identifier: Apache-2.0
"""A reader of the protocol buffers wire format that trusts nothing it reads.

It knows no schema: a message is a sequence of numbered fields. Whatever is not exactly that raises ProtobufError, and
nothing is copied, so a hostile file costs no more memory than it has bytes.
Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10
_UINT64 = 1 << 64

Value = int | memoryview
"""A varint, or the bytes of anything else: fixed-size numbers, texts, packed numbers, nested messages."""


class ProtobufError(ValueError):
    """Bytes that are not a message, or a field of another kind than its schema says."""


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Each field's number and value, in the order of the file. Raises ProtobufError at the first damaged one."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError(f"field number 0 at byte {at}")
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(message, at)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise ProtobufError(f"field {number} at byte {at}: wire type {wire_type} is not in use")
        if size > len(message) - at:
            raise ProtobufError(
                f"field {number} at byte {at}: {size} bytes long, but only {len(message) - at} are left"
            )
        yield number, message[at : at + size]
        at += size


def varints(packed: memoryview) -> Iterator[int]:
    """The numbers of a packed repeated field, unsigned."""
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def integer(value: Value) -> int:
    """A varint field as int64. Raises ProtobufError if it is something else."""
    if not isinstance(value, int):
        raise ProtobufError(f"expected a number, got {len(value)} bytes")
    return value - _UINT64 if value >= _UINT64 // 2 else value


def content(value: Value) -> memoryview:
    """The bytes of a field. Raises ProtobufError if it is a number."""
    if isinstance(value, int):
        raise ProtobufError(f"expected bytes, got the number {value}")
    return value


def text(value: Value) -> str:
    """A field as UTF-8 text. Raises ProtobufError for anything else."""
    try:
        return str(content(value), "utf-8")
    except UnicodeDecodeError as err:
        raise ProtobufError(f"expected UTF-8 text ({err})") from err


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number at byte ``at``, and the byte after it."""
    value = 0
    for shift, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            if value >= _UINT64:
                break
            return value, at + shift + 1
    raise ProtobufError(f"no whole number at byte {at}")
