# SPDX-License-Identifier: Apache-2.0
"""Check one tensor of an ONNX file (TensorProto): inside the file, whole, finite."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hmr_ros.engines.onnx.protobuf import ProtobufError, Value, content, fields, integer, text, varints

ELEMENT_TYPES = {
    number: np.dtype(name).newbyteorder("<")
    for number, name in {
        1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"
    }.items()
}  # fmt: skip
"""TensorProto.DataType -> how raw_data stores it."""

_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_SEGMENT, _STRINGS, _EXTERNAL_DATA, _LOCATION = 3, 6, 13, 14
_FLOATS, _INT32S, _INT64S, _DOUBLES, _UINT64S = 4, 5, 7, 10, 11


def check_tensor(message: memoryview) -> str:
    """The name of a tensor that is well. Raises ProtobufError for one that is not."""
    parts: dict[int, list[Value]] = {}
    for number, value in fields(message):
        parts.setdefault(number, []).append(value)
    name = text(parts.get(_NAME, [memoryview(b"")])[-1])
    if _EXTERNAL_DATA in parts or any(parts.get(_LOCATION, [])):
        raise ProtobufError(f"weights {name[:80]!r} lie in another file; export it again with all weights inside")
    if _SEGMENT in parts or _STRINGS in parts:
        raise ProtobufError(f"weights {name[:80]!r} are texts or segments, which are not in use here")
    sizes = [integer(size) for size in _numbers(parts.get(_DIMS, []))]
    values = _values(name, integer(parts.get(_TYPE, [0])[-1]), parts)
    if min(sizes, default=0) < 0 or values.size != math.prod(sizes):
        raise ProtobufError(f"weights {name[:80]!r}: {values.size} numbers for shape {sizes}")
    if not np.isfinite(values).all():
        raise ProtobufError(f"weights {name[:80]!r} hold NaN or infinity")
    return name


def _values(name: str, element: int, parts: dict[int, list[Value]]) -> NDArray[np.generic]:
    """The numbers of a tensor, flat. The types of small integers are not distinguished: only their count matters."""
    if element not in ELEMENT_TYPES:
        raise ProtobufError(f"weights {name[:80]!r} have element type {element}; known are {sorted(ELEMENT_TYPES)}")
    stored = [number for number in (_RAW, _FLOATS, _INT32S, _INT64S, _DOUBLES, _UINT64S) if number in parts]
    if len(stored) > 1:
        raise ProtobufError(f"weights {name[:80]!r} are stored {len(stored)} times over")
    dtype = ELEMENT_TYPES[element]
    if not stored:
        return np.empty(0, dtype)
    (number,) = stored
    if number in (_RAW, _FLOATS, _DOUBLES):
        return _from_bytes(name, b"".join(map(content, parts[number])), dtype)
    bits = np.fromiter(_numbers(parts[number]), np.uint64)
    return bits.astype(np.uint16).view(np.float16) if dtype == np.float16 else bits


def _from_bytes(name: str, data: bytes, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    if len(data) % dtype.itemsize:
        raise ProtobufError(f"weights {name[:80]!r}: {len(data)} bytes are no whole numbers of {dtype.itemsize} bytes")
    return np.frombuffer(data, dtype)


def _numbers(values: list[Value]) -> chain[int]:
    """Varints of a repeated field, which may be packed, or not, or both."""
    return chain.from_iterable((value,) if isinstance(value, int) else varints(value) for value in values)
