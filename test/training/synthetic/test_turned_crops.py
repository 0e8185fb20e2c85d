# SPDX-License-Identifier: Apache-2.0
"""People who lie, in crops of a turned camera."""

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.subjects import Subjects, cut_crops, turned_crops
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def images():
    return ImageSampler(small_motion(), BODY, "coco_feet", ImageMix()).sample(np.random.default_rng(0), 4)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_view_is_that_of_people_before_a_turned_camera(images, turns):
    """The reference: people and images rolled as a whole, which training does."""
    subjects = Subjects.of_images(images)
    view, crops = turned_crops(images, subjects, np.full(4, turns))
    angles = np.full(4, -turns * np.pi / 2)
    rolled = subjects.rolled(angles)
    in_crop = view.to_crop_units(subjects.pixels)
    # The rolled people's boxes, from two points of the view: crop units are affine in the rolled pixels.
    scale = np.ptp(rolled.pixels, axis=1) / np.ptp(in_crop, axis=1)
    low = rolled.pixels[:, 0] - in_crop[:, 0] * scale
    reference = rolled.in_boxes(np.concatenate([low, low + scale], 1))
    np.testing.assert_allclose(reference.view.to_crop_units(rolled.pixels), in_crop, atol=1e-5)
    np.testing.assert_allclose(reference.view.camera, view.camera, atol=1e-4)
    np.testing.assert_allclose(scale[:, 0] / scale[:, 1], 0.75, rtol=1e-4)
    shown = cut_crops(images, reference.boxes, subjects.rolling(angles))
    assert np.abs(shown.astype(int) - crops).mean() < 1
    optical = (view.crop_from_optical @ subjects.rotations[:, 0]).round(4)
    np.testing.assert_allclose(reference.view.crop_from_optical @ rolled.rotations[:, 0], optical, atol=1e-3)


def test_who_is_not_turned_has_the_box_of_before(images):
    subjects = Subjects.of_images(images)
    view, crops = turned_crops(images, subjects, np.zeros(4, np.int64))
    np.testing.assert_array_equal(view.boxes, subjects.boxes)
    np.testing.assert_array_equal(crops, cut_crops(images, subjects.boxes))
