# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Detections, Estimates
from hmr_ros.core.photo_labels import LabelledPhoto
from hmr_ros.core.skeleton import COCO17, SMPL
from hmr_ros.evaluation.photos.regions import image_distances, projected_coverage
from hmr_ros.evaluation.photos.reprojection import assumed_camera, matched, read_photo, score
from test.core.test_uncertainty import CALIBRATION

BODY = load_body_model(models_dir() / "open_body.npz")
SIZE = {"width": 640, "height": 480}


class Knows:
    """A method that returns given estimates."""

    method = "knows"
    calibration = None

    def __init__(self, estimates: Estimates) -> None:
        self.estimates = estimates

    def estimate(self, image, detections, camera):
        return self.estimates.take(detections.ids)


@pytest.fixture(scope="module")
def scene():
    """Two upright people 3 m away: the labelled photo, its camera and the ground truth."""
    nobody = LabelledPhoto(
        Path("p.png"), **SIZE, boxes=np.zeros((0, 4)), kp2d=np.zeros((0, 17, 2)), labelled=np.zeros((0, 17), np.bool_)
    )
    camera = assumed_camera(nobody, 60)
    ground_truth = dataclasses.replace(
        Estimates.unknown(2),
        global_orient=np.tile([np.pi, 0, 0], (2, 1)),
        body_pose=np.zeros((2, 23, 3)),
        betas=np.zeros((2, 10)),
        cam_t=np.array([[-0.7, 0.0, 3.0], [0.7, 0.0, 3.0]]),
        valid=np.ones(2, np.bool_),
    )
    bodies = pose_bodies(seen(np.zeros((2, 17, 2)), np.zeros((2, 4))), ground_truth, BODY)
    kp2d = project(BODY.regressor("coco17") @ bodies.vertices, camera)
    boxes = np.concatenate([kp2d.min(1), kp2d.max(1)], 1)
    return (
        dataclasses.replace(nobody, boxes=boxes, kp2d=kp2d, labelled=np.ones((2, 17), np.bool_)),
        camera,
        ground_truth,
    )


def seen(kp2d, boxes) -> Detections:
    people = len(kp2d)
    return Detections(boxes, np.ones(people), kp2d, np.ones((people, 17)), "coco17", np.arange(people))


def evaluated(scene, detections, estimates):
    photo, camera, _ = scene
    image = np.zeros((photo.height, photo.width, 3), np.uint8)
    return score(photo, image, camera, detections, {"knows": Knows(estimates)}, BODY)


def test_the_ground_truth_has_no_error_and_keypoints_have_theirs(scene):
    photo, _, ground_truth = scene
    outcome = evaluated(scene, seen(photo.kp2d + [3, 4], photo.boxes), ground_truth)
    np.testing.assert_allclose(outcome.errors[0], np.tile(5 / photo.torso()[:, None], (1, 17)), rtol=1e-4)
    np.testing.assert_allclose(outcome.errors[1], 0, atol=1e-4)
    assert outcome.upright.tolist() == [True, True]


def test_people_are_matched_by_their_boxes(scene):
    photo, _, ground_truth = scene
    outcome = evaluated(scene, seen(photo.kp2d[::-1], photo.boxes[::-1]), ground_truth.take(np.array([1, 0])))
    np.testing.assert_allclose(outcome.errors, 0, atol=1e-4)


def test_undetected_people_are_not_evaluated(scene):
    photo, _, ground_truth = scene
    assert len(evaluated(scene, seen(photo.kp2d[:1], photo.boxes[:1]), ground_truth).upright) == 1
    assert len(evaluated(scene, seen(photo.kp2d[:0], photo.boxes[:0]), ground_truth).upright) == 0
    assert len(evaluated(scene, seen(photo.kp2d, photo.boxes + 300), ground_truth).upright) == 0


