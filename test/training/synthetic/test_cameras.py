# SPDX-License-Identifier: Apache-2.0
"""Random cameras show people as the mix says."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.training.synthetic.cameras import CameraMix, Views, sample_views
from test.training.published import assert_published, assert_ranges
from test.training.synthetic.draws import Draws

COUNT = 400
EXTENT = np.full(COUNT, 1.8)
CENTRE = np.random.default_rng(1).uniform((-0.2, 0.7, -0.2), (0.2, 1.1, 0.2), (COUNT, 3))


def views(**mix: object) -> Views:
    return sample_views(dataclasses.replace(CameraMix(), **mix), CENTRE, EXTENT, np.random.default_rng(0))


def body() -> np.ndarray:
    """(B, 4, 3) m: head, feet and both hands about CENTRE."""
    ends = np.array([[0, 0.9, 0], [0, -0.9, 0], [0.9, 0, 0], [-0.9, 0, 0]])
    return CENTRE[:, None] + ends


def distances(cameras: Views) -> np.ndarray:
    """(B,) m on the floor from the camera to the world's origin of each person."""
    eye = -(cameras.rotation.transpose(0, 2, 1) @ cameras.translation[..., None])[..., 0]
    return np.linalg.norm((eye - CENTRE)[:, [0, 2]], axis=1)


def test_rotations_are_rotations_and_the_world_is_upright():
    cameras = views()
    unit = cameras.rotation @ cameras.rotation.transpose(0, 2, 1)
    assert_allclose(unit, np.broadcast_to(np.eye(3), unit.shape), atol=1e-9)
    assert (np.linalg.det(cameras.rotation) > 0).all()
    head, feet = cameras.to_optical(body().astype(np.float32)).transpose(1, 0, 2)[:2]
    assert (head[:, 1] < feet[:, 1]).all(), "y is down in the optical frame"
    assert (head[:, 2] > 0).all()


def test_whole_people_are_in_the_image_where_the_distance_allows():
    cameras = views(whole=1.0, pitch=80.0, distance=(1.5, 20.0), roll=0.0)
    pixels = cameras.to_pixels(cameras.to_optical(body().astype(np.float32)))
    assert cameras.inside(pixels).all(1).mean() > 0.9
    cut = views(whole=0.0)
    assert cut.inside(cut.to_pixels(cut.to_optical(body().astype(np.float32)))).all(1).mean() < 0.7


def heights(cameras: Views) -> np.ndarray:
    """(B,) m above the floor."""
    return np.asarray(-(cameras.rotation.transpose(0, 2, 1) @ cameras.translation[..., None])[:, 1, 0])


def test_some_cameras_are_far_or_high_and_the_others_as_without_them():
    usual, mixed = views(), views(far=0.5, high=0.25)
    assert heights(usual).max() <= 2.0
    assert distances(usual).max() <= 10.5
    assert np.mean(heights(mixed) > 2.0) == pytest.approx(0.25, abs=0.07)
    assert 7.5 < heights(mixed).max() <= 8.0
    assert 0.15 < np.mean(distances(mixed) > 10.5) < 0.4
    assert 25 < distances(mixed).max() <= 30.5


def test_people_are_aimed_at_all_over_the_image():
    cameras = views(whole=1.0, pitch=80.0)
    middle = cameras.to_pixels(cameras.to_optical(CENTRE[:, None].astype(np.float32)))[:, 0]
    where = middle / cameras.image_size
    assert where[:, 0].min() < 0.3
    assert where[:, 0].max() > 0.7
    assert abs(where[:, 0].mean() - 0.5) < 0.05


def test_distance_height_focal_length_and_size_keep_to_their_ranges():
    cameras = views(distance=(2.0, 6.0), height=(0.5, 1.5), focal_over_diagonal=(0.7, 1.2), whole=0.0)
    eye = -(cameras.rotation.transpose(0, 2, 1) @ cameras.translation[..., None])[..., 0]
    assert 0.5 <= eye[:, 1].min() < 0.7
    assert 1.3 < eye[:, 1].max() <= 1.5
    assert 2.0 - 1.3 <= distances(cameras).min() < distances(cameras).max() <= 6.0 + 1.3
    over_diagonal = cameras.K[:, 0, 0] / np.linalg.norm(cameras.image_size, axis=1)
    assert 0.7 <= over_diagonal.min() < 0.8
    assert 1.1 < over_diagonal.max() <= 1.2
    assert_allclose(cameras.K[:, :2, 2], cameras.image_size / 2)
    pairs = {tuple(size) for size in cameras.image_size.tolist()}
    assert pairs == set(zip(CameraMix().widths, CameraMix().heights, strict=True))


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (20.0, 10.0)])
def test_pitch_and_roll_keep_to_their_limits(pitch: float, roll: float):
    """Of a camera rolled by r and pitched by p, the world's up is (-sin r cos p, -cos r cos p, ...)."""
    up = views(pitch=pitch, roll=roll).rotation[:, :, 1]
    assert np.rad2deg(np.arcsin(np.abs(up[:, 2]))).max() == pytest.approx(pitch, abs=1e-3)
    rolled = np.rad2deg(np.arctan2(np.abs(up[:, 0]), -up[:, 1])).max()
    assert 0.9 * roll <= rolled <= roll + 1e-6


