# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
import torch

from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone
from hmr_ros.training.remembering import CROPS_PER_PHOTO, Remembering, photo_crops


@pytest.fixture
def photos(tmp_path):
    """A red one, wider than high, and a blue one, much higher than wide."""
    for name, shape, channel in (("a.png", (60, 200), 2), ("below/b.JPG", (300, 40), 0)):
        image = np.zeros((*shape, 3), np.uint8)
        image[..., channel] = 200
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), image)
    return tmp_path


def test_crops_are_rgb_parts_of_every_photo(photos):
    crops = photo_crops(photos)
    assert crops.shape == (2 * CROPS_PER_PHOTO, 256, 192, 3)
    red, blue = crops[:CROPS_PER_PHOTO], crops[CROPS_PER_PHOTO:]
    assert (red == [200, 0, 0]).all()
    assert abs(blue.astype(int) - [0, 0, 200]).max() < 4
    np.testing.assert_array_equal(photo_crops(photos), crops)


def test_photos_that_are_missing_or_damaged_are_named(photos, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match=f"crops.photos: {empty}: expected photos"):
        photo_crops(empty)
    (photos / "c.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"c.jpg: not an image OpenCV can read"):
        photo_crops(photos)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return MoveNetBackbone(COCO_FEET)


def test_what_is_remembered_does_not_change_with_the_network(photos, backbone):
    remembering = Remembering(backbone, photos, 2)
    drawn = remembering.draw()
    assert remembering.loss(backbone(drawn.crops).heads, drawn).abs() < 1e-4
    with torch.no_grad():
        backbone.trunk.merges[2].lateral.bias += 1
    loss = remembering.loss(backbone(drawn.crops).heads, drawn)
    assert loss > 1e-4
    loss.backward()
    assert backbone.trunk.merges[2].lateral.bias.grad.abs().max() > 0


@torch.no_grad()
def test_answers_that_are_kept_are_those_of_the_crop(photos, backbone, monkeypatch):
    monkeypatch.setattr("hmr_ros.training.remembering.MOST_KEPT", 3)
    remembering = Remembering(backbone, photos, 1)
    remembering._crops = remembering._crops[:2] // 2 + torch.randint(0, 60, (2, 256, 192, 3), dtype=torch.uint8)
    for _ in range(6):  # of four kinds: two crops, each of them mirrored or not
        drawn = remembering.draw()
        assert remembering.loss(backbone(drawn.crops).heads, drawn).abs() < 1e-4
    assert 1 < len(remembering._kept) <= 3
