# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.networks.global_to_pixel import MeanPose, SmplEstimate
from hmr_ros.networks.global_to_pixel.crop_camera import crop_translation, to_crop_units
from hmr_ros.networks.global_to_pixel.estimate import MeanState, SmplDecoder
from hmr_ros.training.global_to_pixel_loss import GlobalToPixelLossConfig, GroundTruth, StageLoss, reprojection
from test.training.published import assert_published, assert_ranges

BODY = load_body_model(models_dir() / "open_body.npz")
CAMERA = torch.tensor([[0.1, -0.2, 0.5], [-0.3, 0.0, 0.4]])


@pytest.fixture(scope="module")
def loss() -> StageLoss:
    return StageLoss(BODY, COCO_FEET, GlobalToPixelLossConfig())


@pytest.fixture(scope="module")
def estimate() -> SmplEstimate:
    return SmplDecoder(BODY)(MeanState(MeanPose.rest())(CAMERA), CAMERA)


@pytest.fixture(scope="module")
def truth(loss, estimate) -> GroundTruth:
    """The ground truth that ``estimate`` meets exactly."""
    vertices = loss.vertices(estimate.rotations, estimate.betas)
    places = to_crop_units(loss.keypoints @ vertices + crop_translation(estimate.crop_cam, CAMERA)[:, None], CAMERA)
    return GroundTruth(
        estimate.rotations,
        estimate.betas,
        estimate.crop_cam,
        estimate.joints,
        estimate.anchors,
        places,
        torch.ones(2, COCO_FEET.size),
        torch.ones(2),
    )


def terms(loss: StageLoss, estimate: SmplEstimate, truth: GroundTruth) -> dict[str, float]:
    found = loss(estimate, truth, loss.vertices(truth.rotations, truth.betas), CAMERA)
    return {name: value.item() for name, value in found.items()}


def test_the_ground_truth_costs_nothing(loss, estimate, truth):
    found = terms(loss, estimate, truth)
    assert found.pop("scale") < 1e-6, "a person of a sensible size"
    assert found == dict.fromkeys(found, 0.0)


@pytest.mark.parametrize(
    ("wrong", "answering"),
    [
        ("rotations", {"pose", "vertices", "keypoints"}),
        ("betas", {"betas", "vertices", "keypoints"}),
        ("crop_cam", {"crop_cam", "keypoints", "scale"}),
        ("joints", {"joints"}),
        ("anchors", set()),
    ],
)
def test_each_term_answers_to_what_it_measures(loss, estimate, truth, wrong, answering):
    value = getattr(estimate, wrong)
    other = value.roll(1, -1) if wrong == "rotations" else value + 0.2
    before, after = terms(loss, estimate, truth), terms(loss, estimate._replace(**{wrong: other}), truth)
    assert {name for name in before if before[name] != after[name]} == answering


def test_reprojection_is_a_mean_over_what_is_visible(truth):
    """The same error on every keypoint costs the same however many are seen, and however many people there are."""
    moved = truth.places + torch.tensor([0.1, -0.05])
    half = truth.visible.clone()
    half[:, ::2] = 0
    for visible in (truth.visible, half, half * torch.tensor([[1.0], [0.0]])):
        seen = truth._replace(visible=visible)
        assert reprojection(moved, seen, 0.0).item() == pytest.approx(0.15, rel=1e-4)  # half box sides, mean of x, y


def test_hidden_keypoints_and_small_errors_cost_nothing(truth):
    moved = truth.places.clone()
    moved[:, 3] += 0.4
    hidden = truth.visible.clone()
    hidden[:, 3] = 0
    assert reprojection(moved, truth, 0.0) > 0
    assert reprojection(moved, truth._replace(visible=hidden), 0.0) == 0
    assert reprojection(truth.places + 0.004, truth, 0.01) == 0
    assert reprojection(moved, truth._replace(visible=torch.zeros_like(hidden)), 0.0) == 0, "nobody seen"


