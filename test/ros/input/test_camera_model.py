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
        ({"d": [float("nan")] * 5}, False, "finite"),
    ],
)
def test_unusable_calibrations_have_an_explanation(changes, rectified, words):
    model = changes.pop("distortion_model", "plumb_bob")
    message = info(**changes)
    message.distortion_model = model
    with pytest.raises(BadCameraInfoError, match=words):
        camera_from_info(message, 640, 480, rectified=rectified)
