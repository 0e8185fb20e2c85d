# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry import crop

BOXES = np.array([[10.0, 20, 110, 220], [-30, 5, 50, 25]])


def corners(boxes: np.ndarray) -> np.ndarray:
    return np.stack([boxes[:, :2], boxes[:, 2:]], 1)


def test_a_box_maps_onto_the_corners_of_the_crop():
    affine = crop.crop_from_image(BOXES, 192, 256)
    assert_allclose(crop.apply(affine, corners(BOXES)), [[[-0.5, -0.5], [191.5, 255.5]]] * 2, atol=1e-12)


def test_the_inverse_undoes_any_affine_map():
    rng = np.random.default_rng(0)
    affine, points = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 17, 2))
    assert_allclose(crop.apply(crop.inverse(affine), crop.apply(affine, points)), points, atol=1e-10)
    one, other = crop.crop_from_image(BOXES, 64, 48), crop.crop_from_image(BOXES[:1], 64, 48)
    assert_allclose(one[:1], other)
    assert crop.apply(crop.inverse(crop.crop_from_image(BOXES[:0], 64, 48)), points[:0]).shape == (0, 17, 2)


@pytest.mark.parametrize("aspect", [0.75, 1.0, 4.0, 10.0])
def test_padding_keeps_centres_contains_the_box_and_has_the_aspect(aspect: float):
    padded = crop.pad_to_aspect(BOXES, aspect)
    assert_allclose(corners(padded).mean(1), corners(BOXES).mean(1))
    width, height = (padded[:, 2:] - padded[:, :2]).T
    assert_allclose(width / height, aspect)
    assert (padded[:, :2] <= BOXES[:, :2] + 1e-12).all()
    assert (padded[:, 2:] >= BOXES[:, 2:] - 1e-12).all()
    assert_allclose(np.minimum(width / (BOXES[:, 2] - BOXES[:, 0]), height / (BOXES[:, 3] - BOXES[:, 1])), 1)
    enlarged = crop.pad_to_aspect(BOXES, aspect, 1.2)
    assert_allclose((enlarged[:, 2:] - enlarged[:, :2]) / (padded[:, 2:] - padded[:, :2]), 1.2)


def test_opencv_warps_by_the_same_map():
    image = np.zeros((8, 8), np.uint8)
    image[2:4, 4:6] = 255  # reaches from 3.5 to 5.5 and from 1.5 to 3.5
    affine = crop.crop_from_image(np.array([3.5, 1.5, 5.5, 3.5]), 10, 10)
    patch = cv2.warpAffine(image, affine, (10, 10), flags=cv2.INTER_NEAREST)
    assert (patch == 255).all()
    wide = crop.crop_from_image(np.array([2.5, 0.5, 6.5, 4.5]), 20, 20)
    assert_allclose(cv2.warpAffine(image, wide, (20, 20)).mean(), 255 / 4, rtol=1e-3)


def test_an_empty_box_is_refused():
    with pytest.raises(ValueError, match="x2 > x1"):
        crop.crop_from_image(np.array([[5.0, 5, 5, 9]]), 10, 10)


def test_boxes_hold_what_is_seen_and_a_little_more_within_the_image():
    points = np.array([[[10.0, 20], [30, 120], [500, 500]], [[-5.0, 3], [40, 60], [20, 30]]])
    seen = np.array([[True, True, False], [True, True, True]])
    boxes = crop.boxes_of_keypoints(points, seen, np.array([100, 125]))
    np.testing.assert_allclose(boxes, [[8, 10, 32, 125], [0, 0, 44.5, 65.7]])


def test_the_box_of_nothing_is_inside_out():
    boxes = crop.boxes_of_keypoints(np.zeros((1, 3, 2)), np.zeros((1, 3), np.bool_), np.array([100, 50]))
    assert (boxes[:, :2] > boxes[:, 2:]).all()
