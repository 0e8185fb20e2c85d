# SPDX-License-Identifier: Apache-2.0
import pytest
from sensor_msgs.msg import CameraInfo

from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info

K = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
P = [400.0, 0.0, 310.0, 0.0, 0.0, 410.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def info(**changes):
    fields = {"width": 640, "height": 480, "k": K, "p": P, "d": [0.1, 0.0, 0.0, 0.0, 0.0]}
    return CameraInfo(distortion_model="plumb_bob", **(fields | changes))


def test_raw_images_are_seen_through_k_and_d_and_rectified_ones_through_p():
    raw = camera_from_info(info(), 640, 480, rectified=False)
    assert raw.K.ravel().tolist() == K
    assert raw.D.tolist() == [0.1, 0, 0, 0, 0]
    rectified = camera_from_info(info(), 640, 480, rectified=True)
    assert rectified.K.ravel().tolist() == P[:3] + P[4:7] + P[8:11]
    assert rectified.D.size == 0


def test_binning_and_region_of_interest_move_the_camera_matrix():
    message = info(binning_x=2, binning_y=2)
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 100, 40, 400, 200
    camera = camera_from_info(message, 200, 100, rectified=False)
    assert camera.K.ravel().tolist() == [250, 0, 110, 0, 255, 100, 0, 0, 1]
    assert (camera.width, camera.height) == (200, 100)


def test_a_region_of_interest_need_not_contain_the_principal_point():
    message = info()
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 400, 300, 200, 100
    camera = camera_from_info(message, 200, 100, rectified=False)
    assert camera.K[:2, 2].tolist() == [-80, -60]


@pytest.mark.parametrize(
    "k",
    [
        [6 * v for v in K[:8]] + [1.0],  # of another resolution
        [2 * v for v in K[:8]] + [1.0],
        [v / 2 for v in K[:8]] + [1.0],
        [1.5 * v for v in K[:8]] + [1.0],
        [0.78, 0.0, 0.5, 0.0, 1.06, 0.5, 0.0, 0.0, 1.0],  # normalised by the size of the image
        [500.0, 0.0, 0.5, 0.0, 510.0, 0.5, 0.0, 0.0, 1.0],
        [3.6, 0.0, 320.0, 0.0, 3.6, 240.0, 0.0, 0.0, 1.0],  # in millimetres
        [9e5, 0.0, 320.0, 0.0, 9e5, 240.0, 0.0, 0.0, 1.0],
        [500.0, 0.0, 320.0, 0.0, 240.0, 240.0, 0.0, 0.0, 1.0],
        [500.0, 0.0, 320.0, 0.0, 510.0, -240.0, 0.0, 0.0, 1.0],
    ],
)
@pytest.mark.parametrize("rectified", [False, True])
def test_a_camera_matrix_that_cannot_be_of_the_image_is_refused(k, rectified):
    p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    with pytest.raises(BadCameraInfoError, match="^P: .* calibrate at" if rectified else "^K: .* calibrate at"):
        camera_from_info(info(**({"p": p} if rectified else {"k": k})), 640, 480, rectified=rectified)


@pytest.mark.parametrize(("model", "d", "size"), [("none", [0.0] * 6, 0), ("rational_polynomial", [0.01] * 14, 14)])
def test_a_lens_of_any_length_is_taken(model, d, size):
    message = info(d=d)
    message.distortion_model = model
    assert camera_from_info(message, 640, 480, rectified=False).D.size == size


def test_a_rectified_image_needs_no_coefficients_of_a_fisheye_lens():
    message = info(d=[])
    message.distortion_model = "equidistant"
    assert camera_from_info(message, 640, 480, rectified=True).D.size == 0


@pytest.mark.parametrize("binning", [2, 4])
def test_a_camera_matrix_that_is_binned_already_is_refused(binning):
    message = info(width=640 * binning, height=480 * binning, binning_x=binning, binning_y=binning)
    with pytest.raises(BadCameraInfoError, match="before binning"):
        camera_from_info(message, 640, 480, rectified=False)


def test_a_camera_matrix_that_is_moved_into_the_region_of_interest_already_is_refused():
    message = info(width=1280, height=960)
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 320, 240, 640, 480
    with pytest.raises(BadCameraInfoError, match="region of interest"):
        camera_from_info(message, 640, 480, rectified=False)


@pytest.mark.parametrize(
    ("k", "width", "height"),
    [
        ([1185.01, 0, 324.22, 0, 1194.61, 282.57, 0, 0, 1], 768, 576),
        ([210.0, 0, 512, 0, 210, 384, 0, 0, 1], 1024, 768),  # a fisheye lens of 220 degrees
        ([30000.0, 0, 960, 0, 30000, 540, 0, 0, 1], 1920, 1080),  # a telescope of 4 degrees
        ([500.0, 0, 320, 0, 667, 240, 0, 0, 1], 640, 480),  # squeezed from 16:9
        ([600.0, 0, 260, 0, 600, 380, 0, 0, 1], 480, 640),
    ],
)
def test_unusual_lenses_are_no_impossible_calibrations(k, width, height):
    message = info(width=width, height=height, k=[float(v) for v in k])
    assert camera_from_info(message, width, height, rectified=False).K[0, 0] == k[0]


@pytest.mark.parametrize(
    ("changes", "rectified", "words"),
    [
        ({"k": [0.0] * 9}, False, "not calibrated"),
        ({"p": [0.0] * 12}, True, "not calibrated"),
        ({"width": 1280, "height": 720}, False, "1280 x 720"),
        ({"k": [float("nan")] * 9}, False, "focal"),
        ({"k": [-500.0, *K[1:]]}, False, "focal"),
        ({"p": [*P[:3], -48.0, *P[4:]]}, True, "baseline"),
        ({"distortion_model": "magic"}, False, "magic"),
        ({"d": [0.1]}, False, "coefficients"),
        ({"d": [], "distortion_model": "equidistant"}, False, "D is empty"),
        ({"d": [float("nan")] * 5}, False, "finite"),
    ],
)
def test_unusable_calibrations_have_an_explanation(changes, rectified, words):
    model = changes.pop("distortion_model", "plumb_bob")
    message = info(**changes)
    message.distortion_model = model
    with pytest.raises(BadCameraInfoError, match=words):
        camera_from_info(message, 640, 480, rectified=rectified)
