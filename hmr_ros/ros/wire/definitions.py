# SPDX-License-Identifier: Apache-2.0
"""The definitions of all messages that we publish: what a recording without ROS is written and described by.

Those of this package are read from ``msg/``; the others are the fields of ROS 2 Jazzy and later, and of the optional
packages (interfaces.py), with the constants that we use. test/ros/wire/test_standins.py compares them with those that
are installed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

from hmr_ros.core.share import share_dir

OURS = "hmr_ros"
"""The package whose definitions lie in ``msg/``."""

_SEPARATOR = "=" * 80


@functools.cache
def definitions() -> Mapping[str, tuple[str, ...]]:
    """The lines of each definition, by names such as std_msgs/Header; without comments and empty lines."""
    parts = (part.splitlines() for part in _OF_OTHERS.split("MSG: ")[1:])
    found = {head: tuple(lines) for head, *lines in parts}
    for path in sorted((share_dir() / "msg").glob("*.msg")):
        found[f"{OURS}/{path.stem}"] = tuple(_without_comments(path.read_text(encoding="utf-8")))
    return found


def schema(name: str) -> str:
    """The definition of ``name``, such as std_msgs/Header, and of all that it contains, as recordings store them."""
    first, *others = _closure(name)
    blocks = ["\n".join(definitions()[first])]
    blocks += [f"MSG: {other}\n" + "\n".join(definitions()[other]) for other in others]
    return f"\n{_SEPARATOR}\n".join(blocks) + "\n"


def full_name(kind: str, package: str) -> str:
    """``kind`` as a definition of ``package`` names it, such as Point or geometry_msgs/Point -> geometry_msgs/Point."""
    return kind if "/" in kind else f"{package}/{kind}"


def _without_comments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if bare := line.partition("#")[0].strip():
            yield re.sub(r"\s+", " ", bare)


def _closure(name: str) -> list[str]:
    """``name`` and the messages that it contains, each once, in the order in which they are met."""
    found = [name]
    for each in found:
        for line in definitions()[each]:
            kind = full_name(re.split(r"[\[ ]", line)[0], each.partition("/")[0])
            if kind in definitions() and kind not in found:
                found.append(kind)
    return found


_OF_OTHERS = """
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
MSG: diagnostic_msgs/DiagnosticArray
std_msgs/Header header
DiagnosticStatus[] status
MSG: diagnostic_msgs/DiagnosticStatus
byte OK=0
byte WARN=1
byte ERROR=2
byte STALE=3
byte level
string name
string message
string hardware_id
KeyValue[] values
MSG: diagnostic_msgs/KeyValue
string key
string value
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
MSG: geometry_msgs/Point32
float32 x
float32 y
float32 z
MSG: geometry_msgs/PointStamped
std_msgs/Header header
Point point
MSG: geometry_msgs/Polygon
Point32[] points
MSG: geometry_msgs/Pose
Point position
Quaternion orientation
MSG: geometry_msgs/Quaternion
float64 x 0
float64 y 0
float64 z 0
float64 w 1
MSG: geometry_msgs/Transform
Vector3 translation
Quaternion rotation
MSG: geometry_msgs/TransformStamped
std_msgs/Header header
string child_frame_id
Transform transform
MSG: geometry_msgs/Twist
Vector3 linear
Vector3 angular
MSG: geometry_msgs/TwistStamped
std_msgs/Header header
Twist twist
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
MSG: hri_msgs/Gesture
std_msgs/Header header
uint8 HANDS_ON_FACE=1
uint8 ARMS_CROSSED=2
uint8 LEFT_HAND_RAISED=3
uint8 RIGHT_HAND_RAISED=4
uint8 BOTH_HANDS_RAISED=5
uint8 WAVING=6
uint8 OTHER=0
uint8 gesture
MSG: hri_msgs/IdsList
std_msgs/Header header
string[] ids
MSG: hri_msgs/NormalizedPointOfInterest2D
float32 x
float32 y
float32 c
MSG: hri_msgs/NormalizedRegionOfInterest2D
std_msgs/Header header
float32 xmin
float32 ymin
float32 xmax
float32 ymax
float32 c
MSG: hri_msgs/Skeleton2D
uint8 NOSE=0
uint8 NECK=1
uint8 RIGHT_SHOULDER=2
uint8 RIGHT_ELBOW=3
uint8 RIGHT_WRIST=4
uint8 LEFT_SHOULDER=5
uint8 LEFT_ELBOW=6
uint8 LEFT_WRIST=7
uint8 RIGHT_HIP=8
uint8 RIGHT_KNEE=9
uint8 RIGHT_ANKLE=10
uint8 LEFT_HIP=11
uint8 LEFT_KNEE=12
uint8 LEFT_ANKLE=13
uint8 LEFT_EYE=14
uint8 RIGHT_EYE=15
uint8 LEFT_EAR=16
uint8 RIGHT_EAR=17
std_msgs/Header header
NormalizedPointOfInterest2D[18] skeleton
MSG: moveit_msgs/CollisionObject
std_msgs/Header header
geometry_msgs/Pose pose
string id
object_recognition_msgs/ObjectType type
shape_msgs/SolidPrimitive[] primitives
geometry_msgs/Pose[] primitive_poses
shape_msgs/Mesh[] meshes
geometry_msgs/Pose[] mesh_poses
shape_msgs/Plane[] planes
geometry_msgs/Pose[] plane_poses
string[] subframe_names
geometry_msgs/Pose[] subframe_poses
byte ADD=0
byte REMOVE=1
byte MOVE=3
byte operation
MSG: object_recognition_msgs/ObjectType
string key
string db
MSG: people_msgs/People
std_msgs/Header header
people_msgs/Person[] people
MSG: people_msgs/Person
string name
geometry_msgs/Point position
geometry_msgs/Point velocity
float64 reliability
string[] tagnames
string[] tags
MSG: sensor_msgs/CameraInfo
std_msgs/Header header
uint32 height
uint32 width
string distortion_model
float64[] d
float64[9] k
float64[9] r
float64[12] p
uint32 binning_x
uint32 binning_y
RegionOfInterest roi
MSG: sensor_msgs/CompressedImage
std_msgs/Header header
string format
uint8[] data
MSG: sensor_msgs/Image
std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
MSG: sensor_msgs/JointState
std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
MSG: sensor_msgs/PointCloud2
std_msgs/Header header
uint32 height
uint32 width
PointField[] fields
bool is_bigendian
uint32 point_step
uint32 row_step
uint8[] data
bool is_dense
MSG: sensor_msgs/PointField
uint8 FLOAT32=7
string name
uint32 offset
uint8 datatype
uint32 count
MSG: sensor_msgs/RegionOfInterest
uint32 x_offset
uint32 y_offset
uint32 height
uint32 width
bool do_rectify
MSG: shape_msgs/Mesh
MeshTriangle[] triangles
geometry_msgs/Point[] vertices
MSG: shape_msgs/MeshTriangle
uint32[3] vertex_indices
MSG: shape_msgs/Plane
float64[4] coef
MSG: shape_msgs/SolidPrimitive
uint8 SPHERE=2
uint8 CYLINDER=3
uint8 type
float64[<=3] dimensions
geometry_msgs/Polygon polygon
MSG: std_msgs/ColorRGBA
float32 r
float32 g
float32 b
float32 a
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
MSG: std_msgs/String
string data
MSG: tf2_msgs/TFMessage
geometry_msgs/TransformStamped[] transforms
MSG: visualization_msgs/Marker
int32 LINE_STRIP=4
int32 LINE_LIST=5
int32 SPHERE_LIST=7
int32 TRIANGLE_LIST=11
int32 ADD=0
int32 DELETE=2
std_msgs/Header header
string ns
int32 id
int32 type
int32 action
geometry_msgs/Pose pose
geometry_msgs/Vector3 scale
std_msgs/ColorRGBA color
builtin_interfaces/Duration lifetime
bool frame_locked
geometry_msgs/Point[] points
std_msgs/ColorRGBA[] colors
string texture_resource
sensor_msgs/CompressedImage texture
UVCoordinate[] uv_coordinates
string text
string mesh_resource
MeshFile mesh_file
bool mesh_use_embedded_materials
MSG: visualization_msgs/MarkerArray
Marker[] markers
MSG: visualization_msgs/MeshFile
string filename
uint8[] data
MSG: visualization_msgs/UVCoordinate
float32 u
float32 v
"""
