# SPDX-License-Identifier: Apache-2.0
import pytest
from sensor_msgs.msg import CameraInfo

from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size

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


@pytest.mark.parametrize(
    ("changes", "is_usable"),
    [
        ({"d": [1e4, 0.0, 0.0, 0.0, 0.0]}, True),
        ({"d": [0.0, 0.0, 0.0, 0.0, -1e4]}, True),
        ({"d": [0.0, -1.1e4, 0.0, 0.0, 0.0]}, False),
        ({"k": [*K[:8], 2.0]}, False),
        ({"k": [*K[:6], 1.0, 0.0, 1.0]}, False),
        ({"k": [0.0, *K[1:]]}, False),
        ({"k": [*K[:4], 0.0, *K[5:]]}, False),
        ({"k": [*K[:4], -510.0, *K[5:]]}, False),
        ({"k": [*K[:2], 2e6, *K[3:]]}, False),
    ],
)
def test_numbers_that_no_camera_has_are_refused(changes, is_usable):
    if is_usable:
        assert camera_from_info(info(**changes), 640, 480, rectified=False).D.tolist() == changes["d"]
        return
    with pytest.raises(BadCameraInfoError, match=r"D: expected finite numbers|K: expected a camera matrix"):
        camera_from_info(info(**changes), 640, 480, rectified=False)


@pytest.mark.parametrize(
    ("baseline", "is_left"), [(0.0, True), (1e-12, True), (-1e-12, True), (48.0, False), (-1e-3, False)]
)
def test_only_the_left_camera_of_a_pair_is_taken(baseline, is_left):
    message = info(p=[*P[:3], baseline, *P[4:]])
    if is_left:
        assert camera_from_info(message, 640, 480, rectified=True).K[0, 0] == P[0]
    else:
        with pytest.raises(BadCameraInfoError, match="P has a baseline"):
            camera_from_info(message, 640, 480, rectified=True)
    assert camera_from_info(message, 640, 480, rectified=False).K[0, 0] == K[0], "its own K is no concern of P"


@pytest.mark.parametrize(
    ("roi", "binning", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (640, 480)),
        ((0, 0, 0, 0), (1, 1), (640, 480)),
        ((0, 0, 0, 0), (2, 4), (320, 120)),
        ((10, 20, 200, 0), (0, 0), (640, 480)),
        ((10, 20, 0, 100), (0, 0), (640, 480)),
        ((10, 20, 200, 100), (0, 0), (200, 100)),
        ((10, 20, 201, 101), (2, 0), (100, 101)),
        ((10, 20, 201, 101), (0, 2), (201, 50)),
    ],
)
def test_the_size_is_that_of_the_region_after_binning(roi, binning, expected):
    message = info(binning_x=binning[0], binning_y=binning[1])
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = roi
    assert described_size(message) == expected


def test_the_sensor_is_at_least_as_large_as_its_region():
    """Some drivers give the size of the region as that of the sensor."""
    message = info(width=200, height=100)
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 440, 380, 200, 100
    camera = camera_from_info(message, 200, 100, rectified=False)
    assert camera.K[:2, 2].tolist() == [-120, -140]


def test_a_lens_without_a_name_is_plumb_bob():
    message = info()
    message.distortion_model = ""
    assert camera_from_info(message, 640, 480, rectified=False).distortion_model == "plumb_bob"