def test_a_person_without_a_labelled_torso_is_not_evaluated(scene):
    photo, camera, ground_truth = scene
    labelled = photo.labelled.copy()
    labelled[0, 11:13] = False
    hipless = dataclasses.replace(photo, labelled=labelled)
    outcome = evaluated((hipless, camera, ground_truth), seen(photo.kp2d, photo.boxes), ground_truth)
    assert outcome.errors.shape == (2, 1, 17)


def test_a_body_without_a_position_has_infinite_error(scene):
    photo, _, ground_truth = scene
    outcome = evaluated(
        scene, seen(photo.kp2d, photo.boxes), ground_truth.with_rows(np.array([1]), Estimates.unknown(1))
    )
    assert np.isfinite(outcome.errors[1, 0]).all()
    assert np.isinf(outcome.errors[1, 1]).all()


def test_labels_are_as_far_away_as_the_covariances_say(scene):
    """Pixels, at the distance of a body that is 3 m away, over the standard deviation across; depth is not asked."""
    photo, camera, ground_truth = scene
    known = dataclasses.replace(
        ground_truth,
        joint_covariance=np.tile(np.diag([0.03**2, 0.03**2, 0.2**2]), (2, 24, 1, 1)),
        root_covariance=np.tile(np.diag([0.04**2, 0.04**2, 0.5**2]), (2, 1, 1)),
    )
    standing = dataclasses.replace(known, cam_t=np.array([[0.0, 0.0, 30.0], [0.0, 0.0, 30.0]]))
    bodies = pose_bodies(seen(photo.kp2d, photo.boxes), standing, BODY)
    errors = np.tile([0.0, 10.0], (2, 17, 1))
    distances = image_distances(bodies, errors, camera)
    expected = 10 / (camera.K[1, 1] / bodies.joints[:, SMPL.index("left_hip"), 2] * 0.05)
    np.testing.assert_allclose(distances[:, COCO17.index("left_hip")], expected, rtol=0.02)
    assert np.isnan(distances[:, COCO17.index("nose")]).all()

    outcome = evaluated(scene, seen(photo.kp2d + 1.0, photo.boxes), known)
    (line,) = projected_coverage(outcome, {"knows": CALIBRATION}, ("keypoints", "knows"))
    hold = "100.0 [100.0, 100.0]"
    assert line == f"knows: regions of 50, 90, 95 % hold {hold}, {hold}, {hold} % of 24 labelled joints"
    assert projected_coverage(outcome, {"knows": None}, ("keypoints", "knows")) == []
    unsure = evaluated(scene, seen(photo.kp2d, photo.boxes), ground_truth)
    assert projected_coverage(unsure, {"knows": CALIBRATION}, ("keypoints", "knows")) == []


def test_boxes_that_hardly_overlap_are_not_matched():
    labels = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    assert matched(labels, np.array([[20.0, 1, 30, 11], [8, 0, 18, 10]])).tolist() == [[1, 0]]
    assert matched(labels, np.zeros((0, 4))).shape == (0, 2)


def test_the_assumed_camera_spans_the_longer_side(scene):
    photo, _, _ = scene
    camera = assumed_camera(photo, 90)
    assert camera.K[0, 0] == camera.K[1, 1] == pytest.approx(320)
    assert camera.K[:2, 2].tolist() == [319.5, 239.5]


def test_a_photo_that_is_not_the_labelled_one_is_refused(tmp_path, scene):
    photo, _, _ = scene
    absent = dataclasses.replace(photo, path=tmp_path / "p.png")
    with pytest.raises(ValueError, match=r"p\.png: not an image"):
        read_photo(absent)
    cv2.imwrite(str(absent.path), np.zeros((20, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="labels are for 640 x 480 px, it has 10 x 20"):
        read_photo(absent)


def test_colours_are_rgb(tmp_path, scene):
    photo = dataclasses.replace(scene[0], path=tmp_path / "p.png")
    cv2.imwrite(str(photo.path), np.full((480, 640, 3), (0, 0, 255), np.uint8))
    assert read_photo(photo)[0, 0].tolist() == [255, 0, 0]
