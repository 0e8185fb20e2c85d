# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.camera import (
    _lens,
    distort,
    looking_at,
    project,
    undistort,
    undistort_points,
    unproject,
)
from hmr_ros.core.geometry.rotation import rotation_between
from hmr_ros.core.people import Camera

K = np.array([[610.0, 0, 655.3], [0, 605.0, 361.9], [0, 0, 1]])
LENSES = {
    "none": ("plumb_bob", []),
    "zeros": ("plumb_bob", [0.0] * 5),
    "barrel4": ("plumb_bob", [-0.28, 0.07, 0.001, -0.002]),
    "barrel5": ("plumb_bob", [-0.31, 0.14, 0.0008, -0.0004, -0.02]),
    "pincushion": ("plumb_bob", [0.15, -0.05, 0.0, 0.003, 0.02]),
    "rational": ("rational_polynomial", [0.45, -2.6, 0.0007, -0.0003, 1.5, 0.33, -2.4, 1.43]),
    "prism": ("rational_polynomial", [0.45, -2.6, 0.0007, -0.0003, 1.5, 0.33, -2.4, 1.43, 0.01, -0.004, -0.007, 0.002]),
    "tilt": ("rational_polynomial", [-0.2, 0.05, 0.001, -0.001, 0, 0, 0, 0, 0.003, 0.001, -0.002, 0.002, 0.04, -0.03]),
    "tilt only": ("plumb_bob", [0.0] * 12 + [-0.02, 0.06]),
    "fisheye": ("equidistant", [-0.012, 0.006, -0.004, 0.0007]),
    "fisheye name": ("fisheye", [0.02, -0.01, 0.003, -0.0004]),
    "fisheye zeros": ("equidistant", [0.0] * 4),
}


def camera(lens: str) -> Camera:
    model, D = LENSES[lens]
    return Camera(K, 1280, 720, model, np.array(D))


def image_grid() -> np.ndarray:
    """(28, 50, 2) pixels over the whole image, its corners included, and its principal point."""
    grid = np.stack(np.meshgrid(np.linspace(0, 1280, 50), np.linspace(0, 720, 28)), -1)
    grid[5, 5] = K[:2, 2]
    return grid


@pytest.mark.parametrize("lens", LENSES)
def test_pixels_survive_undistortion_over_the_whole_image(lens: str):
    pixels = image_grid()
    normalized = undistort_points(pixels, camera(lens))
    assert np.isfinite(normalized).all()
    back = project(np.concatenate([normalized, np.ones_like(normalized[..., :1])], -1) * 3.7, camera(lens))
    assert_allclose(back, pixels, atol=1e-7)


@pytest.mark.parametrize("lens", LENSES)
def test_rays_survive_the_lens(lens: str):
    normalized = undistort_points(image_grid(), camera(lens))
    assert_allclose(undistort(distort(normalized, camera(lens)), camera(lens)), normalized, atol=1e-9)


@pytest.mark.parametrize("lens", LENSES)
def test_projection_agrees_with_opencv(lens: str):
    cam = camera(lens)
    normalized = undistort_points(image_grid(), cam).reshape(-1, 2)
    points = (
        np.concatenate([normalized, np.ones((len(normalized), 1))], -1) * np.linspace(0.5, 9, len(normalized))[:, None]
    )
    if cam.distortion_model in ("equidistant", "fisheye"):
        expected, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), cam.K, cam.D)
    else:
        expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), cam.K, cam.D)
    assert_allclose(project(points, cam), expected[:, 0], atol=1e-6)


@pytest.mark.parametrize("lens", LENSES)
def test_unproject_inverts_project(lens: str):
    points = np.random.default_rng(0).uniform((-1, -0.6, 2), (1, 0.6, 8), (4, 5, 3))
    assert_allclose(unproject(project(points, camera(lens)), points[..., 2], camera(lens)), points, atol=1e-9)


def test_a_lens_that_folds_gives_no_answer_beyond_its_rim():
    folding = Camera(K, 1280, 720, "plumb_bob", np.array([-0.3, 0.0, 0, 0, 0]))
    rim = 1 / np.sqrt(0.9)  # where d/dr (r - 0.3 r^3) = 0
    normalized = np.array([[0.99 * rim, 0], [1.01 * rim, 0], [0, 5.0]])
    seen = distort(normalized, folding)
    assert np.isfinite(seen).all(-1).tolist() == [True, False, False]
    assert_allclose(undistort(seen[:1], folding), normalized[:1], atol=1e-9)
    assert np.isnan(undistort(np.array([[0.8, 0.0]]), folding)).all()  # the rim is seen at 0.703


def test_fisheye_beyond_a_right_angle_gives_no_answer():
    cam = camera("fisheye zeros")
    assert_allclose(undistort(np.array([[np.deg2rad(80), 0]]), cam), [[np.tan(np.deg2rad(80)), 0]])
    assert np.isnan(undistort(np.array([[np.deg2rad(95), 0]]), cam)).all()


def test_points_behind_the_camera_and_nan_have_no_pixel():
    points = np.array([[0.1, 0, -1], [0, 0, 0], [np.nan, 0, 1], [0, 0, 1]])
    for lens in LENSES:
        pixels = project(points, camera(lens))
        assert np.isnan(pixels[:3]).any(-1).all()
        assert_allclose(pixels[3], K[:2, 2])
        assert np.isnan(undistort_points(np.full((1, 2), np.nan), camera(lens))).all()


