# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from hmr_ros.core.calibration_file import CalibrationError, read_calibration
from hmr_ros.core.camera import Camera, distortion
from hmr_ros.core.geometry.camera import project, undistort_points
from hmr_ros.core.manifest import models_dir

SAMPLE = models_dir().parent / "samples" / "crossing.yaml"


def test_a_pinhole_camera_sees_its_axis_in_the_centre_of_the_image():
    camera = Camera.pinhole(f=600, width=1280, height=720)
    assert (camera.width, camera.height, camera.D.size) == (1280, 720, 0)
    np.testing.assert_allclose(project(np.array([0.0, 0.0, 3.0]), camera), [639.5, 359.5])
    np.testing.assert_allclose(project(np.array([1.0, 0.5, 2.0]), camera), [639.5 + 300, 359.5 + 150])


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280)])
def test_the_longer_side_spans_the_field_of_view(width, height):
    camera = Camera.from_fov(60, width, height)
    corners = undistort_points(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]), camera)
    angles = 2 * np.degrees(np.arctan(corners[1]))
    assert max(angles) == pytest.approx(60)
    assert min(angles) == pytest.approx(math.degrees(2 * math.atan(math.tan(math.radians(30)) * 720 / 1280)))


@pytest.mark.parametrize("degrees", [0, 180, -60, math.nan])
def test_impossible_fields_of_view_are_refused(degrees):
    with pytest.raises(ValueError, match="between 0 and 180"):
        Camera.from_fov(degrees, 640, 480)


@pytest.mark.parametrize("path", [SAMPLE, str(SAMPLE)], ids=["Path", "str"])
def test_a_calibration_file_gives_the_raw_camera(path):
    camera = Camera.from_yaml(path)
    assert (camera.width, camera.height, camera.distortion_model) == (768, 576, "plumb_bob")
    assert camera.K.tolist() == [[1185.01, 0, 324.22], [0, 1194.61, 282.57], [0, 0, 1]]
    assert camera.D.tolist() == [-0.15772, 0.07463, 0, 0, 0]
    assert read_calibration(SAMPLE).P[:3] == (1185.01, 0, 324.22)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "none", "", "Brown Conrady", "omni"])
@pytest.mark.parametrize("size", [0, 1, 3, 5, 6, 8, 20])
def test_zeros_under_any_name_are_a_pinhole(model, size):
    name, D = distortion(model, np.zeros(size))
    assert Camera(np.eye(3), 4, 4, name, D).D.size == 0


@pytest.mark.parametrize(
    ("model", "significant", "size", "kept"),
    [
        ("plumb_bob", 2, 4, 4),
        ("plumb_bob", 4, 5, 5),
        ("plumb_bob", 5, 7, 5),
        ("plumb_bob", 8, 8, 8),
        ("rational_polynomial", 5, 8, 8),
        ("rational_polynomial", 8, 11, 8),
        ("rational_polynomial", 12, 13, 12),
        ("rational_polynomial", 14, 20, 14),
        ("equidistant", 4, 5, 4),
        ("fisheye", 0, 8, 4),
    ],
)
def test_zeros_at_the_end_are_ignored(model, significant, size, kept):
    written = np.where(np.arange(size) < significant, 0.01, 0.0)
    name, D = distortion(model, written)
    assert (name, D.tolist()) == (model, written[:kept].tolist())
    Camera(np.eye(3), 4, 4, name, D)


@pytest.mark.parametrize(("model", "size"), [("plumb_bob", 3), ("plumb_bob", 7), ("equidistant", 5), ("omni", 4)])
def test_coefficients_that_mean_something_are_not_cut(model, size):
    name, D = distortion(model, np.full(size, 0.01))
    with pytest.raises(ValueError, match=f"{size} coefficients of '{model}'"):
        Camera(np.eye(3), 4, 4, name, D)


def test_a_fisheye_lens_needs_coefficients():
    with pytest.raises(ValueError, match=r"D is empty, but the model is 'equidistant': .* rectified to always"):
        distortion("equidistant", np.zeros(0))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("plumb_bob", "thin_prism", "5 coefficients of 'thin_prism'"),
        ("[1185.01, 0.0, 324.22, 0.0, 1194.61, 282.57, 0.0, 0.0, 1.0]", "[1185.01]", "expected 9 values, got 1"),
        ("[1185.01, 0.0, 324.22, 0.0, 1194.61", "[0.0, 0.0, 324.22, 0.0, 1194.61", "focal lengths must be positive"),
        (
            "image_width: 768",
            "image_width: 384",
            "(324.22, 282.57) is not near the centre of 384 x 576",
        ),
        ("image_height: 576", "image_height: 1152", "is not near the centre"),
        ("[1185.01, 0.0, 324.22, 0.0, 1194.61", "[1185.01, 0.0, 324.22, 0.0, 119.61", "more than a factor of 1.5"),
        ("[1185.01, 0.0, 324.22, 0.0, 1194.61", "[1.5, 0.0, 324.22, 0.0, 1.5", "sees 180 degrees across 768 px"),
        ("image_width: 768", "image_width: wide", "not a file of camera_calibration"),
        ("image_width: 768", "", "KeyError: 'image_width'"),
        ("image_width: 768", "image_width: [", "cannot be read"),
        ("data: [-0.15772", "data: 3 # [", "expected a list"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused_by_name(tmp_path, old, new, problem):
    path = tmp_path / "camera.yaml"
    text = SAMPLE.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"camera\.yaml") as refusal:
        Camera.from_yaml(path)
    assert problem in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 5000, "more than 100 lists"),
        ("- " * 8000, "cannot be read"),
        ("#" * 20_000, "more than 16384 characters"),
        ("image_width: .inf", "OverflowError"),
        ("image_width: " + "9" * 5000, "ValueError"),
    ],
)
def test_a_file_that_no_calibration_can_be_is_refused_at_once(tmp_path, text, problem):
    path = tmp_path / "camera.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"camera\.yaml") as refusal:
        Camera.from_yaml(path)
    assert problem in str(refusal.value)
