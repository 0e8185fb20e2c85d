# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.geometry.virtual_camera import to_upright_camera
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.held_out.case import observed
from hmr_ros.evaluation.held_out.keypoint_predictor import KeypointPredictor
from hmr_ros.evaluation.held_out.protocol import SOURCES, errors_of, groupings
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler
from test.training.datasets.test_motion import small_motion


@pytest.fixture(scope="module")
def body():
    return load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def people(body):
    return PeopleSampler(small_motion(), body, "coco_feet", PeopleMix()).sample(np.random.default_rng(0), 48)


def relative(people):
    root = people.joints[:, :1]
    return people.vertices - root, people.joints - root


def no_error(people):
    return np.zeros((len(people), 24))


def perfect(people, body, scale=1.0):
    vertices, joints = relative(people)
    bodies = (scale * vertices, scale * joints, no_error(people))
    return KeypointPredictor("perfect", "coco_feet", False, lambda normalized: bodies, body)


def errors(predictor, case, body):
    (found,) = predictor.predict(case)
    return errors_of(found, case, body)


def test_the_ground_truth_has_no_error(people, body):
    case = observed(people, "coco_feet", SOURCES["true"], body, np.random.default_rng(1))
    found = errors(perfect(people, body), case, body)
    for name in ("mpjpe", "pa_mpjpe", "mpvpe", "mpjpe_smpl"):
        assert getattr(found, name).max() < 0.01, name
    placed = np.isfinite(found.depth)
    assert placed.mean() > 0.9
    assert np.abs(found.depth[placed]).max() < 0.01


def test_a_larger_body_is_put_farther_away_and_aligned_away(people, body):
    case = observed(people, "coco_feet", SOURCES["true"], body, np.random.default_rng(1))
    found = errors(perfect(people, body, scale=1.1), case, body)
    np.testing.assert_allclose(np.nanmedian(found.depth), 0.1, atol=0.01)
    assert found.pa_mpjpe.max() < 0.01
    human36m = body.regressor("human36m") @ people.vertices
    evaluated = np.delete(human36m, [0, 7, 9], axis=1)  # without pelvis, torso, nose
    expected = 100 * np.linalg.norm(evaluated - human36m[:, :1], axis=-1).mean(1)  # 10 % of each distance, in mm
    np.testing.assert_allclose(found.mpjpe, expected, rtol=1e-3)
    pelvis = body.J_regressor[0] @ people.vertices
    expected = 100 * np.linalg.norm(people.vertices - pelvis[:, None], axis=-1).mean(1)
    np.testing.assert_allclose(found.mpvpe, expected, rtol=1e-3)


def test_the_robot_s_bodies_are_evaluated_as_it_publishes_them(people, body):
    case = observed(people, "coco_feet", SOURCES["true"], body, np.random.default_rng(1))
    view = to_upright_camera(case.normalized, case.score, "coco_feet")
    vertices, joints = (x @ view.optical_from_virtual for x in relative(people))
    predictor = KeypointPredictor("perfect", "coco_feet", True, lambda *_: (vertices, joints, no_error(people)), body)
    found = errors(predictor, case, body)
    assert found.mpvpe.max() < 5  # what the SMPL parameters of a mesh lose
    assert np.isfinite(found.depth).mean() > 0.95
    assert np.nanmax(np.abs(found.depth)) < 0.01


def test_sources_observe_the_same_people_with_and_without_error(people, body):
    true, error = (observed(people, "coco_feet", SOURCES[s], body, np.random.default_rng(1)) for s in ("true", "coco"))
    seen = people.visible
    np.testing.assert_allclose(true.normalized[seen], people.views.to_normalized(people.pixels)[seen], atol=1e-6)
    assert (true.normalized[seen] != error.normalized[seen]).any(1).mean() > 0.95
    assert set(np.unique(error.score)) == {0, 1}


def test_people_are_grouped_by_what_they_are(people):
    groups = {g.name: g.labels for g in groupings(people)}
    assert all(len(labels) == len(people) for labels in groups.values())
    np.testing.assert_array_equal(groups["cut by border"] == "none", people.in_image.all(1))
    np.testing.assert_array_equal(groups["cut by border"] == "half body", (~people.in_image).mean(1) > 1 / 3)
    ratio = people.views.K[:, 0, 0] / np.linalg.norm(people.views.image_size, axis=1)
    np.testing.assert_array_equal(groups["f / diagonal"] == "0.9-1.3", (ratio >= 0.9) & (ratio < 1.3))
    shoulders = people.joints[:, 16, 0] - people.joints[:, 17, 0]  # left minus right: negative when seen from behind
    upright = people.rotations[:, 0, 1, 1] < -0.7
    assert (shoulders[(groups["view"] == "front") & upright] > 0).mean() > 0.8
    assert (shoulders[(groups["view"] == "back") & upright] < 0).mean() > 0.8


def test_people_are_grouped_by_the_tilt_of_their_torso(people):
    def of(degrees):
        turn = rotvec_to_rotmat(np.array([0.0, 0.0, np.deg2rad(degrees)]))
        turned = dataclasses.replace(people, joints=people.joints @ turn.T)
        return {g.name: g.labels for g in groupings(turned)}["torso tilt"]

    upright = of(0) == "below 45"
    assert upright.mean() > 0.7
    across = (people.joints[:, 12] / people.joints[:, 12, 2:] - people.joints[:, 0] / people.joints[:, 0, 2:])[:, :2]
    straight = np.abs(across[:, 0]) < 0.2 * -across[:, 1]
    assert straight.sum() > 10
    for degrees, label in ((70, "45-90"), (-70, "45-90"), (105, "90-120"), (-150, "beyond 120"), (180, "beyond 120")):
        assert (of(degrees)[straight] == label).all()


def test_stature_does_not_depend_on_the_pose(people, body):
    posed = people.joints
    bent = body.posed(np.zeros((1, 3)), np.full((1, 23, 3), 0.4), np.zeros((1, 10)), np.ones((1, 3))).joints
    mixed = dataclasses.replace(people, joints=np.concatenate([bent, 0.6 * bent, posed[2:]]))
    stature = {g.name: g.labels for g in groupings(mixed)}["stature"]
    assert stature[:2].tolist() == ["adult", "child"]
