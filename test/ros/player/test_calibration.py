# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import yaml

from hmr_ros.core.calibration_file import CalibrationError
from hmr_ros.core.geometry.camera import distort
from hmr_ros.core.share import share_dir
from hmr_ros.ros.input.camera_model import camera_from_info
from hmr_ros.ros.player.calibration import from_field_of_view, from_file, from_focal_length

SAMPLE = share_dir() / "samples" / "crossing.yaml"


def test_focal_length_and_field_of_view_agree():
    info = from_field_of_view(60.0)(1280, 720)
    focal = 640 / math.tan(math.radians(30))
    assert info.k[0] == info.k[4] == pytest.approx(focal)
    assert from_focal_length(info.k[0])(1280, 720) == info
    upright = from_field_of_view(60.0)(720, 1280)
    assert upright.k[0] == info.k[0]  # the longer side counts


def test_a_calibration_file_is_read_and_checked_against_the_image():
    info = from_file(SAMPLE)(768, 576)
    camera = camera_from_info(info, 768, 576, rectified=False)
    assert camera.K[0, 0] == pytest.approx(1185.01)
    assert camera.D.size == 5
    with pytest.raises(CalibrationError, match="768 x 576"):
        from_file(SAMPLE)(640, 480)


def test_the_samples_lens_undoes_tsais():
    """Tsai: ideal = distorted (1 + kappa1 r^2), r in mm on the sensor, distorted."""
    kappa1, f_mm = 5.1113043639e-3, 5.5549183034
    camera = camera_from_info(from_file(SAMPLE)(768, 576), 768, 576, rectified=False)
    seen = np.stack([np.linspace(-0.36, 0.36, 9), np.linspace(0.26, -0.26, 9)], -1)
    ideal = seen * (1 + kappa1 * f_mm**2 * (seen**2).sum(-1, keepdims=True))
    assert np.abs(distort(ideal, camera) - seen).max() * camera.K[0, 0] < 1.0  # px, in the corners


@pytest.mark.parametrize("content", ["", "image_width: 640", "[1, 2", "image_width: x\nimage_height: 3"])
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "camera.yaml"
    path.write_text(content)
    with pytest.raises(CalibrationError, match=r"camera\.yaml"):
        from_file(path)
    with pytest.raises(CalibrationError, match=r"none\.yaml"):
        from_file(tmp_path / "none.yaml")


def test_an_assumed_camera_is_a_pinhole_in_the_middle_of_the_image():
    info = from_focal_length(500.0)(641, 480)
    assert (info.width, info.height, info.distortion_model) == (641, 480, "plumb_bob")
    assert list(info.d) == [0.0] * 5
    K = np.array([[500, 0, 320], [0, 500, 239.5], [0, 0, 1]])  # pixels have their centres at whole numbers
    assert np.array_equal(np.reshape(info.k, (3, 3)), K)
    assert np.array_equal(np.reshape(info.r, (3, 3)), np.eye(3))
    assert np.array_equal(np.reshape(info.p, (3, 4)), np.column_stack([K, np.zeros(3)]))


def test_every_number_of_a_calibration_file_is_in_the_message(tmp_path):
    content = yaml.safe_load(SAMPLE.read_text())
    content["rectification_matrix"]["data"] = [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    content["projection_matrix"]["data"][3] = -7.0
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump(content))
    info = from_file(path)(768, 576)
    assert (info.width, info.height, info.distortion_model) == (768, 576, "plumb_bob")
    for message, name in (
        (info.k, "camera_matrix"),
        (info.d, "distortion_coefficients"),
        (info.r, "rectification_matrix"),
        (info.p, "projection_matrix"),
    ):
        assert list(message) == content[name]["data"], name


@pytest.mark.parametrize("size", [(768, 575), (767, 576), (576, 768)])
def test_a_calibration_is_of_both_sides(size):
    with pytest.raises(CalibrationError, match="calibrates 768 x 576 px, the images have {} x {}".format(*size)):
        from_file(SAMPLE)(*size)
