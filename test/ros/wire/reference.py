# SPDX-License-Identifier: Apache-2.0
"""A slow, obvious CDR encoder: what the bytes of a message have to be."""

import struct

import numpy as np
from rclpy.serialization import serialize_message
from rosidl_parser.definition import AbstractNestedType, AbstractString, Array, BasicType

_FORMATS = {
    "boolean": "?",
    "octet": "B",
    "char": "B",
    "uint8": "B",
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float": "f",
    "double": "d",
}


class Encoder:
    """Appends values to ``data``; ``is_field`` tells the bytes of fields from padding, which is 0."""

    def __init__(self):
        self.data, self.is_field = bytearray(b"\x00\x01\x00\x00"), [True] * 4

    def number(self, kind, value):
        field = struct.pack("<" + _FORMATS[kind], ord(value) if isinstance(value, bytes) else value)
        padding = -(len(self.data) - 4) % len(field)
        self.data += bytes(padding) + field
        self.is_field += [False] * padding + [True] * len(field)

    def value(self, kind, value):
        if isinstance(kind, BasicType):
            self.number(kind.typename, value)
        elif isinstance(kind, AbstractString):
            encoded = value.encode() + b"\0"
            self.number("uint32", len(encoded))
            for octet in encoded:
                self.number("uint8", octet)
        elif isinstance(kind, AbstractNestedType):
            if not isinstance(kind, Array):
                self.number("uint32", len(value))
            for element in value:
                self.value(kind.value_type, element)
        else:
            self.message(value)

    def message(self, message):
        for name, kind in zip(message.get_fields_and_field_types(), message.SLOT_TYPES, strict=True):
            self.value(kind, getattr(message, name))
        return self


def assert_same(data, message):
    """``data`` is ``message`` byte for byte: with zero padding, and apart from it as rclpy has it."""
    expected = Encoder().message(message)
    assert bytes(data) == bytes(expected.data)
    is_field = np.array(expected.is_field)
    of_rclpy = np.frombuffer(serialize_message(message), np.uint8)
    assert len(of_rclpy) >= len(is_field)
    assert np.array_equal(of_rclpy[: len(is_field)][is_field], np.frombuffer(data, np.uint8)[is_field])
