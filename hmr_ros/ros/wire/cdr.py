# SPDX-License-Identifier: Apache-2.0
"""The encoding CDR, for messages with large arrays: images in, meshes, points and images out.

rclpy builds one Python object per array element, which takes tens of milliseconds for a mesh. Here the arrays stay
numpy arrays, and only the small fields around them are packed, in the encoding of every ROS 2 middleware: CDR version
1, little endian, 4 bytes of encapsulation header, alignment counted from the end of that header. Each writer returns
the bytes of the serialised typed message, except for padding, which Fast CDR leaves uninitialised
(test/ros/wire/test_cdr.py).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Float64s, Image

ENCAPSULATION = b"\x00\x01\x00\x00"
"""Plain CDR 1, little endian (OMG DDSI-RTPS, section 10.5)."""

STAMP_END = len(ENCAPSULATION) + 8
"""Offset in bytes of the end of the stamp in a serialised message that starts with a std_msgs/Header."""

_BIG_ENDIAN_KINDS = (0x00, 0x02)
_TRIANGLE_LIST, _ADD = 11, 0
_FLOAT32 = 7


class CdrError(ValueError):
    """A serialised message that ends inside a field."""


@dataclass(frozen=True)
class Stamp:
    """A ROS time stamp."""

    sec: int
    nanosec: int

    @property
    def seconds(self) -> float:
        """Time in s (resolution about 0.2 us at today's dates)."""
        return self.sec + self.nanosec * 1e-9

    @property
    def nanoseconds(self) -> int:
        """Time in ns, exact."""
        return self.sec * 1_000_000_000 + self.nanosec


@dataclass(frozen=True, eq=False)
class RawImage:
    """The fields of sensor_msgs/Image; ``data`` (N,) is a view of the received bytes."""

    stamp: Stamp
    frame_id: str
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RawCompressedImage:
    """The fields of sensor_msgs/CompressedImage; ``data`` (N,) is a view of the received bytes."""

    stamp: Stamp
    frame_id: str
    format: str
    data: NDArray[np.uint8]


class CdrReader:
    """Reads the fields of a serialised message in their order. Every method raises CdrError where the bytes end."""

    def __init__(self, data: bytes) -> None:
        if len(data) < len(ENCAPSULATION):
            raise CdrError(f"expected at least {len(ENCAPSULATION)} bytes of CDR, got {len(data)}")
        self._data = data
        self._at = len(ENCAPSULATION)
        self._order: Literal[">", "<"] = ">" if data[1] in _BIG_ENDIAN_KINDS else "<"

    def _unpack(self, kind: str) -> int:
        """The next number, of the struct format character ``kind``."""
        field = struct.Struct(self._order + kind)
        start = _aligned(self._at, field.size)
        if start + field.size > len(self._data):
            raise CdrError(f"message ends inside a field at byte {start} of {len(self._data)}")
        self._at = start + field.size
        return int(field.unpack_from(self._data, start)[0])

    def uint8(self) -> int:
        """The next uint8."""
        return self._unpack("B")

    def uint32(self) -> int:
        """The next uint32."""
        return self._unpack("I")

    def stamp(self) -> Stamp:
        """The next builtin_interfaces/Time."""
        return Stamp(self._unpack("i"), self._unpack("I"))

    def string(self) -> str:
        """The next string (its length counts the closing zero)."""
        return bytes(self.octets()).rstrip(b"\0").decode("utf-8", "replace")

    def doubles(self, count: int) -> Float64s:
        """The next ``count`` float64, (count,)."""
        return self.numbers("<f8", count).astype(np.float64)

    def numbers(self, dtype: str, count: int) -> NDArray[Any]:
        """The next ``count`` numbers of ``dtype``, as numpy names it, (count,), in the byte order of this machine."""
        kind = np.dtype(dtype).newbyteorder(self._order)
        start = _aligned(self._at, kind.itemsize) if count else self._at
        if start + kind.itemsize * count > len(self._data):
            raise CdrError(f"message ends inside {count} numbers at byte {start} of {len(self._data)}")
        self._at = start + kind.itemsize * count
        return np.frombuffer(self._data, kind, count, start).astype(kind.newbyteorder("="))

    @property
    def left(self) -> int:
        """Number of bytes that are not read yet."""
        return len(self._data) - self._at

    def octets(self) -> NDArray[np.uint8]:
        """The next sequence of uint8, (N,), as a view."""
        size = self.uint32()
        if self._at + size > len(self._data):
            raise CdrError(f"sequence of {size} bytes at byte {self._at} of a message of {len(self._data)}")
        start, self._at = self._at, self._at + size
        return np.frombuffer(self._data, np.uint8, size, start)


class CdrWriter:
    """Appends fields in their order, aligned as CDR requires; ``finish`` joins them in a single copy."""

    def __init__(self) -> None:
        self._parts: list[bytes | memoryview] = [ENCAPSULATION]
        self._at = len(ENCAPSULATION)

    def _append(self, part: bytes | memoryview, size: int, alignment: int) -> None:
        """Append ``size`` bytes after the padding that ``alignment`` needs."""
        padding = _aligned(self._at, alignment) - self._at
        self._parts += [bytes(padding), part]
        self._at += padding + size

    def pack(self, kind: str, *values: float) -> CdrWriter:
        """Append ``values``, all of one struct format character ``kind``."""
        for value in values:
            field = struct.pack("<" + kind, value)
            self._append(field, len(field), len(field))
        return self

    def stamp(self, stamp: Stamp) -> CdrWriter:
        """Append a builtin_interfaces/Time (or Duration)."""
        return self.pack("i", stamp.sec).pack("I", stamp.nanosec)

    def string(self, text: str) -> CdrWriter:
        """Append a string with its closing zero."""
        encoded = text.encode() + b"\0"
        self.pack("I", len(encoded))
        self._append(encoded, len(encoded), 1)
        return self

    def array(self, values: NDArray[np.uint8] | Float64s, count: int) -> CdrWriter:
        """Append a sequence of ``count`` elements; ``values`` of any shape hold them contiguously."""
        self.pack("I", count)
        return self.block(values) if count else self

    def block(self, values: NDArray[Any]) -> CdrWriter:
        """Append numbers of any shape without their count; nothing, and no padding, where there are none."""
        if values.size:
            self._append(np.ascontiguousarray(values).data.cast("B"), values.nbytes, values.itemsize)
        return self

    @property
    def size(self) -> int:
        """Number of bytes so far, including the encapsulation header."""
        return self._at

    def finish(self) -> bytes:
        """The whole message."""
        return b"".join(self._parts)


def _aligned(at: int, alignment: int) -> int:
    """The first aligned offset from ``at`` on; alignment counts from the end of the encapsulation header."""
    return at + -(at - len(ENCAPSULATION)) % alignment


def read_image(data: bytes) -> RawImage:
    """Parse a serialised sensor_msgs/Image without copying its pixels."""
    reader = CdrReader(data)
    return RawImage(
        stamp=reader.stamp(),
        frame_id=reader.string(),
        height=reader.uint32(),
        width=reader.uint32(),
        encoding=reader.string(),
        is_bigendian=bool(reader.uint8()),
        step=reader.uint32(),
        data=reader.octets(),
    )


def read_compressed_image(data: bytes) -> RawCompressedImage:
    """Parse a serialised sensor_msgs/CompressedImage without copying its payload."""
    reader = CdrReader(data)
    return RawCompressedImage(reader.stamp(), reader.string(), reader.string(), reader.octets())


def stamp_of(data: bytes) -> Stamp:
    """The stamp of a serialised message that starts with a std_msgs/Header."""
    return CdrReader(data).stamp()


def write_image(stamp: Stamp, frame_id: str, image: Image, encoding: str) -> bytes:
    """Serialise a sensor_msgs/Image from ``image`` (H, W, C) uint8."""
    height, width = image.shape[:2]
    writer = CdrWriter().stamp(stamp).string(frame_id).pack("I", height, width).string(encoding).pack("B", 0)
    return writer.pack("I", image.nbytes // height).array(image, image.nbytes).finish()


def write_compressed_image(stamp: Stamp, frame_id: str, payload: NDArray[np.uint8], format_name: str) -> bytes:
    """Serialise a sensor_msgs/CompressedImage from an encoded ``payload`` (N,) uint8."""
    return CdrWriter().stamp(stamp).string(frame_id).string(format_name).array(payload, payload.size).finish()


def write_points(stamp: Stamp, frame_id: str, points: Float32s) -> bytes:
    """Serialise a sensor_msgs/PointCloud2 with fields x, y, z from ``points`` (N, 3) float32 m; N may be 0."""
    writer = CdrWriter().stamp(stamp).string(frame_id).pack("I", 1, len(points), 3)
    for axis, name in enumerate("xyz"):
        writer.string(name).pack("I", 4 * axis).pack("B", _FLOAT32).pack("I", 1)
    writer.pack("B", 0).pack("I", 12, points.nbytes)
    octets = np.ascontiguousarray(points, "<f4").view(np.uint8)
    return writer.array(octets, points.nbytes).pack("B", 1).finish()


@dataclass(frozen=True)
class MeshStyle:
    """Name and look of a mesh marker: namespace and id, RGBA 0..1, and the time it stays unless it is replaced, s."""

    namespace: str
    number: int
    color: tuple[float, float, float, float]
    lifetime_s: float


def write_mesh_marker(stamp: Stamp, frame_id: str, triangles: Float64s, style: MeshStyle) -> bytes:
    """Serialise a visualization_msgs/Marker of type TRIANGLE_LIST.

    ``triangles`` (3 F, 3) float64 m: three corners per face, in ``frame_id``.
    """
    whole, fraction = divmod(style.lifetime_s, 1.0)
    writer = CdrWriter().stamp(stamp).string(frame_id).string(style.namespace)
    writer.pack("i", style.number, _TRIANGLE_LIST, _ADD)
    writer.pack("d", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # pose: identity, quaternion xyzw
    writer.pack("d", 1.0, 1.0, 1.0).pack("f", *style.color)
    writer.stamp(Stamp(int(whole), int(fraction * 1e9))).pack("B", 0)  # lifetime, frame_locked
    writer.array(triangles, len(triangles))
    writer.pack("I", 0).string("")  # colors, texture_resource
    writer.stamp(Stamp(0, 0)).string("").string("").pack("I", 0)  # texture
    writer.pack("I", 0).string("").string("")  # uv_coordinates, text, mesh_resource
    return writer.string("").pack("I", 0).pack("B", 0).finish()  # mesh_file, mesh_use_embedded_materials