def test_empty_inputs():
    for lens in LENSES:
        assert project(np.zeros((0, 17, 3)), camera(lens)).shape == (0, 17, 2)
        assert undistort_points(np.zeros((0, 17, 2)), camera(lens)).shape == (0, 17, 2)


def test_looking_at_centres_a_direction_without_roll():
    rng = np.random.default_rng(1)
    direction = np.concatenate([rng.normal(size=(30, 2)), np.ones((30, 1))], -1)
    R = looking_at(direction)
    centred = (R @ direction[..., None])[..., 0]
    assert_allclose(centred, [[0, 0, n] for n in np.linalg.norm(direction, axis=-1)], atol=1e-12)
    assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    assert_allclose(R[:, 0, 1], R[:, 1, 0], atol=1e-12)  # the turn has no part about the optical axis


@pytest.mark.parametrize(
    ("model", "D", "message"),
    [("plumb_bob", [0.1] * 3, "4 or 5"), ("rational_polynomial", [0.1] * 5, "8"), ("omni", [0.1], "plumb_bob")],
)
def test_cameras_with_other_distortion_are_refused(model: str, D: list[float], message: str):
    with pytest.raises(ValueError, match=message):
        Camera(K, 1280, 720, model, np.array(D))


def test_a_fisheye_lens_that_folds_gives_no_answer_beyond_its_rim():
    folding = Camera(K, 1280, 720, "fisheye", np.array([-0.15, 0, 0, 0]))
    rim = 1 / np.sqrt(0.45)  # rad, where the derivative of theta - 0.15 theta^3 is 0
    theta = rim * np.array([0.5, 0.9, 0.999, 0.99999, 1.001])
    normalized = np.stack([0.6 * np.tan(theta), -0.8 * np.tan(theta)], -1)
    seen = distort(normalized, folding)
    assert_allclose(np.linalg.norm(seen[:4], axis=-1), (theta - 0.15 * theta**3)[:4])
    assert np.isnan(seen[4]).all()
    assert_allclose(undistort(seen[:3], folding), normalized[:3], rtol=1e-8)
    assert_allclose(undistort(seen[3:4], folding), normalized[3:4], rtol=2e-3)
    beyond = (rim - 0.15 * rim**3) * np.array([[1.001, 0]])
    assert np.isnan(undistort(beyond, folding)).all()


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_a_coefficient_next_to_nothing_is_none(model: str):
    """As from a damaged message: numpy divides by the leading coefficient to find where the lens folds."""
    D, pixels = np.array([0.01, 0, 0.01, 0] + [0.0] * (model == "plumb_bob")), np.array([[300.0, 200.0], [10, 20]])
    tiny = np.where(D == 0, 5e-315, D)
    cameras = [Camera(np.diag([500.0, 500, 1]), 640, 480, model, coefficients) for coefficients in (D, tiny)]
    assert np.array_equal(*(undistort_points(pixels, camera) for camera in cameras))


@pytest.mark.parametrize("lens", ["barrel5", "pincushion", "rational", "prism"])
def test_newtons_step_is_the_error_by_the_jacobian(lens: str):
    """Of the distortion, by central differences."""
    brown = _lens(camera(lens).distortion_model, LENSES[lens][1] and tuple(LENSES[lens][1]))
    rng = np.random.default_rng(0)
    points, error, h = rng.uniform(-0.5, 0.5, (20, 2)), rng.normal(size=(20, 2)), 1e-6
    columns = [(brown.distort(points + h * axis) - brown.distort(points - h * axis)) / (2 * h) for axis in np.eye(2)]
    expected = np.linalg.solve(np.stack(columns, -1), error[..., None])[..., 0]
    assert_allclose(brown._newton_step(points, error), expected, rtol=1e-6)


@pytest.mark.parametrize("D", [[0.1, 0.02, 0.004, 0.003, 0.01, 0.3, 0.02, 0.001], [0, 0, 0, 0, 0, 0.5, -0.9, 0.02]])
def test_a_rational_lens_is_inverted_up_to_its_rim(D: list[float]):
    """Found by walking outwards until the image of the radius stops growing."""
    cam, lens = Camera(K, 1280, 720, "rational_polynomial", np.array(D)), _lens("rational_polynomial", tuple(D))
    radius = np.linspace(1e-3, 3, 3000)
    s = radius**2
    growing = np.diff(radius * (1 + D[0] * s + D[1] * s**2 + D[4] * s**3) / (1 + D[5] * s + D[6] * s**2 + D[7] * s**3))
    folds = np.flatnonzero(growing <= 0)
    rim = radius[folds[0]] if len(folds) else np.tan(np.deg2rad(89))
    assert lens.table[0][-1] == pytest.approx(rim, rel=2e-3)
    for point in (np.array([0.5 * min(rim, 2), 0.1]), np.array([-0.2, 0.6 * min(rim, 2)])):
        assert_allclose(undistort(distort(point, cam), cam), point, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_looking_at_is_the_smallest_rotation_to_the_axis_in_every_direction(dtype):
    directions = np.random.default_rng(0).normal(size=(40, 3)).astype(dtype)
    directions[:4] = [[0, 0, 2], [0, 0, -1], [1e-9, 0, 3], [0, 0, 0]]
    expected = rotation_between(directions, np.array([0, 0, 1], dtype))
    for rows in (slice(None), slice(4, 4), *(slice(k, k + 1) for k in range(40))):
        found = looking_at(directions[rows])
        assert found.dtype == dtype
        assert_allclose(found, expected[rows], atol=20 * np.finfo(dtype).eps)
