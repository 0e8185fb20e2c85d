# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.camera import project, undistort_points
from hmr_ros.core.geometry.crop import apply, crop_from_image
from hmr_ros.core.geometry.crop_view import QUARTER_TURNS
from hmr_ros.core.people import Camera
from hmr_ros.perception.crops import crop_views, cut

K = np.array([[800.0, 0, 640], [0, 800, 360], [0, 0, 1]])
PINHOLE = Camera(K, 1280, 720)
FISHEYE = Camera(K, 1280, 720, "equidistant", np.array([0.02, -0.01, 0.0, 0.0]))
BOXES = np.array([[600.0, 200, 700, 500], [100.0, 100, 500, 300], [1200.0, 500, 1280, 720]])


def test_boxes_get_the_crop_s_aspect_around_the_same_centre():
    rows, views = crop_views(BOXES, PINHOLE)
    assert rows.tolist() == [0, 1, 2]
    size = views.boxes[:, 2:] - views.boxes[:, :2]
    assert_allclose(size[:, 0] / size[:, 1], 0.75)
    assert_allclose(size[:, 1], 1.1 * np.array([300, 400 / 0.75, 220]))
    centre = (BOXES[:, :2] + BOXES[:, 2:]) / 2
    assert_allclose((views.boxes[:, :2] + views.boxes[:, 2:]) / 2, centre)
    assert_allclose(views.centre, (centre - K[:2, 2]) / 800)
    assert_allclose(views.height, size[:, 1] / 800)


def test_a_bent_lens_counts_by_its_scale_around_the_centre():
    _, views = crop_views(BOXES, FISHEYE)
    points = np.concatenate([views.centre, np.ones((3, 1))], 1)[:, None]
    small = 1e-3 * np.eye(3)[:2]
    pixels_by_ray = (project(points + small, FISHEYE) - project(points - small, FISHEYE)).swapaxes(1, 2) / 2e-3
    down = np.linalg.solve(pixels_by_ray, np.tile([[0.0], [1.0]], (3, 1, 1)))[..., 0]  # the ray's way per px
    height = (views.boxes[:, 3] - views.boxes[:, 1]) * np.linalg.norm(down, axis=1)
    assert_allclose(views.height, height, rtol=0.02)
    assert not np.allclose(views.height, (views.boxes[:, 3] - views.boxes[:, 1]) / 800, rtol=0.1)


@pytest.mark.parametrize("box", [[1280, 720, 0, 0], [300, 200, 300, 400], [np.nan] * 4, [np.inf, 0, -np.inf, 10]])
def test_empty_boxes_have_no_view(box):
    rows, views = crop_views(np.array([BOXES[0], box]), PINHOLE)
    assert rows.tolist() == [0]
    assert len(views.boxes) == 1


def test_a_box_outside_the_lens_has_no_view():
    narrow = Camera(K, 1280, 720, "plumb_bob", np.array([-0.9, 0, 0, 0]))
    beyond = np.array([[1200.0, 650, 1280, 720]])
    assert np.isnan(undistort_points(np.array([1240.0, 685]), narrow)).all()
    assert len(crop_views(beyond, narrow)[0]) == 0


def test_no_detections():
    rows, views = crop_views(np.zeros((0, 4)), PINHOLE)
    assert len(rows) == 0
    assert cut(np.zeros((10, 10, 3), np.uint8), views.boxes).shape == (0, 256, 192, 3)


def spots(places, size=(720, 1280), radius=6):
    """A black image with bright discs."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y in places:
        centre = round(16 * x), round(16 * y)
        cv2.circle(image, centre, round(16 * radius), (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    return image


@pytest.mark.parametrize("height", [130.0, 400.0, 1100.0])
def test_points_are_where_the_affine_map_says(height):
    centre = np.array([640.3, 360.7])
    half = np.array([0.75 * height, height]) / 2
    box = np.concatenate([centre - half, centre + half])
    place = centre + (0.1 * half)
    (crop,) = cut(spots([place], radius=0.02 * height), box[None])
    mass = crop[..., 0].astype(float)
    y, x = np.mgrid[:256, :192]
    found = np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()
    assert_allclose(found, apply(crop_from_image(box, 192, 256), place[None])[0], atol=0.1)


@pytest.mark.parametrize("height", [400.0, 800.0, 1900.0])
def test_shrinking_averages_the_pixels_it_covers(height):
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8)
    box = np.array([20.3, 20.6, 20.3 + 0.75 * height, 20.6 + height])
    finest = cv2.warpAffine(noise, crop_from_image(box, 12 * 192, 12 * 256), (12 * 192, 12 * 256))
    exact = cv2.resize(finest, (192, 256), interpolation=cv2.INTER_AREA)
    (crop,) = cut(noise, box[None])
    single = cv2.warpAffine(noise, crop_from_image(box, 192, 256), (192, 256))
    assert crop.std() < 0.85 * single.std()
    assert np.corrcoef(crop.ravel(), exact.ravel())[0, 1] > np.corrcoef(single.ravel(), exact.ravel())[0, 1] + 0.04


def test_beyond_the_image_is_black():
    white = np.full((720, 1280, 3), 255, np.uint8)
    (crop,) = cut(white, np.array([[-75.0, -100, 75, 100]]))
    assert not crop[:126, :].any()
    assert not crop[:, :94].any()
    assert (crop[130:, 98:] == 255).all()


@pytest.mark.parametrize(("scale", "finer"), [(1.5, 1), (1.55, 2), (4.0, 2), (4.1, 3), (9.0, 3)])
def test_a_crop_is_sampled_as_finely_as_the_root_of_its_scale(scale: float, finer: int):
    noise = np.random.default_rng(1).integers(0, 256, (720, 720, 3), np.uint8)
    height = 256 * scale
    box = np.array([-900.2, -1500.4, -900.2 + 0.75 * height, -1500.4 + height]) + [1000, 1600, 1000, 1600]
    samples = cv2.warpAffine(noise, crop_from_image(box, 192 * finer, 256 * finer), (192 * finer, 256 * finer))
    (crop,) = cut(noise, box[None])
    np.testing.assert_array_equal(crop, cv2.resize(samples, (192, 256), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_crops_are_turned_as_the_image_would_be(turns):
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    camera = Camera(np.array([[100.0, 0, 59.5], [0, 100, 44.5], [0, 0, 1]]), 120, 90)
    box = np.array([[20.0, 30, 90, 60]])
    image_turned = np.ascontiguousarray(np.rot90(image, turns))
    width, height = image_turned.shape[1::-1]
    turned_camera = Camera(
        np.array([[100.0, 0, (width - 1) / 2], [0, 100, (height - 1) / 2], [0, 0, 1]]), width, height
    )
    corners = box.reshape(2, 2) - (59.5, 44.5)
    moved = corners @ QUARTER_TURNS[turns].T + ((width - 1) / 2, (height - 1) / 2)
    (_, lying), (_, upright) = (
        crop_views(box, camera, np.array([turns])),
        crop_views(np.concatenate([moved.min(0), moved.max(0)])[None], turned_camera),
    )
    assert_allclose(lying.camera, upright.camera, atol=1e-6)
    difference = cut(image, lying.boxes, lying.turns).astype(int) - cut(image_turned, upright.boxes)
    assert np.abs(difference).max() <= 2, "but for rounding in the interpolation"