def test_one_keypoint_far_off_counts_no_more_than_half_a_box(truth):
    near, far = truth.places.clone(), truth.places.clone()
    near[0, 0] += 0.6
    far[0, 0] += 50.0
    assert reprojection(near, truth, 0.0) == reprojection(far, truth, 0.0)


def test_published_errors_are_of_these_weights():
    stage = {"pose": 1.0, "betas": 0.02, "joints": 5.0, "vertices": 5.0, "keypoints": 5.0, "crop_cam": 0.2}
    matching = {"coarse": 0.5, "focal": 0.5, "offset": 1.0, "joint_error": 0.01}
    assert_published(GlobalToPixelLossConfig, **stage, **matching, keypoint_tolerance=0.01)
    assert_ranges(GlobalToPixelLossConfig)


def test_errors_count_by_their_weights_as_means_of_absolute_differences(estimate, truth):
    weights = {"pose": 2.0, "betas": 3.0, "joints": 5.0, "vertices": 7.0, "crop_cam": 11.0, "keypoints": 13.0}
    loss = StageLoss(BODY, COCO_FEET, GlobalToPixelLossConfig(**weights, keypoint_tolerance=0.02))
    wrong = truth._replace(
        rotations=truth.rotations + 0.1,
        betas=truth.betas - 0.2,
        joints=truth.joints + 0.3,
        crop_cam=truth.crop_cam + 0.4,
        places=truth.places + 0.05,
    )
    vertices = loss.vertices(truth.rotations, truth.betas) + 0.5
    found = {name: value.item() for name, value in loss(estimate, wrong, vertices, CAMERA).items()}
    expected = {"pose": 0.2, "betas": 0.6, "joints": 1.5, "vertices": 3.5, "crop_cam": 4.4, "keypoints": 13 * 0.08}
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("scale", "costs"), [(0.0, 1.0), (0.1, np.exp(-2)), (-1.0, np.exp(20)), (-5.0, np.exp(20))])
def test_people_of_no_size_are_pushed_away_from_it(loss, estimate, truth, scale, costs):
    camera = estimate.crop_cam.clone()
    camera[:, 0] = scale
    assert terms(loss, estimate._replace(crop_cam=camera), truth)["scale"] == pytest.approx(costs, rel=1e-4)


def test_one_vertex_in_sixteen_counts_and_all_that_keypoints_are_made_of(loss, estimate):
    used = (BODY.regressor("coco_feet") != 0).any(0) | (BODY.regressor("human36m") != 0).any(0)
    used |= np.arange(BODY.vertex_count) % 16 == 0
    rotvecs = rotmat_to_rotvec(estimate.rotations.double().numpy())
    posed = BODY.posed(rotvecs[:, 0], rotvecs[:, 1:], estimate.betas.numpy(), np.zeros((2, 3)))
    vertices = posed.vertices - posed.joints[:, :1]
    found = loss.vertices(estimate.rotations, estimate.betas)
    np.testing.assert_allclose(found.numpy(), vertices[:, used], atol=1e-4)
    joints = loss.human36m_joints(estimate.rotations, estimate.betas)
    np.testing.assert_allclose(joints.numpy(), BODY.regressor("human36m") @ vertices, atol=1e-4)


def test_losses_are_no_part_of_what_is_saved(loss):
    assert not loss.state_dict()


def test_people_without_a_fit_count_by_their_keypoints_alone(loss, estimate, truth):
    """Of two people, the second is not fitted: what is wrong with its labels changes the 2D term and nothing else."""
    half = truth._replace(fitted=torch.tensor([1.0, 0.0]))
    shifted = {name: getattr(truth, name).clone() for name in ("rotations", "betas", "crop_cam", "joints", "places")}
    for value in shifted.values():
        value[1] += 0.3
    before, after = terms(loss, estimate, half), terms(loss, estimate, half._replace(**shifted))
    assert {name for name in before if abs(before[name] - after[name]) > 1e-6} == {"keypoints"}
    all_fitted = terms(loss, estimate, truth._replace(**shifted))
    assert {name for name in before if all_fitted[name] > before[name] + 1e-6} >= set(shifted) - {"places", "rotations"}
