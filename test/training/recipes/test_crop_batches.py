# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.crop import apply, crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO_FEET, SMPL
from hmr_ros.training.config import CropConfig
from hmr_ros.training.recipes.crop_batches import Batch, Mixed, Observer, joined, relit
from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH, ImageBatch
from hmr_ros.training.synthetic.images.batch import MARGIN
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.people import PeopleBatch, PeopleMix, PeopleSampler
from hmr_ros.training.synthetic.subjects import Subjects
from test.training.datasets.test_motion import small_motion
from test.training.synthetic.draws import Draws

BODY = load_body_model(models_dir() / "open_body.npz")
MIX = PeopleMix(min_visible=21)
WRIST = COCO_FEET.index("left_wrist")
MIRROR = torch.tensor([-1.0, 1, 1])


@pytest.fixture(scope="module")
def people() -> PeopleBatch:
    """Whole in the image, but each with a hidden left ankle."""
    whole = PeopleSampler(small_motion(), BODY, "coco_feet", MIX).sample(np.random.default_rng(0), 6)
    visible = whole.visible.copy()
    visible[:, COCO_FEET.index("left_ankle")] = False
    return dataclasses.replace(whole, visible=visible)


@pytest.fixture(scope="module")
def images(people) -> ImageBatch:
    """The same people in images that are black but for a white square on the left wrist."""
    subjects = Subjects.of_people(people)
    stored = crop_from_image(pad_to_aspect(subjects.boxes, CROP_ASPECT, MARGIN), CROP_WIDTH, CROP_HEIGHT)
    crops = np.zeros((len(people), CROP_HEIGHT, CROP_WIDTH, 3), np.uint8)
    for crop, affine, wrist in zip(crops, stored, people.pixels[:, WRIST], strict=True):
        column, row = np.rint(apply(affine, wrist[None])[0]).astype(int)
        crop[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = 255
    joint_pixels = subjects.joint_pixels().astype(np.float32)
    return ImageBatch(
        crops=crops,
        boxes=subjects.boxes.astype(np.float32),
        K=people.K.astype(np.float32),
        image_size=people.image_size,
        rotations=people.rotations.astype(np.float32),
        betas=people.betas.astype(np.float32),
        joints=people.joints.astype(np.float32),
        pixels=people.pixels.astype(np.float32),
        in_image=people.in_image,
        visible=people.visible,
        self_hidden=np.zeros_like(people.visible),
        joint_pixels=joint_pixels,
        joint_visible=np.ones(joint_pixels.shape[:2], bool),
        occlusion=np.zeros(len(people), np.float32),
        truncation=np.zeros(len(people), np.float32),
        kind=people.kind,
        clip=people.clip,
    )


def observed(drawn: ImageBatch | PeopleBatch, flip: float = 0.0, **crops: float) -> Batch:
    """Samples with exact keypoints in exact boxes, but for ``crops``."""
    config = CropConfig(**{"box_scale": 0.0, "box_shift": 0.0, "without_keypoints": 0.0, "flip": flip} | crops)
    return Observer(COCO_FEET, config, KeypointMix(clean=1.0, scored=0.0)).augmented(drawn, np.random.default_rng(0))


@pytest.mark.parametrize("roll", [0.0, 40.0])
@pytest.mark.parametrize(("flip", "wrist"), [(0.0, "left_wrist"), (1.0, "right_wrist")])
def test_the_image_shows_what_the_labels_say(images, flip, wrist, roll):
    """Mirrored, rotated or not, the mark lies where the label of the wrist is: a mirrored left wrist is a right one."""
    batch = observed(images, flip, roll=roll)
    for image, place in zip(batch.image.numpy(), batch.places[:, COCO_FEET.index(wrist)], strict=True):
        column, row = (place * torch.tensor([192, 256])).numpy()
        if 4 < column < 188 and 4 < row < 252:
            rows, columns = np.nonzero(image[..., 0] > 127)
            assert np.hypot(columns.mean() + 0.5 - column, rows.mean() + 0.5 - row) < 2.5  # px


def test_a_mirrored_sample_is_the_mirror_image(people):
    plain, mirrored = observed(people), observed(people, flip=1.0)
    flipped_x = torch.tensor([1.0, 0.0])
    for name, mirror in (("places", COCO_FEET.mirror), ("anchors", SMPL.mirror)):
        expected = flipped_x + getattr(plain, name)[:, mirror] * MIRROR[:2]
        torch.testing.assert_close(getattr(mirrored, name), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mirrored.visible, plain.visible[:, COCO_FEET.mirror])
    torch.testing.assert_close(mirrored.keypoints[..., 2], plain.keypoints[:, COCO_FEET.mirror, 2])
    seen = mirrored.visible > 0
    torch.testing.assert_close(mirrored.keypoints[..., :2][seen], mirrored.places[seen], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mirrored.joints, plain.joints[:, SMPL.mirror] * MIRROR, atol=1e-5, rtol=1e-4)
    rotations = MIRROR.diag() @ plain.rotations[:, SMPL.mirror] @ MIRROR.diag()
    torch.testing.assert_close(mirrored.rotations, rotations, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mirrored.camera, plain.camera * MIRROR, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mirrored.crop_cam, plain.crop_cam * torch.tensor([1.0, -1, 1]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(mirrored.betas, plain.betas)


def test_mirroring_twice_changes_nothing(people):
    subjects = Subjects.of_people(people)
    everyone = np.ones(len(people), bool)
    twice = subjects.mirrored(everyone, COCO_FEET).mirrored(everyone, COCO_FEET)
    for field in dataclasses.fields(Subjects):
        np.testing.assert_allclose(getattr(twice, field.name), getattr(subjects, field.name), atol=1e-9)


def test_only_the_chosen_are_mirrored(people):
    subjects = Subjects.of_people(people)
    chosen = np.arange(len(people)) == 2
    some, everyone = subjects.mirrored(chosen, COCO_FEET), subjects.mirrored(~np.zeros_like(chosen), COCO_FEET)
    for field in dataclasses.fields(Subjects):
        expected = getattr(subjects, field.name).copy()
        expected[2] = getattr(everyone, field.name)[2]
        np.testing.assert_array_equal(getattr(some, field.name), expected)


def test_a_moved_box_moves_image_and_labels_alike(images):
    batch = observed(images, box_scale=0.2, box_shift=0.1)
    assert (batch.camera - observed(images).camera).abs().amax(0).min() > 1e-3, "every box is another one"
    for image, place in zip(batch.image.numpy(), batch.places[:, WRIST], strict=True):
        column, row = (place * torch.tensor([192, 256])).numpy()
        if 4 < column < 188 and 4 < row < 252:
            rows, columns = np.nonzero(image[..., 0] > 127)
            assert np.hypot(columns.mean() + 0.5 - column, rows.mean() + 0.5 - row) < 2.5  # px


def test_light_and_noise_change_images_only(images):
    plain, other = observed(images), observed(images, light=0.5, noise=20.0)
    for name in ("places", "anchors", "rotations", "camera"):
        torch.testing.assert_close(getattr(other, name), getattr(plain, name))
    black = (plain.image == 0).all(-1)
    assert other.image[black].float().std() > 1
    without_noise = observed(images, light=0.5).image
    assert (without_noise[black] == 0).all()
    assert (without_noise[~black] != plain.image[~black]).float().mean() > 0.4, "white cannot become brighter"


def test_light_and_noise_reach_as_far_as_they_say():
    """All draws at a quarter: gain 1 - 0.2 (1 + 0.3) / 2."""
    images = np.full((2, 4, 3, 3), 100, np.uint8)
    assert (relit(images, CropConfig(light=0.2), Draws(0.25)) == 87).all()
    assert relit(images, CropConfig(), Draws(0.25)) is images


def test_keypoints_are_withheld_of_people_in_images_only(images, people):
    assert not observed(images, without_keypoints=1.0).keypoints.any()
    assert observed(people, without_keypoints=1.0).keypoints.any()


def test_split_undoes_joined(images, people):
    with_image, without = observed(images), observed(people)
    for part, expected in zip(joined(with_image, without).split(), (with_image, without), strict=True):
        for actual, wanted in zip(part, expected, strict=True):
            torch.testing.assert_close(actual, wanted)


class Counted:
    """Draws how many were asked for."""

    def sample(self, rng, count):
        return count


def test_mixed_draws_people_without_images_in_its_ratio():
    assert Mixed(Counted(), Counted(), 2.5).sample(np.random.default_rng(0), 4) == (4, 10)


def test_a_batch_is_seen_by_the_crops_camera(people):
    """Root and joints turn with it; what is relative to the pelvis stays so."""
    subjects, batch = Subjects.of_people(people), observed(people)
    rotate = subjects.view.crop_from_optical
    np.testing.assert_allclose(batch.rotations[:, 0], rotate @ subjects.rotations[:, 0], atol=1e-5)
    np.testing.assert_allclose(batch.rotations[:, 1:], subjects.rotations[:, 1:], atol=1e-6)
    relative = subjects.joints - subjects.joints[:, :1]
    np.testing.assert_allclose(batch.joints, relative @ rotate.transpose(0, 2, 1), atol=1e-5)
    np.testing.assert_allclose(batch.camera, subjects.view.camera, atol=1e-6)
    np.testing.assert_allclose(batch.crop_cam, subjects.crop_cam, atol=1e-5)
    np.testing.assert_allclose(batch.places, subjects.view.to_crop_units(subjects.pixels), atol=1e-5)
    np.testing.assert_array_equal(batch.visible, subjects.visible)
    missing = batch.keypoints[..., 2] == 0
    np.testing.assert_array_equal(missing, ~people.visible)
    assert not batch.keypoints[missing].any()


def test_the_drawn_are_not_changed(people):
    before = people.rotations.copy()
    observed(people, flip=1.0)
    np.testing.assert_array_equal(people.rotations, before)


@pytest.mark.parametrize(("flip", "mirrored"), [(0.25, False), (0.26, True)])
def test_a_fraction_of_the_people_is_mirrored(people, flip, mirrored):
    exact = KeypointMix(clean=1.0, scored=0.0)
    config = CropConfig(box_scale=0.0, box_shift=0.0, flip=flip)
    batch = Observer(COCO_FEET, config, exact).augmented(people, Draws(0.25))
    assert torch.equal(batch.places, observed(people, flip=float(mirrored)).places)


@pytest.mark.parametrize(("without", "seen"), [(0.25, True), (0.26, False)])
def test_a_fraction_of_the_people_in_images_has_no_keypoints(images, without, seen):
    exact = KeypointMix(clean=1.0, scored=0.0)
    config = CropConfig(box_scale=0.0, box_shift=0.0, flip=0.0, without_keypoints=without)
    assert Observer(COCO_FEET, config, exact).augmented(images, Draws(0.25)).keypoints.any() == seen


def test_the_ground_truth_is_all_but_the_input(people):
    batch = observed(people)
    assert batch.ground_truth.rotations is batch.rotations
    assert batch.ground_truth.visible is batch.visible


def test_evaluated_samples_are_as_drawn_and_have_the_errors_of_their_mix(images):
    observer = Observer(COCO_FEET, CropConfig(flip=1.0, without_keypoints=1.0), KeypointMix(clean=0.0))
    exact = observer.exact(images, KeypointMix(clean=1.0, scored=0.0), np.random.default_rng(0))
    for name in ("image", "keypoints", "camera", "places", "rotations"):
        torch.testing.assert_close(getattr(exact, name), getattr(observed(images), name))
