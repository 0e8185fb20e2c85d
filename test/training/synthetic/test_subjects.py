# SPDX-License-Identifier: Apache-2.0
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.crop_view import CROP_ASPECT, crop_cam_to_translation
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler
from hmr_ros.training.synthetic.subjects import Subjects, cut_crops, moved_boxes
from test.training.datasets.test_motion import small_motion
from test.training.synthetic.draws import Draws

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


def test_a_rolled_body_is_where_its_rolled_keypoints_are(subjects):
    """A quarter turn brings what was right of the principal point below it."""
    rolled = subjects.rolled(np.full(len(subjects), np.pi / 2))
    np.testing.assert_allclose(keypoints_of(rolled), rolled.pixels, atol=0.5)
    before, after = (x.pixels - x.K[:, None, :2, 2] for x in (subjects, rolled))
    np.testing.assert_allclose(after[..., 1], before[..., 0], atol=1e-6)
    np.testing.assert_allclose(rolled.view.height, subjects.view.height)
    np.testing.assert_allclose(np.linalg.norm(rolled.view.centre, axis=1), np.linalg.norm(subjects.view.centre, axis=1))


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


def test_a_box_is_scaled_and_moved_by_fractions_of_its_height():
    """Three quarters up: by half of the largest shift, and the square root of the largest factor."""
    moved = moved_boxes(np.array([[100.0, 50, 160, 130]]), Draws(0.75), scale=0.21, shift=0.1)
    centre, half = np.array([130, 90]) + 0.05 * 80, np.array([30, 40]) * 1.1
    np.testing.assert_allclose(moved, [[*(centre - half), *(centre + half)]])
    np.testing.assert_allclose(moved_boxes(moved, Draws(0.1), 0.0, 0.0), moved)


def test_crops_show_what_their_boxes_do_and_black_beyond():
    """A stored crop of px 0 to 240, 0 to 320 whose levels are its columns and rows."""
    columns, rows = np.meshgrid(np.arange(240), np.arange(320))
    stored = np.stack([columns, rows // 2, np.full_like(rows, 50)], -1).astype(np.uint8)[None]
    boxes = np.array([[24.0, 32, 216, 288]])  # of which the stored crop is 1.25 times
    images = SimpleNamespace(crops=stored, boxes=boxes)
    exact = cut_crops(images, boxes)
    assert exact.shape == (1, 256, 192, 3)
    np.testing.assert_array_equal(exact[0], stored[0, 32:288, 24:216])
    shifted = cut_crops(images, boxes - (48, 64, 48, 64))
    np.testing.assert_array_equal(shifted[0, 32:, 24:], stored[0, :224, :168])
    assert not shifted[0, :31].any()
    assert not shifted[0, :, :23].any()
    halved = cut_crops(images, np.array([[72.0, 96, 168, 224]]))
    assert abs(int(halved[0, 100, 100, 0]) - (72 + 50)) <= 1
    assert abs(int(halved[0, 100, 100, 1]) - (96 + 50) // 2) <= 1


def test_joints_beside_the_camera_come_out_far_outside(subjects):
    near = dataclasses.replace(subjects, joints=np.tile([0.1, 0.2, -1.0], (len(subjects), 24, 1)))
    focal, centre = subjects.K[:, [0, 1], [0, 1]], subjects.K[:, :2, 2]
    np.testing.assert_allclose(near.joint_pixels()[:, 3], (2, 4) * focal + centre)
    front = subjects.joints[..., 2] > 0.1
    expected = subjects.joints / subjects.joints[..., 2:] @ subjects.K.transpose(0, 2, 1)
    np.testing.assert_allclose(subjects.joint_pixels()[front], expected[front][:, :2])
