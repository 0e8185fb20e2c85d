# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.held_out.annotated import cases, evaluate_annotated
from hmr_ros.evaluation.held_out.keypoint_predictor import KeypointPredictor
from hmr_ros.training.datasets.annotated import unknown
from hmr_ros.training.datasets.human36m import read_subjects
from hmr_ros.training.datasets.threedpw import read_3dpw
from test.training.datasets.test_human36m import write_subject
from test.training.datasets.test_threedpw import write_3dpw


@pytest.fixture(scope="module")
def body():
    return load_body_model(models_dir() / "open_body.npz", np.float64)


@pytest.fixture
def people(tmp_path, body):
    write_subject(tmp_path, 9, body)
    return read_subjects(tmp_path, body, (9,), 25)


def test_the_ground_truth_has_no_error(people, body):
    posed = body.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t)
    vertices, joints = (x - posed.joints[:, :1] for x in (posed.vertices, posed.joints))
    ground_truth = (vertices, joints, np.zeros((len(joints), 24)))
    predictor = KeypointPredictor("perfect", "human36m", False, lambda normalized: ground_truth, body)
    (row,) = evaluate_annotated(predictor, people, body, {"neutral": body})
    assert row.count == 3
    assert row.mpjpe.mean < 0.1
    assert row.mpvpe.mean < 0.1
    assert row.placed == 1
    assert row.depth_median < 0.1


def test_measured_joints_are_the_ground_truth_where_there_are_any(people, body):
    moved = dataclasses.replace(people, human36m=people.human36m + 0.05)
    ((case, _),) = cases(moved, "human36m", {"neutral": body}, 10)
    np.testing.assert_allclose(case.human36m, people.human36m + 0.05)
    ((case, _),) = cases(dataclasses.replace(people, human36m=unknown(3, 17, 3)), "human36m", {"neutral": body}, 10)
    np.testing.assert_allclose(case.human36m, people.human36m, atol=1e-4)


def test_genders_and_batches_are_taken_apart(tmp_path, body):
    people = read_3dpw(write_3dpw(tmp_path)[0], body)
    parts = list(cases(people, "coco_feet", {"male": body, "female": body}, 10))
    assert [part.gender.tolist() for _, part in parts] == [["female"], ["male"]]
    assert parts[0][0].score.shape == (1, 21)
    assert (parts[0][0].score[:, 17:] == 0).all()  # detections without feet
    with pytest.raises(ValueError, match=r"gender \['female', 'male'\]: set --body-female, --body-male"):
        list(cases(people, "coco_feet", {"neutral": body}, 10))


def test_cameras_that_annotations_lack_are_assumed(people, body):
    """The same joint errors of a network that no camera matters to; positions are those of the assumed cameras."""
    without = dataclasses.replace(people, K=unknown(3, 3, 3), cam_t=unknown(3, 3), image_size=np.full((3, 2), 1000.0))
    ((case, part),) = cases(without, "human36m", {"neutral": body}, 10)
    np.testing.assert_allclose(part.K[:, 0, 0], np.hypot(1000, 1000), rtol=1e-6)
    np.testing.assert_allclose(part.K[:, :2, 2], 500)
    projected = case.joints[:, 0, :2] / case.joints[:, 0, 2:] * part.K[:, None, 0, 0][:, 0, None] + 500
    assert np.linalg.norm(projected - people.kp2d[:, 0], axis=1).max() < 60, "near the pelvis in the image"
    np.testing.assert_allclose(case.normalized, (people.kp2d - 500) / np.hypot(1000, 1000), atol=1e-5)


def test_annotations_without_any_fit_are_refused(people, body):
    with pytest.raises(ValueError, match="no person of these annotations has SMPL parameters"):
        evaluate_annotated(None, dataclasses.replace(people, pose=unknown(3, 24, 3)), body, {"neutral": body})
