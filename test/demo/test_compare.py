# SPDX-License-Identifier: Apache-2.0
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.demo.compare import SideBySide, labelled

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), 320, 240)
GREY = np.full((240, 320, 3), 90, np.uint8)


def standing(x):
    estimates = Estimates.unknown(1)
    zeros = {name: np.zeros((1, *shape)) for name, shape in (("body_pose", (23, 3)), ("betas", (10,)))}
    return dataclasses.replace(
        estimates,
        global_orient=np.array([[np.pi, 0, 0]]),
        cam_t=np.array([[x, 0.0, 4.0]]),
        valid=np.ones(1, np.bool_),
        **zeros,
    )


class Other:
    """Puts all bodies to the right."""

    method = "other"

    def __init__(self):
        self.asked = []

    def estimate(self, image, detections, camera):
        self.asked.append(detections)
        return standing(0.9)


@pytest.fixture
def bodies():
    """Somebody on the left, as a message has them."""
    seen = Detections(np.zeros((1, 4)), np.ones(1), np.full((1, 17, 2), 7.0), np.ones((1, 17)), "coco17", np.array([3]))
    return pose_bodies(seen, standing(-0.9), BODY_MODEL)


def moment(camera=CAMERA, stamp=0):
    message = SimpleNamespace(method="first", header=SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=0)))
    return SimpleNamespace(image=lambda: GREY, camera=camera, message=message)


def drawn_columns(image):
    return np.flatnonzero((image[60:] != 90).any((0, 2)))


def test_each_side_shows_one_method_on_the_same_keypoints(bodies):
    other = Other()
    image = SideBySide(BODY_MODEL, other)(moment(), bodies)
    assert image.shape == (240, 640, 3)
    left, right = drawn_columns(image[:, :320]), drawn_columns(image[:, 320:])
    assert left.max() < 160 < right.min()
    (asked,) = other.asked
    assert asked.ids.tolist() == [3]
    np.testing.assert_array_equal(asked.kp2d, bodies.kp2d)


def test_without_a_camera_or_people_there_is_nothing_to_estimate(bodies):
    other = Other()
    draw = SideBySide(BODY_MODEL, other)
    assert draw(moment(camera=None), bodies).shape == (240, 640, 3)
    assert not len(drawn_columns(draw(moment(stamp=1), bodies.take(slice(0)))))
    assert other.asked == []


def test_labels_are_white_on_black_in_the_corner():
    image = labelled(GREY, "pose2mesh")
    assert (image[0, 0] == 0).all()
    assert image[:40, :150].max() == 255
    assert (image[100:] == 90).all()
    assert (GREY == 90).all()
