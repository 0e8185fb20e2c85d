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
