# SPDX-License-Identifier: Apache-2.0
import struct

import numpy as np
import pytest
from geometry_msgs.msg import Point
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from hmr_ros.ros.wire import cdr
from test.ros.wire.reference import assert_same

STAMP = cdr.Stamp(1_700_000_001, 123_456_789)
FRAMES = ["", "a", "ab", "abc", "camera_optical_frame"]
"""Every length modulo 4: the alignment of all that follows depends on it."""


def typed_header(frame_id):
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = STAMP.sec, STAMP.nanosec
    return header


@pytest.mark.parametrize("frame_id", FRAMES)
@pytest.mark.parametrize("namespace", ["mesh", "meshes"])
@pytest.mark.parametrize("faces", [0, 1, 7])
def test_mesh_marker_equals_the_typed_message(frame_id, namespace, faces):
    triangles = np.random.default_rng(0).normal(size=(3 * faces, 3))
    style = cdr.MeshStyle(namespace, 11_000_000, (0.5, 0.25, 0.125, 1.0), 1.5)
    marker = Marker(header=typed_header(frame_id), ns=namespace, id=11_000_000, type=Marker.TRIANGLE_LIST)
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = 1.0
    marker.color.r, marker.color.g, marker.color.b, marker.color.a = style.color
    marker.lifetime.sec, marker.lifetime.nanosec = 1, 500_000_000
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in triangles.tolist()]

    data = cdr.write_mesh_marker(STAMP, frame_id, triangles, style)

    assert_same(data, marker)


@pytest.mark.parametrize("frame_id", FRAMES)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_point_cloud_equals_the_typed_message(frame_id, count):
    points = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    fields = [PointField(name=a, offset=4 * k, datatype=PointField.FLOAT32, count=1) for k, a in enumerate("xyz")]
    cloud = PointCloud2(header=typed_header(frame_id), height=1, width=count, fields=fields, is_dense=True)
    cloud.point_step, cloud.row_step, cloud.data = 12, 12 * count, points.tobytes()

    assert_same(cdr.write_points(STAMP, frame_id, points), cloud)


@pytest.mark.parametrize("frame_id", FRAMES)
@pytest.mark.parametrize(("encoding", "channels"), [("bgr8", 3), ("mono8", 1)])
def test_image_equals_the_typed_message_and_reads_back(frame_id, encoding, channels):
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, channels), np.uint8)
    message = Image(
        header=typed_header(frame_id), height=5, width=7, encoding=encoding, step=7 * channels, data=pixels.tobytes()
    )

    data = cdr.write_image(STAMP, frame_id, pixels, encoding)

    assert_same(data, message)
    read = cdr.read_image(data)
    assert (read.stamp, read.frame_id, read.height, read.width) == (STAMP, frame_id, 5, 7)
    assert (read.encoding, read.is_bigendian, read.step) == (encoding, False, 7 * channels)
    assert np.array_equal(read.data, pixels.ravel())
    assert cdr.stamp_of(data) == STAMP


@pytest.mark.parametrize("frame_id", FRAMES)
@pytest.mark.parametrize("size", [0, 1, 5])
def test_compressed_image_equals_the_typed_message_and_reads_back(frame_id, size):
    payload = np.arange(size, dtype=np.uint8)
    message = CompressedImage(header=typed_header(frame_id), format="jpeg", data=payload.tobytes())

    data = cdr.write_compressed_image(STAMP, frame_id, payload, "jpeg")

    assert_same(data, message)
    read = cdr.read_compressed_image(data)
    assert (read.stamp, read.frame_id, read.format) == (STAMP, frame_id, "jpeg")
    assert np.array_equal(read.data, payload)


def test_big_endian_messages_are_read():
    data = b"\x00\x00\x00\x00" + (7).to_bytes(4, "big") + (9).to_bytes(4, "big")
    assert cdr.stamp_of(data) == cdr.Stamp(7, 9)


def test_every_cut_of_a_message_is_an_error():
    data = cdr.write_image(STAMP, "camera", np.zeros((2, 2, 3), np.uint8), "rgb8")
    for size in range(len(data)):
        with pytest.raises(cdr.CdrError):
            cdr.read_image(data[:size])


def test_stamp_converts_without_loss():
    assert STAMP.nanoseconds == 1_700_000_001_123_456_789
    assert STAMP.seconds == pytest.approx(1_700_000_001.123456789, abs=1e-6)


def test_a_serialised_header_begins_with_its_stamp():
    data = serialize_message(Image(header=typed_header("camera")))
    stamp = struct.pack("<iI", STAMP.sec, STAMP.nanosec)
    assert data[: cdr.STAMP_END] == cdr.ENCAPSULATION + stamp