def test_a_low_camera_that_may_pitch_looks_up_at_people():
    assert (views(height=(0.1, 0.2), distance=(1.5, 1.6), roll=0.0).rotation[:, 2, 1] > 0).mean() > 0.8


def test_pixels_and_normalized_coordinates_are_each_others_inverse():
    cameras = views()
    points = cameras.to_optical(body().astype(np.float32))
    normalized = cameras.to_normalized(cameras.to_pixels(points))
    front = (points[..., 2] > 0.1).all(1)
    assert_allclose(normalized[front], points[front, :, :2] / points[front, :, 2:], atol=1e-5)


def test_the_borders_of_the_image_are_its_first_and_beyond_its_last_pixel():
    cameras = views()
    width, height = cameras.image_size[0]
    corners = np.array([(0, 0), (width - 1, height - 1), (-1, 0), (0, -1), (width, 0), (0, height)], float)
    inside = cameras.inside(np.tile(corners, (COUNT, 1, 1)))[0]
    assert inside.tolist() == [True, True, False, False, False, False]


ONE_SIZE = {"widths": (600,), "heights": (800,), "focal_over_diagonal": (0.5, 8.0), "height": (0.4, 2.4)}
ONE_SIZE |= {"distance": (2.0, 8.0), "roll": 0.0, "pitch": 80.0}


def quarter(extent: float = 1.6, **mix: object) -> Views:
    """The camera of a person around (0, 0.9, 0) whose every draw lies a quarter up its range: f is the diagonal."""
    centre = np.array([[0.0, 0.9, 0.0]])
    return sample_views(CameraMix(**ONE_SIZE | mix), centre, np.array([extent]), Draws(0.25))


def eye_of(cameras: Views) -> np.ndarray:
    return -(cameras.rotation[0].T @ cameras.translation[0])


def pixel_of(cameras: Views, point: tuple[float, float, float]) -> np.ndarray:
    return cameras.to_pixels(cameras.to_optical(np.array([[point]], np.float32)))[0, 0]


def test_a_body_that_is_whole_is_put_where_it_fits_with_a_margin_of_15_percent():
    cameras = quarter(whole=1.0)
    assert_allclose(cameras.K[0], [[1000, 0, 300], [0, 1000, 400], [0, 0, 1]], rtol=1e-9)  # 0.5 to 8 diagonals: 1
    nearest = 1.15 * 1.6 * 1000 / 600  # m, where the body fills the width
    distance = nearest * (8 / nearest) ** 0.25
    assert_allclose(eye_of(cameras), (0, 0.9, -distance), atol=1e-9)
    free = (np.array([600, 800]) - 1.15 * 1.6 * 1000 / distance) / 2  # px to either side
    assert_allclose(pixel_of(cameras, (0, 0.9, 0)), (300, 400) - 0.95 * free / 2, rtol=2e-3)


def test_a_body_that_may_be_cut_is_aimed_at_anywhere_and_from_any_distance():
    cameras = quarter(whole=0.0)
    distance = 2 * (8 / 2) ** 0.25
    target = np.array([0, 0.9, 0]) - 0.4  # half of the body's reach into the negative
    eye = (target[0], 0.9, target[2] - distance)
    assert_allclose(eye_of(cameras), eye, atol=1e-9)
    assert_allclose(pixel_of(cameras, target), (300, 400) - 0.95 * np.array([300, 400]) / 2, rtol=0.02)


@pytest.mark.parametrize(("extent", "nearest"), [(0.5, 2.0), (8.0, 8.0)])
def test_bodies_that_fit_nowhere_or_everywhere_stay_within_the_distances(extent: float, nearest: float):
    assert_allclose(eye_of(quarter(extent, whole=1.0))[2], -nearest * (8 / nearest) ** 0.25)


def test_cameras_roll_to_either_side():
    up = quarter(whole=1.0, roll=8.0).rotation[0][:, 1]
    assert np.rad2deg(np.arctan2(up[0], -up[1])) == pytest.approx(-4)  # a quarter up from -8 to 8


def test_points_beside_the_camera_come_out_far_outside_and_not_mirrored():
    cameras = quarter(whole=1.0)
    near, behind = (cameras.to_pixels(np.array([[[0.1, 0.1, z]]]))[0, 0] for z in (0.05, -3.0))
    assert_allclose(near, (300 + 2000, 400 + 2000))
    assert_allclose(behind, near)


def test_published_errors_are_of_cameras_as_robots_carry_them():
    sizes = {"widths": (640, 1280, 1920, 848, 480, 720), "heights": (480, 720, 1080, 480, 640, 1280)}
    ranges = {"focal_over_diagonal": (0.6, 1.8), "distance": (1.5, 10.0), "height": (0.2, 2.0)}
    beyond = {"far": 0.0, "farthest": 30.0, "high": 0.0, "highest": 8.0}
    assert_published(CameraMix, **sizes, **ranges, **beyond, whole=0.6, pitch=40.0, roll=6.0)
    limits = {"focal_over_diagonal": (0.2, 5), "distance": (0.5, 100), "height": (0, 10), "roll": (0, 180)}
    limits |= {"farthest": (0.5, 100), "highest": (0, 50)}
    assert_ranges(CameraMix, **limits, pitch=(0, 80), widths=(16, None), heights=(16, None))
