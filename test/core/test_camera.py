import math

import numpy as np
import pytest

from hmr_ros.core.calibration_file import CalibrationError, read_calibration
from hmr_ros.core.camera import Camera
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
