# SPDX-License-Identifier: Apache-2.0
"""What is cut out of an image, and what a camera that looks into the cut sees."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.crop import apply
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT
from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH, MARGIN
from hmr_ros.training.synthetic.images.rendering.framing import (
    blacken_outside,
    canvas_camera,
    canvas_from_image,
    canvas_size,
    jittered,
    network_box,
    project,
    stored_box,
)

BOX = np.array([100.0, 50, 160, 250])
K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


def centre(box):
    return (box[:2] + box[2:]) / 2


def size(box):
    return box[2:] - box[:2]


def test_the_networks_box_has_its_aspect_and_its_room_about_the_same_middle():
    box = network_box(BOX)
    assert_allclose(centre(box), centre(BOX))
    assert size(box)[0] / size(box)[1] == pytest.approx(CROP_ASPECT)
    assert size(box)[1] == pytest.approx(BOX_SCALE * 200)
    assert_allclose(size(stored_box(box)), MARGIN * size(box))
    assert_allclose(centre(stored_box(box)), centre(box))


def test_a_box_without_size_becomes_a_small_one():
    box = network_box(np.array([10.0, 20, 10, 20]))
    assert_allclose(centre(box), (10, 20))
    assert 0 < size(box)[0] < 20


def test_jitter_moves_and_scales_a_box_by_its_size_and_keeps_the_aspect():
    rng = np.random.default_rng(0)
    box = network_box(BOX)
    assert_allclose(jittered(box, 0.0, rng), box)
    boxes = np.array([jittered(box, 0.1, rng) for _ in range(300)])
    sizes = boxes[:, 2:] - boxes[:, :2]
    assert_allclose(sizes[:, 0] / sizes[:, 1], CROP_ASPECT)
    shift = (boxes[:, :2] + boxes[:, 2:]) / 2 - centre(box)
    assert_allclose(shift.std(0), 0.1 * size(box) / np.sqrt(2), rtol=0.2)
    assert np.abs(shift / size(box)).max() <= 0.2


def test_a_canvas_is_as_large_as_what_the_sensor_saw_but_no_larger_than_the_crop():
    assert canvas_size(np.array([0.0, 0, 60, 80])) == (80, 60)
    assert canvas_size(np.array([0.0, 0, 6000, 8000])) == (CROP_HEIGHT, CROP_WIDTH)
    rows, columns = canvas_size(np.array([0.0, 0, 1, 2]))
    assert 2 < rows == columns


def test_a_camera_of_the_canvas_sees_points_where_the_map_puts_their_pixels():
    points = np.random.default_rng(1).uniform((-1, -1, 2), (1, 1, 5), (1, 30, 3)).astype(np.float32)
    pixels = points[..., :2] / points[..., 2:] * 500 + (320, 240)
    affine = canvas_from_image(np.array([200.0, 100, 440, 420]), 160, 120)
    seen = project(points, canvas_camera(K, affine))
    assert_allclose(seen[..., :2], apply(affine, pixels), atol=1e-2)
    assert_allclose(seen[..., 2], points[..., 2])
    assert_allclose(project(points, K)[..., :2], pixels, atol=1e-2)


def test_what_lies_beyond_the_image_is_black_and_nothing_else():
    image = np.full((40, 30, 3), 200, np.uint8)
    blacken_outside(image, np.array([-10.0, -20, 20, 20]), np.array([640, 480]))
    assert (image[:19] == 0).all()
    assert (image[:, :9] == 0).all()
    assert (image[20:, 10:] == 200).all()
    right = np.full((40, 30, 3), 200, np.uint8)
    blacken_outside(right, np.array([620.0, 450, 650, 490]), np.array([640, 480]))
    assert (right[:29, :19] == 200).all()
    assert (right[30:] == 0).all()
    assert (right[:, 20:] == 0).all()


@pytest.mark.parametrize(
    ("stored", "rows", "columns"),
    [
        ((-10, -20, 20, 20), (19, 40), (9, 30)),
        ((-10.4, -20.4, 19.6, 19.6), (20, 40), (10, 30)),
        ((620, 450, 650, 490), (0, 29), (0, 19)),
        ((0, 0, 30, 40), (0, 40), (0, 30)),
        ((-100, -100, -70, -60), (0, 0), (0, 0)),
        ((700, 500, 730, 540), (0, 0), (0, 0)),
    ],
)
def test_black_begins_at_the_pixel_whose_middle_is_beyond_the_border(stored, rows, columns):
    image, expected = np.full((40, 30, 3), 200, np.uint8), np.zeros((40, 30, 3), np.uint8)
    blacken_outside(image, np.array(stored, float), np.array([640, 480]))
    expected[slice(*rows), slice(*columns)] = 200
    np.testing.assert_array_equal(image, expected)


def test_points_beside_the_camera_are_projected_as_if_just_before_it():
    seen = project(np.array([[(0.1, 0.2, -3.0), (0.1, 0.2, 0.05)]], np.float32), K)
    assert_allclose(seen[0, 0, :2], seen[0, 1, :2])
    assert_allclose(seen[0, :, 2], (-3, 0.05), rtol=1e-6)
    assert_allclose(seen[0, 0, :2], (0.1 / 0.05 * 500 + 320, 0.2 / 0.05 * 500 + 240), rtol=1e-5)


def test_boxes_and_canvases_have_a_smallest_size():
    least = network_box(np.array([10.0, 20, 10, 20]))
    assert_allclose(size(least), np.array([4, 4 / CROP_ASPECT]) * BOX_SCALE)
    assert canvas_size(np.array([0.0, 0, 1, 2])) == (8, 8)
    assert canvas_size(np.array([0.0, 0, 9.4, 8.6])) == (9, 9)
