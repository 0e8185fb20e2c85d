# SPDX-License-Identifier: Apache-2.0
"""Contact sheets show crops in rows, with their labels."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.training.synthetic.images import CROP_HEIGHT, CROP_WIDTH, ImageBatch
from hmr_ros.training.synthetic.images.shards.sheet import BONE, HIDDEN, SELF_HIDDEN, VISIBLE, contact_sheet, labelled
from test.training.synthetic.images.shards.test_shards import small_batch

BOX = np.array([24.0, 32, 216, 288], np.float32)
"""Of which a stored crop, 1.25 times as large, shows px 0 to 240 and 0 to 320 of the image."""


def batch_of(count: int) -> ImageBatch:
    """Black crops; every keypoint and joint lies at (50, 60), but for one of each at (150, 200)."""
    batch = small_batch(count)
    pixels, joints = np.full((count, 21, 2), (50, 60), np.float32), np.full((count, 24, 2), (50, 60), np.float32)
    pixels[:, 3] = joints[:, 23] = (150, 200)
    return dataclasses.replace(
        batch,
        crops=np.zeros_like(batch.crops),
        boxes=np.tile(BOX, (count, 1)),
        pixels=pixels,
        joint_pixels=joints,
        visible=np.ones((count, 21), bool),
        self_hidden=np.zeros((count, 21), bool),
    )


@pytest.mark.parametrize(("visible", "behind", "colour"), [(1, 0, VISIBLE), (1, 1, SELF_HIDDEN), (0, 1, HIDDEN)])
def test_a_keypoint_has_the_colour_of_what_hides_it(visible, behind, colour):
    batch = batch_of(1)
    batch.visible[0, 3], batch.self_hidden[0, 3] = visible, behind
    image = labelled(batch, 0)
    assert tuple(image[200, 150]) == colour
    assert tuple(image[60, 50]) == VISIBLE
    assert not image[150, 200].any()
    assert not batch.crops.any(), "the crop itself stays as it is"


def test_bones_join_joints_to_their_parents():
    batch = batch_of(1)
    np.testing.assert_allclose(labelled(batch, 0)[130, 100], BONE, atol=10)  # antialiased


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (8, 1), (9, 2)])
def test_a_sheet_has_eight_crops_a_row_and_is_filled_up_with_black(count, rows):
    sheet = contact_sheet(batch_of(count))
    assert sheet.shape == (rows * CROP_HEIGHT, 8 * CROP_WIDTH, 3)
    cells = sheet.reshape(rows, CROP_HEIGHT, 8, CROP_WIDTH, 3).any((1, 3, 4)).ravel()
    assert cells.tolist() == [True] * count + [False] * (8 * rows - count)
