# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from visualization_msgs.msg import Marker

from hmr_ros.core.people import State
from hmr_ros.core.skeleton import SMPL
from hmr_ros.perception.overlay import person_color
from hmr_ros.ros.wire import markers, messages
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.writers import MeshWriter
from test.ros.stubs import BODY_MODEL, some_bodies, with_forecasts

STAMP = Stamp(12, 34)
HEADER = messages.header(STAMP, "camera_optical_frame")


def test_no_people_have_no_markers():
    assert markers.skeleton_markers(HEADER, some_bodies(0), (), 0.5).markers == []


def test_skeletons_are_drawn_and_deleted():
    array = markers.skeleton_markers(HEADER, with_forecasts(some_bodies(2, ids=[1, 2]), (0.5,)), (9,), 2.25)
    drawn = [m for m in array.markers if m.action == Marker.ADD]
    deleted = [m for m in array.markers if m.action == Marker.DELETE]
    assert len({(m.ns, m.id) for m in drawn}) == 6
    assert {m.id for m in drawn} == {messages.person_number(1), messages.person_number(2)}
    assert {(m.ns, m.id) for m in deleted} == {
        (ns, messages.person_number(9)) for ns in ("bones", "joints", "forecast")
    }
    assert {m.ns for m in deleted} == {m.ns for m in drawn}, "one namespace for each kind"
    assert {(m.lifetime.sec, m.lifetime.nanosec) for m in drawn} == {(2, 250_000_000)}
    assert len(drawn[0].points) == 2 * len(SMPL.edges)


def test_a_forecast_is_the_way_of_the_pelvis_where_it_is_known():
    bodies = with_forecasts(some_bodies(2, ids=[1, 2]), (0.25, 1.0))
    bodies.forecasts.cam_t[1] = np.nan
    (way,) = (m for m in markers.skeleton_markers(HEADER, bodies, (), 0.5).markers if m.ns == "forecast")
    assert (way.id, way.type) == (messages.person_number(1), Marker.LINE_STRIP)
    expected = [bodies.joints[0, 0], *bodies.forecasts.cam_t[0]]
    np.testing.assert_allclose([(p.x, p.y, p.z) for p in way.points], expected, atol=1e-6)


def test_a_hidden_person_is_more_transparent():
    bodies = dataclasses.replace(some_bodies(2), states=np.array([State.TRACKED, State.COASTING]))
    drawn = markers.skeleton_markers(HEADER, bodies, (), 0.5).markers
    writer = MeshWriter(BODY_MODEL.faces)
    meshes = [deserialize_message(writer(STAMP, "camera", bodies, row, 0.5), Marker) for row in (0, 1)]
    for seen, hidden in ((drawn[0], drawn[2]), (drawn[1], drawn[3]), meshes):
        assert seen.color.a == 1
        assert 0.2 < hidden.color.a < 0.6


def test_bones_are_lines_and_joints_are_balls_in_the_colour_of_the_person():
    bodies = some_bodies(2, ids=[4, 9])
    bones, joints, *_ = markers.skeleton_markers(HEADER, bodies, (), 2.25).markers
    assert (bones.type, joints.type) == (Marker.LINE_LIST, Marker.SPHERE_LIST)
    assert 0 < bones.scale.x < joints.scale.x < 0.2
    assert joints.scale.x == joints.scale.y == joints.scale.z
    points = np.array([(p.x, p.y, p.z) for p in joints.points])
    assert np.array_equal(points, bodies.joints[0].astype(float))
    ends = np.array([(p.x, p.y, p.z) for p in bones.points]).reshape(-1, 2, 3)
    pairs = np.array([[bodies.joints[0][k] for k in edge] for edge in SMPL.edge_indices], float)
    assert np.array_equal(ends, pairs)
    for marker in (bones, joints):
        assert (marker.header, marker.id) == (HEADER, messages.person_number(4))
        rgba = (marker.color.r, marker.color.g, marker.color.b, marker.color.a)
        assert rgba == pytest.approx((*person_color(4), 1.0))
        q = marker.pose.orientation
        assert (q.x, q.y, q.z, q.w) == (0, 0, 0, 1)
        assert marker.lifetime.sec + marker.lifetime.nanosec * 1e-9 == 2.25
    assert person_color(4) != person_color(9)


def test_a_deleted_marker_is_that_of_the_person_and_part():
    for namespace in (markers.BONES, markers.JOINTS):
        marker = markers.deleted_marker(HEADER, 9, namespace)
        assert (marker.header, marker.ns, marker.id) == (HEADER, namespace, messages.person_number(9))
        assert marker.action == Marker.DELETE
