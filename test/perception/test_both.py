# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.both import Both
from hmr_ros.perception.global_to_pixel import Look
from test.core.test_uncertainty import CALIBRATION

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]), 1280, 720)
IMAGE = np.zeros((720, 1280, 3), np.uint8)
COMPLETED = Detections.empty("coco_feet")


class Says:
    """A method that says the same of whatever it is asked."""

    method = "says"

    def __init__(self, estimates):
        self.estimates = estimates

    def estimate(self, image, detections, camera, shed=Shed.NOTHING):
        assert image is IMAGE
        self.told = detections
        return self.estimates

    def look(self, image, detections, camera):
        return Look(self.estimate(image, detections, camera), COMPLETED)


def standing(people, cam_t=(0.0, 0.0, 4.0)):
    zeros = {name: np.zeros((people, *shape)) for name, shape in (("body_pose", (23, 3)), ("betas", (10,)))}
    return dataclasses.replace(
        Estimates.unknown(people),
        global_orient=np.tile([np.pi, 0, 0], (people, 1)),
        cam_t=np.tile(cam_t, (people, 1)),
        joint_error=np.full((people, 24), 0.03),
        valid=np.ones(people, np.bool_),
        **zeros,
    )


def disagreement(first, second):
    both = Both(Says(first), Says(second), BODY_MODEL)
    out = both.estimate(IMAGE, Detections.empty("coco17"), CAMERA)
    for field in dataclasses.fields(Estimates):
        if field.name != "disagreement":
            assert getattr(out, field.name) is getattr(first, field.name)
    return out.disagreement


def test_the_same_body_elsewhere_is_agreement():
    assert np.abs(disagreement(standing(2), standing(2, (1.0, 0, 7)))).max() < 1e-6


def test_a_bent_elbow_is_a_disagreement_of_the_joints_below_it():
    bent = standing(2)
    bent.body_pose[1, SMPL.index("left_elbow") - 1, 1] = -np.pi / 2
    distance = disagreement(standing(2), bent)
    assert np.abs(distance[0]).max() < 1e-6
    rest = BODY_MODEL.rest_joints(np.zeros((1, 10)))[0]
    for name in ("left_wrist", "left_hand"):
        forearm = np.linalg.norm(rest[SMPL.index(name)] - rest[SMPL.index("left_elbow")])
        assert distance[1, SMPL.index(name)] == pytest.approx(np.sqrt(2) * forearm, rel=0.05)
    others = [j for j, name in enumerate(SMPL.joints) if name not in ("left_wrist", "left_hand")]
    assert np.abs(distance[1, others]).max() < 1e-6


def test_a_body_that_one_method_alone_estimates_is_not_compared():
    one = standing(3).with_rows(np.array([1]), Estimates.unknown(1))
    other = standing(3).with_rows(np.array([2]), Estimates.unknown(1))
    assert np.isnan(disagreement(one, other)).all(1).tolist() == [False, True, True]


def test_the_second_method_is_not_asked_while_it_is_shed():
    both = Both(Says(standing(2)), Says(None), BODY_MODEL)
    estimates = both.estimate(IMAGE, Detections.empty("coco17"), CAMERA, Shed.SECOND_METHOD)
    assert estimates.valid.all()
    assert np.isnan(estimates.disagreement).all()


def test_the_second_method_is_told_the_keypoints_that_the_first_found():
    given, second = Detections.empty("coco17"), Says(standing(0))
    Both(Says(standing(0)), second, BODY_MODEL).estimate(IMAGE, given, CAMERA)
    assert second.told is COMPLETED


def test_no_detections():
    assert disagreement(standing(0), standing(0)).shape == (0, 24)
    assert Both(Says(None), Says(None), BODY_MODEL).method == "says"


def test_covariances_are_those_of_the_published_method():
    first, second = Says(standing(1)), Says(standing(1))
    first.calibration, second.calibration = CALIBRATION, None
    assert Both(first, second, BODY_MODEL).calibration is CALIBRATION


@pytest.mark.parametrize("shed", [Shed.NOTHING, Shed.VIEWS])
def test_the_second_method_is_asked_until_it_is_shed(shed):
    both = Both(Says(standing(1)), Says(standing(1)), BODY_MODEL)
    assert np.isfinite(both.estimate(IMAGE, Detections.empty("coco17"), CAMERA, shed).disagreement).all()


def test_settings_reach_both_methods():
    class Configured(Says):
        def configure(self, settings):
            self.settings = settings

    first, second, settings = Configured(None), Configured(None), PerceptionSettings()
    Both(first, second, BODY_MODEL).configure(settings)
    assert first.settings is second.settings is settings
