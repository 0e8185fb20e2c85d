# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.crop_view import CROP_ASPECT, crop_cam_to_translation
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler
from hmr_ros.training.synthetic.subjects import Subjects, moved_boxes
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def people():
    return PeopleSampler(small_motion(), BODY, "coco_feet", PeopleMix()).sample(np.random.default_rng(0), 6)


@pytest.fixture(scope="module")
def subjects(people):
    return Subjects.of_people(people)


def keypoints_of(subjects: Subjects) -> np.ndarray:
    """(B, J, 2) px, by posing the body and projecting it."""
    rotvecs = rotmat_to_rotvec(subjects.rotations)
    posed = BODY.posed(rotvecs[:, 0], rotvecs[:, 1:], subjects.betas, subjects.joints[:, 0])
    points = BODY.regressor("coco_feet") @ posed.vertices
    normalized = points[..., :2] / np.maximum(points[..., 2:], 0.05)
    return normalized * subjects.K[:, None, [0, 1], [0, 1]] + subjects.K[:, None, :2, 2]


def test_the_body_is_where_its_keypoints_are(subjects):
    np.testing.assert_allclose(keypoints_of(subjects), subjects.pixels, atol=0.5)


def test_a_mirrored_body_is_where_its_mirrored_keypoints_are(subjects):
    chosen = np.array([True, False] * 3)
    mirrored = subjects.mirrored(chosen, COCO_FEET)
    np.testing.assert_allclose(keypoints_of(mirrored), mirrored.pixels, atol=0.5)
    np.testing.assert_array_equal(mirrored.pixels[~chosen], subjects.pixels[~chosen])
    left, right = COCO_FEET.index("left_wrist"), COCO_FEET.index("right_wrist")
    np.testing.assert_allclose(
        mirrored.pixels[chosen, left, 0], subjects.width[chosen] - 1 - subjects.pixels[chosen, right, 0]
    )


def test_mirroring_twice_changes_nothing(subjects):
    everybody = np.ones(len(subjects), np.bool_)
    twice = subjects.mirrored(everybody, COCO_FEET).mirrored(everybody, COCO_FEET)
    for name in ("rotations", "joints", "pixels", "boxes", "K"):
        np.testing.assert_allclose(getattr(twice, name), getattr(subjects, name), atol=1e-9)


def test_a_mirrored_crop_shows_the_mirror_image(subjects):
    everybody = np.ones(len(subjects), np.bool_)
    units = subjects.view.to_crop_units(subjects.pixels)
    mirrored = subjects.mirrored(everybody, COCO_FEET)
    expected = units[:, COCO_FEET.mirror] * [-1, 1] + [1, 0]
    np.testing.assert_allclose(mirrored.view.to_crop_units(mirrored.pixels), expected, atol=1e-9)


def test_crop_cam_places_the_pelvis(subjects):
    view = subjects.view
    place = crop_cam_to_translation(subjects.crop_cam, view.height)
    optical = (view.crop_from_optical.transpose(0, 2, 1) @ place[..., None])[..., 0]
    np.testing.assert_allclose(optical, subjects.joints[:, 0], atol=1e-6)


def test_moved_boxes_keep_their_aspect_and_stay_near(subjects):
    moved = moved_boxes(subjects.boxes, np.random.default_rng(0), scale=0.15, shift=0.05)
    size, before = moved[:, 2:] - moved[:, :2], subjects.boxes[:, 2:] - subjects.boxes[:, :2]
    np.testing.assert_allclose(size[:, 0] / size[:, 1], CROP_ASPECT)
    assert (np.abs(np.log(size / before)) <= np.log(1.15) + 1e-9).all()
    assert (np.abs(moved - subjects.boxes) <= 0.13 * before[:, [1, 1, 1, 1]]).all()
