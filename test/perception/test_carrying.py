# SPDX-License-Identifier: Apache-2.0
"""What stands still is expected where a camera that moved shows it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Camera
from hmr_ros.perception.carrying import carried_person, carried_pixels

PINHOLE = Camera(np.array([[600.0, 0, 640], [0, 600, 360], [0, 0, 1]]), 1280, 720)
WIDE = Camera(PINHOLE.K, 1280, 720, "plumb_bob", np.array([-0.3, 0.1, 0.001, 0.002, 0.0]))
MOTION = Transform(rotvec_to_rotmat(np.array([0.02, -0.15, 0.03])), np.array([-0.1, 0.02, 0.05]))
POINTS = np.array([[0.3, -0.8, 4.0], [0.1, 0.9, 4.0], [-0.6, 0.2, 4.0]])


@pytest.mark.parametrize("camera", [PINHOLE, WIDE])
def test_points_at_the_depth_of_the_person_are_where_the_camera_shows_them(camera):
    carried = carried_pixels(project(POINTS, camera), 4.0, MOTION, camera)
    assert_allclose(carried, project(MOTION(POINTS), camera), atol=1e-4)


def test_at_an_unknown_depth_the_rotation_counts_alone():
    carried = carried_pixels(project(POINTS, PINHOLE), np.inf, MOTION, PINHOLE)
    assert_allclose(carried, project(POINTS @ MOTION.rotation.T, PINHOLE), atol=1e-9)


@pytest.mark.parametrize("camera", [PINHOLE, WIDE])
@pytest.mark.parametrize("yaw", [1.2, 2.0, 3.0])
def test_what_gets_behind_the_camera_is_out_of_the_image_and_finite(camera, yaw):
    motion = Transform(rotvec_to_rotmat(np.array([0, yaw, 0])), np.zeros(3))
    carried = carried_pixels(project(POINTS, camera), 4.0, motion, camera)
    assert np.isfinite(carried).all()
    assert ((carried < 0) | (carried > (camera.width, camera.height))).any(1).all()


def test_a_box_grows_with_what_comes_nearer_and_keeps_its_type():
    box, kp2d = np.array([600, 200, 700, 500], np.float32), np.array([[650, 350.0]], np.float32)
    nearer = Transform(np.eye(3), np.array([0, 0, -2.0]))
    grown, moved = carried_person(box, kp2d, 4.0, nearer, PINHOLE)
    centre = np.array([640, 360])
    assert_allclose(grown.reshape(2, 2), 2 * (box.reshape(2, 2) - centre) + centre, atol=1e-3)
    assert_allclose(moved, 2 * (kp2d - centre) + centre, atol=1e-3)
    assert (grown.dtype, moved.dtype) == (np.float32, np.float32)
