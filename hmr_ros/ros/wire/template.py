# SPDX-License-Identifier: Apache-2.0
"""Messages whose numbers change from image to image and whose layout does not: serialised once, then patched.

rclpy converts every field of a message to a Python object and back, which takes several times as long as sending the
bytes. Here a message is built and serialised once; afterwards its numbers are written to their offsets in the bytes.
The offsets follow from the message type: fields in their order, aligned as in CDR version 1, little endian (cdr.py).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmr_ros.ros.wire.cdr import ENCAPSULATION, Stamp
from hmr_ros.ros.wire.encoding import fields_of, serialise, uniform
from hmr_ros.ros.wire.types import AbstractNestedType, AbstractString, Array, BasicType

_LENGTH = np.dtype("<u4")
_OCTET = np.dtype("u1")


@dataclass(frozen=True)
class _Block:
    """``count`` adjacent numbers of one type; ``at`` counts bytes from the end of the encapsulation header."""

    path: str
    dtype: np.dtype[Any]
    at: int
    count: int


class Template:
    """The bytes of ``message``, and views of the numbers in them by path: ``template["bodies.0.cam_t"]``.

    A path names fields and rows of sequences. Structs of numbers of one type are one flat view, and so are arrays of
    them: a sequence of N points is a view (3 N,) float64. Raises ValueError for a message with an unexpected size.
    """

    def __init__(self, message: Any) -> None:
        self._data = bytearray(serialise(message))
        layout = _Layout()
        layout.add("", message, None)
        size = len(ENCAPSULATION) + layout.size
        if len(self._data) != size:
            raise ValueError(f"{type(message).__name__}: expected {size} bytes of CDR, got {len(self._data)}")
        self._views: dict[str, NDArray[Any]] = {
            b.path: np.frombuffer(self._data, b.dtype, b.count, b.at + len(ENCAPSULATION)) for b in layout.blocks
        }

    def __getitem__(self, path: str) -> NDArray[Any]:
        """The numbers at ``path`` (N,), to be assigned to: ``template["position"][:] = ...``."""
        return self._views[path]

    def stamp(self, stamp: Stamp, paths: Iterable[str] = ("header.stamp",)) -> None:
        """Set the builtin_interfaces/Time fields at ``paths``."""
        for path in paths:
            self._views[path][:] = stamp.sec, stamp.nanosec

    def finish(self) -> bytes:
        """The serialised message with its current numbers."""
        return bytes(self._data)


class KeptTemplate:
    """A template that is kept while its key stays the same."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._template: Template | None = None

    def __call__(self, key: Hashable, build: Callable[[], Any]) -> Template:
        """The template of the message that ``build`` makes; ``key`` identifies everything in it that is not patched."""
        if self._template is None or key != self._key:
            self._key, self._template = key, Template(build())
        return self._template


class _Layout:
    """Computes the offsets of a message's fields as CDR does, in bytes from the end of the encapsulation header."""

    def __init__(self) -> None:
        self.size = 0
        self.blocks: list[_Block] = []

    def add(self, path: str, value: Any, kind: Any) -> None:
        """Append the field ``value`` of type ``kind``."""
        if block := uniform(kind):
            self._numbers(path, *block)
        elif isinstance(kind, AbstractString):
            self._take(_LENGTH, 1)
            self._take(_OCTET, len(value.encode()) + 1)
        elif isinstance(kind, AbstractNestedType):
            self._elements(path, value, kind)
        else:
            for name, part, part_kind in fields_of(value):
                self.add(f"{path}.{name}" if path else name, part, part_kind)

    def _elements(self, path: str, values: Any, kind: Any) -> None:
        """Append an array or a sequence ``values`` of type ``kind``."""
        if not isinstance(kind, Array):
            self._take(_LENGTH, 1)
        if (block := uniform(kind.value_type)) and (len(values) or isinstance(kind.value_type, BasicType)):
            self._numbers(path, block[0], block[1] * len(values))
            return
        for row, value in enumerate(values):
            self.add(f"{path}.{row}", value, kind.value_type)

    def _numbers(self, path: str, dtype: np.dtype[Any], count: int) -> None:
        """Append ``count`` numbers; where there are none, nothing is aligned."""
        self.blocks.append(_Block(path, dtype, self._take(dtype, count), count))

    def _take(self, dtype: np.dtype[Any], count: int) -> int:
        """Make room for ``count`` numbers; returns the offset of the first."""
        start = self.size + (-self.size % dtype.itemsize if count else 0)
        self.size = start + count * dtype.itemsize
        return start
