import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.camera import project, undistort_to_rays
from hmr_ros.core.crop_view import CropView, crop_cam_to_translation, translation_to_crop_cam
from hmr_ros.core.people import Camera
from hmr_ros.core.rotation import rotvec_to_rotmat

CAMERA = Camera(np.array([[800.0, 0, 640], [0, 800, 360], [0, 0, 1]]), 1280, 720)


@pytest.fixture
def view():
    boxes = np.array([[100.0, 50, 400, 450], [900, 200, 1200, 600]])
    centre = undistort_to_rays((boxes[:, :2] + boxes[:, 2:]) / 2, CAMERA)
    return CropView(boxes, centre, (boxes[:, 3] - boxes[:, 1]) / 800)


def test_crop_units_run_from_edge_to_edge(view):
    corners = view.boxes.reshape(2, 2, 2)
    assert_allclose(view.to_crop_units(corners), np.tile([[0.0, 0], [1, 1]], (2, 1, 1)))


def test_what_lies_on_the_crop_camera_s_axis_is_seen_in_the_middle(view):
    rotations = np.tile(np.eye(3), (2, 24, 1, 1))
    _, cam_t = view.to_optical(rotations, np.array([[0.9, 0, 0], [0.7, 0, 0]]))
    assert_allclose(view.to_crop_units(project(cam_t, CAMERA)[:, None]), 0.5)
    assert_allclose(np.linalg.norm(cam_t, axis=1), 2 / (np.array([0.9, 0.7]) * view.height))


def test_the_root_alone_is_turned(view, rng):
    in_optical = rotvec_to_rotmat(rng.normal(size=(2, 24, 3)))
    in_crop = in_optical.copy()
    in_crop[:, 0] = view.crop_from_optical @ in_optical[:, 0]
    again, _ = view.to_optical(in_crop, np.ones((2, 3)))
    assert_allclose(again, in_optical, atol=1e-12)


def test_places_there_and_back(view):
    place = np.array([[0.2, -0.1, 3.0], [0.0, 0.3, 7.0]])
    assert_allclose(crop_cam_to_translation(translation_to_crop_cam(place, view.height), view.height), place)


def test_a_scale_that_says_nothing_is_far_away(view):
    depth = crop_cam_to_translation(np.array([[0.0, 0, 0], [-1.0, 0, 0]]), view.height)[:, 2]
    assert_allclose(depth, 40 / view.height)
