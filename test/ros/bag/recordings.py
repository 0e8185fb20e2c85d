# SPDX-License-Identifier: Apache-2.0
"""Small recordings of a camera, made by mcap and rosbags from messages of known numbers. Needs no ROS."""

from dataclasses import dataclass

import cv2
import numpy as np

from hmr_ros.ros.wire.cdr import Stamp, write_compressed_image, write_image
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.messages import header
from hmr_ros.ros.wire.schemas import schema
from hmr_ros.ros.wire.types import CameraInfo, message_class

BEGAN_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
WIDTH, HEIGHT = 640, 480
FRAME = "camera_optical_frame"
IMAGE, INFO = "/camera/image_raw", "/camera/camera_info"
TYPES = {
    "image_raw": "sensor_msgs/msg/Image",
    "image": "sensor_msgs/msg/Image",
    "image_rect": "sensor_msgs/msg/Image",
    "depth": "sensor_msgs/msg/Image",
    "compressed": "sensor_msgs/msg/CompressedImage",
    "camera_info": "sensor_msgs/msg/CameraInfo",
    "tf": "tf2_msgs/msg/TFMessage",
    "tf_static": "tf2_msgs/msg/TFMessage",
    "notes": "std_msgs/msg/String",
}
"""Last part of a topic's name -> its type."""


@dataclass(frozen=True)
class Said:
    """A message of a topic at a time."""

    topic: str
    log_ns: int
    data: bytes

    @property
    def type(self):
        return TYPES[self.topic.rpartition("/")[2]]


def stamp(ns):
    return Stamp(*divmod(ns, 10**9))


def pixels(level=90, width=WIDTH, height=HEIGHT):
    return np.full((height, width, 3), level, np.uint8)


def image(ns, topic=IMAGE, log_ns=None, frame=FRAME, level=90, **size):
    data = write_image(stamp(ns), frame, pixels(level, **size), "rgb8")
    return Said(topic, ns if log_ns is None else log_ns, data)


def compressed(ns, topic="/camera/image_raw/compressed"):
    _, jpeg = cv2.imencode(".jpg", pixels())
    return Said(topic, ns, write_compressed_image(stamp(ns), FRAME, np.asarray(jpeg).ravel(), "jpeg"))


def info(ns, topic=INFO, focal=500.0, frame=FRAME):
    K = np.array([focal, 0, 319.5, 0, focal, 239.5, 0, 0, 1])
    P = np.array([1.1 * focal, 0, 319.5, 0, 0, 1.1 * focal, 239.5, 0, 0, 0, 1, 0])
    message = CameraInfo(header=header(stamp(ns), frame), width=WIDTH, height=HEIGHT, distortion_model="plumb_bob")
    message.d, message.k, message.r, message.p = [0.0] * 5, K, np.eye(3).ravel(), P
    return Said(topic, ns, serialise(message))


def depth(ns, z_mm=2500, topic="/camera/depth"):
    values = np.full((HEIGHT, WIDTH), z_mm, "<u2").view(np.uint8).reshape(HEIGHT, WIDTH, 2)
    return Said(topic, ns, write_image(stamp(ns), FRAME, values, "16UC1"))


def transform(ns, parent="odom", child=FRAME, x=1.0, topic="/tf_static"):
    edge = message_class("geometry_msgs", "TransformStamped")(header=header(stamp(ns), parent), child_frame_id=child)
    edge.transform.translation.x = x
    return Said(topic, ns, serialise(message_class("tf2_msgs", "TFMessage")(transforms=[edge])))


def note(ns, text, topic="/notes"):
    return Said(topic, ns, serialise(message_class("std_msgs", "String")(data=text)))


def scene(count=6, **options):
    """A calibrated camera's images, and a topic that nobody asks for."""
    said = []
    for k in range(count):
        ns = BEGAN_NS + k * PERIOD_NS
        said += [info(ns), image(ns, **options), note(ns, f"note {k}")]
    return said


def write_mcap(path, said, compression="ZSTD", chunk_size=200_000, *, finished=True, **options):
    """An .mcap file of the messages; ``finished``: with its summary."""
    from mcap.writer import CompressionType, Writer

    with path.open("wb") as stream:
        writer = Writer(stream, chunk_size=chunk_size, compression=CompressionType[compression], **options)
        writer.start("ros2", "test")
        channels = {}
        for each in said:
            if each.topic not in channels:
                text = schema(each.type.replace("/msg/", "/")).encode()
                number = writer.register_schema(each.type, "ros2msg", text)
                channels[each.topic] = writer.register_channel(each.topic, "cdr", number)
            writer.add_message(channels[each.topic], each.log_ns, each.data, each.log_ns)
        if finished:
            writer.finish()
    return path


def write_rosbag2(path, said, storage="SQLITE3", compression=None):
    """A directory as ros2 bag writes it, by rosbags."""
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage])
    if compression is not None:
        writer.set_compression(CompressionMode[compression], CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for each in said:
            if each.topic not in connections:
                connections[each.topic] = writer.add_connection(each.topic, each.type, typestore=store)
            writer.write(connections[each.topic], each.log_ns, each.data)
    return path


def write_ros1(path, said):
    """A .bag file of ROS 1, by rosbags."""
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    old, new = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_JAZZY)
    # rosbags has no such type of ROS 1; bags bring their definitions.
    old.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))
    with Writer(path) as writer:
        connections = {}
        for each in said:
            if each.topic not in connections:
                connections[each.topic] = writer.add_connection(each.topic, each.type, typestore=old)
            message = _of_ros1(new.deserialize_cdr(each.data, each.type), each.type, old)
            writer.write(connections[each.topic], each.log_ns, old.serialize_ros1(message, each.type))
    return path


def _of_ros1(message, kind, store):
    """A message of ROS 2 with the fields of ROS 1: headers have a number, calibration is in upper case."""
    from rosbags.typesys.store import Nodetype

    values = []
    for name, (node, about) in store.fielddefs[kind][1]:
        value = getattr(message, name, None) if name != "seq" else 7
        value = getattr(message, name.lower(), None) if value is None else value
        if node == Nodetype.NAME:
            value = _of_ros1(value, about, store)
        elif node in (Nodetype.ARRAY, Nodetype.SEQUENCE) and about[0][0] == Nodetype.NAME:
            value = [_of_ros1(each, about[0][1], store) for each in value]
        values.append(value)
    return store.types[kind](*values)
