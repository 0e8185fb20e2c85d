# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.evaluation.held_out.case import Prediction, observed
from hmr_ros.evaluation.held_out.crop_predictor import CropPredictor, StageParameters
from hmr_ros.evaluation.held_out.protocol import SOURCES, errors_of, groupings
from hmr_ros.evaluation.held_out.synthetic import evaluate_synthetic
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.subjects import Subjects
from hmr_ros.training.synthetic.visibility import in_group
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
NO_ERROR = np.zeros((16, 24))


@pytest.fixture(scope="module")
def images():
    return ImageSampler(small_motion(), BODY, "coco_feet", ImageMix()).sample(np.random.default_rng(0), 16)


def case_of(images, source):
    return observed(images, "coco_feet", SOURCES[source], BODY, np.random.default_rng(1))


def perfect(images):
    """A network that knows the ground truth, told in the crop's camera, and finds no keypoints."""
    subjects = Subjects.of_images(images)
    rotations = images.rotations.copy()
    rotations[:, 0] = subjects.view.crop_from_optical @ rotations[:, 0]
    parameters = StageParameters("local stage", rotations, images.betas, subjects.crop_cam, NO_ERROR)

    def network(image, keypoints, camera):
        return [parameters], keypoints

    return CropPredictor("perfect", "coco_feet", network, BODY, finds=False)


def test_images_hold_the_people_that_are_evaluated(images):
    case = case_of(images, "true")
    keypoints = BODY.regressor("coco_feet") @ case.vertices
    normalized = keypoints[..., :2] / keypoints[..., 2:]
    assert np.abs(normalized - case.normalized)[images.visible].max() < 1e-3
    assert case.shown is not None
    assert case.shown.image.shape == (16, 256, 192, 3)
    inside = case.shown.keypoints[..., :2][case.score > 0]
    assert ((inside > -0.2) & (inside < 1.2)).all(), "boxes are around what is seen"
    blind = case_of(images, "projection")
    assert not blind.score.any()
    assert blind.shown is not None
    assert not blind.shown.keypoints.any()
    np.testing.assert_array_equal(blind.shown.image, case.shown.image)


@pytest.mark.parametrize("source", ["true", "projection"])
def test_the_ground_truth_has_no_error(images, source):
    case = case_of(images, source)
    alone, published = perfect(images).predict(case)
    assert [alone.output, published.output] == ["local stage", "global_to_pixel"]
    for found in (alone, published):
        errors = errors_of(found, case, BODY)
        assert errors.mpvpe.max() < 1, found.output
        assert np.abs(errors.depth).max() < 0.01
        assert (errors.pck_05 == 100).all()


def test_people_who_lie_are_shown_upright(images):
    subjects = Subjects.of_images(images)
    lying = dataclasses.replace(images, pixels=images.pixels.copy())
    middle = lying.pixels[0].mean(0)
    shoulders, hips = [5, 6], [11, 12]
    lying.pixels[0, shoulders], lying.pixels[0, hips] = middle + (50, 0), middle - (50, 0)
    lying.visible[0, shoulders + hips] = True
    turned, as_it_is = (
        observed(lying, "coco_feet", SOURCES["true"], BODY, np.random.default_rng(1), turned=turned).shown
        for turned in (True, False)
    )
    assert turned.view.turns[0] == 1
    assert (turned.keypoints[0, shoulders, 1] < turned.keypoints[0, hips, 1]).all()
    assert (as_it_is.keypoints[0, shoulders, 0] > as_it_is.keypoints[0, hips, 0]).all()
    np.testing.assert_array_equal(as_it_is.view.boxes, subjects.boxes)
    assert not as_it_is.view.turns.any()


def test_own_keypoints_are_those_that_the_network_finds_told_nothing(images):
    told, case, network = [], case_of(images, "true"), perfect(images).network
    found = np.concatenate([Subjects.of_images(images).view.to_crop_units(images.pixels), np.ones((16, 21, 1))], -1)
    found[:, 3, 2] = 0.1  # below the robot's threshold
    found[0, 5:, 2] = 0  # too few for a position

    def finding(image, keypoints, camera):
        told.append(keypoints)
        return network(image, keypoints, camera)[0], found.astype(np.float32)

    own = dataclasses.replace(perfect(images), network=finding, finds=True).with_own_keypoints(case)
    assert not np.concatenate(told).any()
    assert not own.shown.keypoints.any()
    assert np.abs(own.normalized - case.normalized)[images.visible].max() < 1e-3
    expected = np.ones((16, 21))
    expected[:, 3] = expected[0] = 0
    np.testing.assert_array_equal(own.score, expected)
    assert perfect(images).with_own_keypoints(case) is None, "this network finds none"


def test_all_methods_are_evaluated_with_what_one_of_them_finds(images):
    class OfKeypoints:
        name, joint_set, reads_images, seen = "other", "coco_feet", False, []

        def predict(self, case):
            self.seen.append(case.score)
            found = perfect(images).predict(case_of(images, "projection"))[0]
            return [dataclasses.replace(found, expected_error=np.ones((16, 24)))]

    finds = dataclasses.replace(perfect(images), finds=True)
    for beside, sources, asked in (([finds], 5, 4), ([perfect(images)], 4, 3), ([], 3, 3)):
        OfKeypoints.seen.clear()
        evaluation = evaluate_synthetic([OfKeypoints(), *beside], [images], BODY, 0)
        assert len({source for source, _ in evaluation.errors}) == sources
        assert len(OfKeypoints.seen) == asked, "without keypoints it is not asked"
    rows = evaluate_synthetic([finds], [images], BODY, 0).rows()
    assert [row.output for row in rows if (row.source, row.grouping) == ("own", "all")] == [
        "local stage",
        "global_to_pixel",
    ]


def test_correct_keypoints_are_counted_in_box_heights(images):
    case = case_of(images, "true")
    pose = rotmat_to_rotvec(images.rotations)
    posed = BODY.posed(pose[:, 0], pose[:, 1:], images.betas, images.joints[:, 0])
    far = np.array([0.0, 0.0, 30.0])  # so far away that all keypoints move alike
    step = np.zeros((16, 3))
    step[:, 0] = 0.07 * case.height * 30
    moved = Prediction("moved", posed.vertices, posed.joints, np.broadcast_to(far, (16, 3)) + step, NO_ERROR)
    at_far = posed.vertices - posed.joints[:, :1] + far
    distant = type(case)(**{**vars(case), "vertices": at_far})
    errors = errors_of(moved, distant, BODY)
    assert (errors.pck_05 == 0).all()
    assert (errors.pck_10 == 100).all()
    nowhere = Prediction("nowhere", posed.vertices, posed.joints, np.full((16, 3), np.nan), NO_ERROR)
    assert not errors_of(nowhere, case, BODY).pck_10.any()


def test_people_in_images_are_grouped_as_others_are(images):
    groups = {g.name: g.labels for g in groupings(images)}
    np.testing.assert_array_equal(groups["cut by border"] == "none", images.in_image.all(1))
    np.testing.assert_array_equal(groups["keypoints"] == "all seen", images.visible.all(1))


def test_missing_keypoints_are_missing_everywhere(images):
    case = case_of(images, "true")
    face = in_group(JOINT_SETS["coco_feet"], "face")
    assert face.sum() == 5
    without = case.without(face)
    assert not without.score[:, face].any()
    assert without.shown is not None
    assert not without.shown.keypoints[:, face].any()
    np.testing.assert_array_equal(without.score[:, ~face], case.score[:, ~face])
    np.testing.assert_array_equal(without.shown.keypoints[:, ~face], case.shown.keypoints[:, ~face])
