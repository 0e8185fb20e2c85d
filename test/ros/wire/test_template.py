# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from geometry_msgs.msg import Point, PoseWithCovarianceStamped
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, JointState
from std_msgs.msg import Header, String
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.ros.wire import encoding
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header
from hmr_ros.ros.wire.template import Template
from test.ros.wire.reference import assert_same

FRAMES = ["", "a", "ab", "abc", "abcd"]
"""Every length modulo 4: the alignment of all that follows depends on it."""


@pytest.mark.parametrize("frame", FRAMES)
def test_numbers_are_found_behind_strings(frame):
    message = JointState(header=header(Stamp(1, 2), frame), name=["a", "bc"], position=[0.0, 0.0], effort=[7.0])
    kept = Template(message)
    kept.stamp(Stamp(3, 4))
    kept["position"][:] = 5.5, 6.5
    again = deserialize_message(kept.finish(), JointState)
    assert again == JointState(header=header(Stamp(3, 4), frame), name=["a", "bc"], position=[5.5, 6.5], effort=[7.0])


@pytest.mark.parametrize("frame", FRAMES)
def test_points_of_several_rows_are_flat_views(frame):
    marker = Marker(header=header(Stamp(1, 2), frame), ns="é", points=[Point(), Point()])
    kept = Template(MarkerArray(markers=[marker, marker]))
    kept.stamp(Stamp(3, 4), ("markers.1.header.stamp",))
    kept["markers.1.points"][:] = np.arange(6)
    first, second = deserialize_message(kept.finish(), MarkerArray).markers
    assert first == marker
    assert second.header == header(Stamp(3, 4), frame)
    assert second.points == [Point(x=0.0, y=1.0, z=2.0), Point(x=3.0, y=4.0, z=5.0)]


def test_a_struct_of_equal_numbers_is_one_view_and_a_mixed_one_is_not():
    kept = Template(PoseWithCovarianceStamped(header=Header(frame_id="map")))
    assert kept["pose"].shape == (7 + 36,)
    with pytest.raises(KeyError):
        kept["header"]


@pytest.mark.parametrize("message", [Marker(), CameraInfo(d=[0.1, 0.2]), String(data="é"), String()])
def test_it_starts_as_the_message(message):
    assert deserialize_message(Template(message).finish(), type(message)) == message


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name_length", range(8))
@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 0), (2, 3, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
def test_it_ends_with_the_last_field_and_pads_with_zeros(frame, name_length, counts):
    """Fast CDR's own buffer is up to 8 bytes too long and holds memory of the process between and behind the fields."""
    position, velocity, effort = ([0.5] * count for count in counts)
    message = JointState(
        header=header(Stamp(1, 2), frame),
        name=["a" * name_length, "b"],
        position=position,
        velocity=velocity,
        effort=effort,
    )
    assert_same(Template(message).finish(), message)


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("length", range(5))
def test_lists_of_texts_and_mixed_structs_are_exact(count, length):
    objects = [Marker(ns="n" * length, id=k, points=[Point()] * k) for k in range(count)]
    assert_same(Template(MarkerArray(markers=objects)).finish(), MarkerArray(markers=objects))
    info = CameraInfo(distortion_model="d" * length, d=[0.5] * count)
    assert_same(Template(info).finish(), info)


def test_a_layout_that_is_not_understood_is_refused(monkeypatch):
    monkeypatch.setitem(encoding.KINDS, "double", "<f4")
    with pytest.raises(ValueError, match="JointState: expected 84 bytes of CDR, got 100"):
        Template(JointState(name=["a"] * 4, position=[0.0] * 4))
