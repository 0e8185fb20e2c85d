# SPDX-License-Identifier: Apache-2.0
"""The floor as a frame; that it is found is tested with its image, test/demo/test_view3d.py."""

import numpy as np
import pytest

from hmr_ros.results.floor import LEVEL_CAMERA, Floor, floor_of
from hmr_ros.results.snapshot import Snapshot
from test.results.results import HEIGHT_M, OPTICAL_FROM_LEVEL, bodies
from test.ros.stubs import BODY_MODEL


def snapshots(count, ids=(1, 2, 3)):
    return [Snapshot(k, 0.1 * k, bodies(k, ids), tuple(map(str, ids))) for k in range(count)]


def test_its_frame_has_x_forward_y_left_z_up_and_the_camera_above_it():
    floor = Floor(OPTICAL_FROM_LEVEL @ np.array([0, -1.0, 0]), -HEIGHT_M)
    to_floor = floor.floor_from_optical
    np.testing.assert_allclose(to_floor(np.zeros(3)), [0, 0, HEIGHT_M], atol=1e-12)
    right_ahead_below = OPTICAL_FROM_LEVEL @ np.array([1.0, HEIGHT_M, 4.0])
    np.testing.assert_allclose(to_floor(right_ahead_below), [4, -1, 0], atol=1e-12)
    assert np.linalg.det(to_floor.rotation) == pytest.approx(1)


def test_it_is_found_of_results_without_meshes():
    to_floor = floor_of(snapshots(3), BODY_MODEL).floor_from_optical
    expected = Floor(OPTICAL_FROM_LEVEL @ np.array([0, -1.0, 0]), -HEIGHT_M).floor_from_optical
    assert np.degrees(np.arccos(to_floor.rotation[2] @ expected.rotation[2])) < 6
    assert to_floor.translation[2] == pytest.approx(HEIGHT_M, abs=0.35)


def test_the_same_people_in_many_images_tilt_it_to_the_side_no_more_than_in_one():
    """One of two is guessed too large, and so too far away."""
    each = [Snapshot(k, 0.1 * k, bodies(0, (1, 2)), ("1", "2")) for k in range(12)]
    for snapshot in each:
        for column in (snapshot.bodies.cam_t, snapshot.bodies.joints, snapshot.bodies.vertices):
            column[1] *= 1.2
    one, many = floor_of(each[:1], BODY_MODEL).up, floor_of(each, BODY_MODEL).up
    assert many[0] == pytest.approx(one[0], abs=0.005)


def test_without_people_the_camera_is_level():
    assert floor_of(snapshots(2, ids=()), BODY_MODEL) is LEVEL_CAMERA
    np.testing.assert_allclose(LEVEL_CAMERA.floor_from_optical(np.array([1.0, 2.0, 3.0])), [3, -1, -2])
