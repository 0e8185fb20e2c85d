# SPDX-License-Identifier: Apache-2.0
"""What stands still is expected where a camera that moved shows it."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Camera
from hmr_ros.perception.carrying import View, carried_people, carried_pixels
from hmr_ros.perception.track import Track, carry

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
    grown, moved = carried_people(box[None, None], kp2d[None], np.array([4.0]), nearer, PINHOLE)
    grown, moved = grown[0, 0], moved[0]
    centre = np.array([640, 360])
    assert_allclose(grown.reshape(2, 2), 2 * (box.reshape(2, 2) - centre) + centre, atol=1e-3)
    assert_allclose(moved, 2 * (kp2d - centre) + centre, atol=1e-3)
    assert (grown.dtype, moved.dtype) == (np.float32, np.float32)


def test_many_tracks_are_carried_as_each_alone():
    rng = np.random.default_rng(0)
    then, now = (CameraPose(Transform(np.eye(3), np.array([0.0, 0.0, z])), 1) for z in (0.0, 0.3))
    lost = CameraPose(Transform.identity(), 0)

    def tracks():
        for number, pose in enumerate([then, then, None, lost, then]):
            kp2d, size = rng.uniform(200, 400, (17, 2)), rng.uniform(50, 90)
            box = np.array([250.0, 150, 250 + size, 150 + 2 * size])
            yield Track(number, box, 1.0, kp2d, np.ones(17), 0.0, np.zeros(2), pose=pose)

    view = View(PINHOLE, now, {0: 4.0, 4: 7.0})
    together = list(tracks())
    alone = copy.deepcopy(together)
    carry(together, view)
    for a, b in zip(together, alone, strict=True):
        before = b.box
        carry([b], view)
        assert_allclose(a.box, b.box, atol=1e-9)
        assert_allclose(a.begun, b.begun, atol=1e-9)
        assert_allclose(a.kp2d, b.kp2d, atol=1e-9)
        assert (a.pose is now) == (a.id in (0, 1, 4))
        assert np.allclose(b.box, before) == (a.id not in (0, 4)), "those at an unknown depth, and others, stay"
