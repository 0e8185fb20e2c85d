# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.crop import apply, crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import (
    CROP_ASPECT,
    CROP_SHAPE,
    QUARTER_TURNS,
    SMALLEST_SCALE,
    CropView,
    crop_cam_to_translation,
    translation_to_crop_cam,
)
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
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
    np.testing.assert_allclose(view().to_pixels(expected), pixels, atol=1e-9)


def test_a_body_of_two_metres_at_scale_one_fills_the_box():
    translation = crop_cam_to_translation(np.array([[1.0, 0.1, 0.2]]), view().height)
    np.testing.assert_allclose(2 / translation[0, 2], view().height[0])
    np.testing.assert_allclose(translation[0, :2], [0.1, 0.2])


def test_crop_cam_and_translation_are_inverse():
    crop_cam = np.array([[0.7, -0.3, 0.4]])
    back = translation_to_crop_cam(crop_cam_to_translation(crop_cam, view().height), view().height)
    np.testing.assert_allclose(back, crop_cam)


def test_pixels_of_the_crop_are_square():
    height, width = CROP_SHAPE
    map_ = crop_from_image(BOX, width, height)[0]
    np.testing.assert_allclose(map_[0, 0], map_[1, 1])


def test_a_body_in_the_crop_camera_is_the_same_body_in_the_optical_frame():
    """Two boxes: what the network says of a joint below the root, by hand from the crop camera's axes."""
    rng = np.random.default_rng(0)
    boxes = np.concatenate([BOX, BOX + [300, 0, 300, 0]])
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 - CAMERA.K[:2, 2]) / 600
    views = CropView(boxes, centre, (boxes[:, 3] - boxes[:, 1]) / 600)
    rotations, crop_cam = rotvec_to_rotmat(rng.normal(size=(2, 24, 3))), np.array([[0.8, 0.1, -0.2], [1.1, 0, 0.3]])
    before = rotations.copy()
    optical, cam_t = views.to_optical(rotations, crop_cam)
    np.testing.assert_array_equal(rotations, before)
    np.testing.assert_array_equal(optical[:, 1:], rotations[:, 1:])
    for person in range(2):
        turn = views.crop_from_optical[person]
        in_crop = [*crop_cam[person, 1:], 2 / (crop_cam[person, 0] * views.height[person])]
        np.testing.assert_allclose(turn @ cam_t[person], in_crop, atol=1e-12)
        np.testing.assert_allclose(turn @ optical[person, 0], rotations[person, 0], atol=1e-12)


def about_z(turns):
    """The rotation of a camera that turns its image counter-clockwise."""
    out = np.eye(3)
    out[:2, :2] = QUARTER_TURNS[turns]
    return out


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_person_who_is_turned_is_seen_as_upright_by_a_turned_camera(turns):
    width, height = CAMERA.width, CAMERA.height
    x, y = np.random.default_rng(0).uniform((0, 0), (width, height), (5, 2)).T
    in_turned = {1: (y, width - 1 - x), 2: (width - 1 - x, height - 1 - y), 3: (height - 1 - y, x)}[turns]
    seen, turned = np.stack([x, y], 1)[None], np.stack(in_turned, 1)[None]
    principal = {1: (240, 319), 2: (319, 239), 3: (239, 320)}[turns]  # of the turned image, by hand
    box = pad_to_aspect(np.array([[150.0, 100, 260, 300]]), CROP_ASPECT)
    upright = CropView(
        box, (box[:, :2] + box[:, 2:]) / 1200 - np.array([principal]) / 600, (box[:, 3:] - box[:, 1:2])[0] / 600
    )
    corners = box.reshape(2, 2) - np.array(principal)
    back = corners @ QUARTER_TURNS[turns] + CAMERA.K[:2, 2]
    region = np.concatenate([back.min(0), back.max(0)])[None]
    middle = ((region[:, :2] + region[:, 2:]) / 2 - CAMERA.K[:2, 2]) / 600
    lying = CropView(region, middle, upright.height, np.array([turns]))
    np.testing.assert_allclose(lying.camera, upright.camera, atol=1e-6)
    np.testing.assert_allclose(lying.to_crop_units(seen), upright.to_crop_units(turned), atol=1e-9)
    np.testing.assert_allclose(lying.to_pixels(lying.to_crop_units(seen)), seen, atol=1e-9)
    np.testing.assert_allclose(lying.crop_from_optical, upright.crop_from_optical @ about_z(turns), atol=1e-12)


def test_the_network_reads_centre_and_height_of_each_box():
    camera = view().camera
    assert camera.dtype == np.float32
    np.testing.assert_allclose(camera, [[*view().centre[0], view().height[0]]], rtol=1e-6)


def test_a_scale_near_zero_or_below_stays_a_distance():
    far = crop_cam_to_translation(np.array([[0.0, 0, 0], [-3, 0, 0], [SMALLEST_SCALE, 0, 0]]), np.ones(3))
    np.testing.assert_allclose(far[:, 2], 2 / SMALLEST_SCALE)
