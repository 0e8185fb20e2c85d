# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pickle

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.crop import apply, crop_from_image
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import describe
from hmr_ros.training.synthetic.cameras import CameraMix
from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH, ImageBatch, ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.rendering.framing import stored_box
from hmr_ros.training.synthetic.images.rendering.sensor import SensorMix
from hmr_ros.training.synthetic.people import PeopleMix
from test.training.datasets.test_motion import small_motion
from test.training.published import assert_published, assert_ranges

BODY = load_body_model(models_dir() / "open_body.npz")
PERFECT = SensorMix(*(max(type(s.default)(0), s.low or 0) for s in describe(SensorMix)))
"""A sensor that changes nothing."""


def sampler(**changes: object) -> ImageSampler:
    return ImageSampler(small_motion(), BODY, "coco_feet", dataclasses.replace(ImageMix(), **changes))


@pytest.fixture(scope="module")
def batch() -> ImageBatch:
    return sampler().sample(np.random.default_rng(5), 24)


def test_the_same_seed_gives_the_same_images(batch):
    copy = pickle.loads(pickle.dumps(sampler()))
    again = copy.sample(np.random.default_rng(5), 24)
    for field in dataclasses.fields(ImageBatch):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(batch, field.name), field.name)


def test_shapes(batch):
    assert batch.crops.shape == (24, CROP_HEIGHT, CROP_WIDTH, 3)
    assert batch.pixels.shape == (24, 21, 2)
    assert len(batch.take(slice(3))) == 3
    size = batch.boxes[:, 2:] - batch.boxes[:, :2]
    np.testing.assert_allclose(size[:, 0] / size[:, 1], 0.75, rtol=1e-4)


def test_what_is_visible_lies_in_image_and_box(batch):
    assert (batch.visible <= batch.in_image).all()
    assert (batch.visible.sum(1) >= PeopleMix().min_visible).all()
    low, high = batch.boxes[:, None, :2], batch.boxes[:, None, 2:]
    inside = ((batch.pixels >= low) & (batch.pixels <= high)).all(-1)
    assert inside[batch.visible].mean() > 0.98, "boxes are jittered a little"


def test_joints_project_to_their_pixels(batch):
    projected = batch.joints / batch.joints[..., 2:] @ batch.K.transpose(0, 2, 1)
    front = batch.joints[..., 2] > 0.3
    np.testing.assert_allclose(batch.joint_pixels[front], projected[..., :2][front], rtol=1e-3, atol=0.5)


def test_labels_lie_on_the_silhouette():
    """Before backgrounds of their own, the same people differ from the backgrounds where their joints are."""
    plain = sampler(accompanied=0.0, occluded=0.0, box_jitter=0.0, sensor=PERFECT)
    plain._backgrounds = Flat()
    batch = plain.sample(np.random.default_rng(1), 16)
    for row in range(16):
        affine = crop_from_image(stored_box(batch.boxes[row].astype(float)), CROP_WIDTH, CROP_HEIGHT)
        columns, rows = np.rint(apply(affine, batch.joint_pixels[row][batch.joint_visible[row]])).astype(int).T
        within = (columns > 0) & (rows > 0) & (columns < CROP_WIDTH) & (rows < CROP_HEIGHT)
        there = batch.crops[row, rows[within], columns[within]].astype(int)
        assert (np.abs(there - Flat.COLOUR).sum(1) > 6).all()
    assert (batch.occlusion == 0).all()


def test_things_and_others_hide_keypoints():
    clear = sampler(accompanied=0.0, occluded=0.0).sample(np.random.default_rng(2), 24)
    crowded = sampler(accompanied=1.0, occluded=1.0).sample(np.random.default_rng(2), 24)
    np.testing.assert_array_equal(clear.visible, clear.in_image)
    np.testing.assert_array_equal(clear.pixels, crowded.pixels)
    assert crowded.visible.sum() < 0.95 * clear.visible.sum()
    assert crowded.occlusion.mean() > 0.05
    lost = (clear.visible & ~crowded.visible).any(1)
    assert (crowded.occlusion[lost] > 0).all()


def test_far_people_are_blurred():
    """People of few pixels look like it: neighbouring pixels of the crop are alike."""

    def roughness(distance: float) -> float:
        people = PeopleMix(cameras=CameraMix(distance=(distance, distance), whole=1.0, focal_over_diagonal=(1.0, 1.0)))
        noisy = sampler(people=people, sensor=PERFECT, accompanied=0.0, occluded=0.0)
        noisy._backgrounds = Noise()
        crops = noisy.sample(np.random.default_rng(3), 12).crops
        return float(np.abs(np.diff(crops.astype(float), axis=1)).mean())

    assert roughness(60.0) < 0.5 * roughness(3.0)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="occluded"):
        ImageMix(occluded=1.5)


class Flat:
    """Backgrounds of one colour."""

    COLOUR = np.array([255, 0, 255])

    def sample(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        return np.tile(self.COLOUR.astype(np.uint8), (height, width, 1))


class Noise:
    """Backgrounds of which no two pixels are alike."""

    def sample(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_published_errors_are_of_these_images():
    assert_published(ImageMix, accompanied=0.35, occluded=0.35, box_jitter=0.03)
    assert_ranges(ImageMix, box_jitter=(0, 0.2))
