# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.crop import apply, crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import (
    CROP_ASPECT,
    CROP_SHAPE,
    CropView,
    crop_cam_to_translation,
    translation_to_crop_cam,
)
from hmr_ros.core.people import Camera

CAMERA = Camera(np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]), 640, 480)
BOX = pad_to_aspect(np.array([[40.0, 60, 150, 400]]), CROP_ASPECT)


def view() -> CropView:
    centre = (BOX[:, :2] + BOX[:, 2:]) / 2
    return CropView(BOX, (centre - CAMERA.K[:2, 2]) / 600, (BOX[:, 3] - BOX[:, 1]) / 600)


def test_the_axis_of_the_crop_camera_is_seen_in_the_middle_of_the_crop():
    axis = view().crop_from_optical[0].T @ [0, 0, 3.0]
    np.testing.assert_allclose(view().to_crop_units(project(axis[None, None], CAMERA)), [[[0.5, 0.5]]], atol=1e-9)


def test_crop_units_are_pixels_of_the_crop_counted_from_its_edge():
    pixels = np.array([[[40.0, 60], [101.5, 333], [-20, 500]]])
    height, width = CROP_SHAPE
    in_crop = apply(crop_from_image(BOX, width, height), pixels)
    expected = (in_crop + 0.5) / [width, height]
    np.testing.assert_allclose(view().to_crop_units(pixels), expected, atol=1e-12)


def test_a_body_of_two_metres_at_scale_one_fills_the_box():
    translation = crop_cam_to_translation(np.array([[1.0, 0.1, 0.2]]), view().height)
    np.testing.assert_allclose(2 / translation[0, 2], view().height[0])
    np.testing.assert_allclose(translation[0, :2], [0.1, 0.2])


def test_crop_cam_and_translation_are_inverse():
    crop_cam = np.array([[0.7, -0.3, 0.4]])
    back = translation_to_crop_cam(crop_cam_to_translation(crop_cam, view().height), view().height)
    np.testing.assert_allclose(back, crop_cam)
