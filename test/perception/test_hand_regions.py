# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.skeleton import MANO
from hmr_ros.perception import hand_regions
from hmr_ros.perception.hand_regions import HandLandmarks, decode_landmarks, image_from_crop, mapped

RNG = np.random.default_rng(0)


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def upright_hand() -> np.ndarray:
    """(21, 2) px: the wrist at the origin, fingers upwards (-y), the middle finger's tip 100 px away."""
    points = np.zeros((21, 2))
    for k, finger in enumerate(("thumb", "index", "middle", "ring", "pinky")):
        for phalanx in (1, 2, 3, 4):
            points[MANO.index(f"{finger}{phalanx}")] = (15 * (k - 2), -40 - 20 * (phalanx - 1))
    return points


def test_the_rough_region_reaches_beyond_the_fingers():
    """Wrist and knuckles 10 px above it: 54 px, around a point 12 px above the wrist."""
    wrist, index, pinky = (np.array([[50.0 + x, y]]) for x, y in ((0, 90), (-3, 80), (6, 80)))
    region = hand_regions.regions_of_body(wrist, index, pinky)
    assert_allclose(region[0], [[50, 78], [50, 51]], atol=1e-12)
    assert_allclose(hand_regions.region_sides(region), 54)


def test_regions_turn_and_grow_with_the_body():
    wrist, index, pinky = 50 * RNG.normal(size=(3, 4, 2))
    expected = 3 * turned(hand_regions.regions_of_body(wrist, index, pinky), 0.7) + 10
    found = hand_regions.regions_of_body(*(3 * turned(p, 0.7) + 10 for p in (wrist, index, pinky)))
    assert_allclose(found, expected, atol=1e-9)


def test_a_recropped_region_is_around_the_two_points_of_the_answer():
    """The crop is 256 px of the image: hand at (128, 128), 60 px from the point below it."""
    region = np.array([[[127.5, 127.5], [127.5, -0.5]]])
    found = hand_regions.regions_of_recrop(np.array([[128.0, 128.0, 128.0, 188.0]]), region)
    assert_allclose(found[0], [[127.5, 127.5 - 12], [127.5, 127.5 - 72]], atol=1e-9)


def test_the_next_region_is_twice_the_palm():
    """The palm's points are 60 px wide and high: so is half of the region, whose centre is 6 px above theirs."""
    region = hand_regions.regions_of_landmarks(upright_hand()[None] + [200, 300])[0]
    thumb = MANO.index("thumb3")
    assert upright_hand()[thumb, 1] == -80
    height = 80
    assert_allclose(region[0], [200, 300 - 40 - 0.1 * height], atol=1e-9)
    assert_allclose(region[1], region[0] - [0, height], atol=1e-9)


@pytest.mark.parametrize("angle", [-2.5, 0.4, 3.0])
def test_the_next_region_turns_with_the_hand(angle: float):
    hand = upright_hand()[None] + RNG.normal(size=(1, 21, 2))
    expected = turned(hand_regions.regions_of_landmarks(hand), angle)
    assert_allclose(hand_regions.regions_of_landmarks(turned(hand, angle)), expected, atol=1e-9)


def test_corners_of_the_crop_are_corners_of_the_region():
    region = np.array([[[100.0, 60.0], [100.0, 40.0]]])
    corners = np.array([[[0.0, 0.0], [224.0, 0.0], [112.0, 112.0], [224.0, 224.0]]])
    found = mapped(image_from_crop(region, 224), corners)
    assert_allclose(found[0], [[80, 40], [120, 40], [100, 60], [120, 80]], atol=1e-9)


def test_crops_show_their_region_upright_and_black_outside():
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:30, 40:50] = (200, 100, 50)
    sideways = np.array([[[44.5, 24.5], [49.5, 24.5]], [[0.0, 0.0], [0.0, -30.0]]])  # fingers to the right
    patches = hand_regions.crops(image, sideways, 64)
    assert patches.shape == (2, 64, 64, 3)
    assert (patches[0, 4:-4, 4:-4] == (200, 100, 50)).all()
    assert (patches[1, :30] == 0).all()
    image[20:30, 48:50] = 255  # the side of the fingers is up
    assert (hand_regions.crops(image, sideways[:1], 64)[0, 4:8, 4:-4] == 255).all()


def test_answers_are_in_the_axes_of_the_image():
    """A region whose fingers point to the right: the crop's up is the image's right, its right the image's down."""
    region = np.array([[[50.0, 50.0], [60.0, 50.0]]])
    landmarks = np.tile([112.0, 0.0, 7.0], (1, 21)).astype(np.float32)
    world = np.tile([0.03, -0.05, 0.02], (1, 21)).astype(np.float32)
    found = decode_landmarks(landmarks, world, np.full((1, 1), 0.9), np.full((1, 1), 0.2), region)
    assert_allclose(found.points[0, 5], [60, 50], atol=1e-4)
    assert_allclose(found.world[0, 5], [0.05, 0.03, 0.02], atol=1e-6)
    assert found.presence.tolist() == pytest.approx([0.9])
    assert found.right.tolist() == [0.2]


def test_no_hands_are_no_answers():
    assert len(HandLandmarks.empty()) == 0
    none = np.zeros((0, 2, 2))
    assert hand_regions.crops(np.zeros((4, 4, 3), np.uint8), none, 224).shape == (0, 224, 224, 3)
    assert hand_regions.regions_of_landmarks(np.zeros((0, 21, 2))).shape == (0, 2, 2)


def test_a_hand_is_as_large_as_the_box_around_it():
    assert hand_regions.hand_sizes(upright_hand()) == pytest.approx(np.hypot(60, 100))
