# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.core.geometry.crop import pad_to_aspect
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT
from hmr_ros.core.photo_labels import read_coco
from hmr_ros.core.skeleton import BLAZEPOSE, COCO_FEET
from hmr_ros.evaluation.photos.reprojection import read_photo
from hmr_ros.networks.global_to_pixel.backbones import BlazePoseBackbone, build_backbone
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.features import STRIDES
from hmr_ros.networks.global_to_pixel.movenet_backbone import MoveNetBackbone
from hmr_ros.perception.crops import cut
from hmr_ros.training.movenet_weights import load_movenet

PHOTOS = Path(__file__).parents[2] / "data/photos"


@torch.no_grad()
def test_the_crop_is_normalised_and_squared_inside():
    backbone = BlazePoseBackbone(COCO_FEET).eval()
    image = torch.randint(0, 256, (1, 256, 192, 3), dtype=torch.uint8)
    square = torch.zeros(1, 3, 256, 256)
    square[..., 32:-32] = image.permute(0, 3, 1, 2) / 255
    levels, tail, landmarks = backbone.trunk(square)
    features = backbone(image)
    for stride, level, whole in zip(STRIDES, features.levels, levels, strict=True):
        torch.testing.assert_close(level, whole[..., 32 // stride : -32 // stride])
    torch.testing.assert_close(features.pooled[:, : tail[0].numel()], tail.flatten(1))
    x, y, z, visibility, presence = features.pooled[:, tail[0].numel() :].unflatten(1, (-1, 5)).unbind(2)
    scaled = torch.stack([64 * x + 128, 64 * y + 128, 64 * z, 4 * visibility, 4 * presence], 2)
    torch.testing.assert_close(scaled, landmarks, atol=1e-3, rtol=1e-4)
    assert tuple(x.shape[1] for x in features.levels) == backbone.channels
    assert features.pooled.shape == (1, backbone.pooled_channels)


def test_keypoints_are_landmarks_in_crop_units():
    backbone = BlazePoseBackbone(COCO_FEET)
    landmarks = torch.zeros(1, 39, 5)
    nose, ankle, wrist = (BLAZEPOSE.index(joint) for joint in ("nose", "left_ankle", "right_wrist"))
    landmarks[0, nose] = torch.tensor([32.0, 0, 0, 5, 0])  # the crop's upper left corner
    landmarks[0, ankle] = torch.tensor([224.0, 256, 0, -5, 0])  # its lower right corner, but hidden
    landmarks[0, wrist] = torch.tensor([20.0, 128, 0, 5, 0])  # beyond its left edge
    keypoints = backbone._keypoints(landmarks)[0]
    torch.testing.assert_close(keypoints[COCO_FEET.index("nose")], torch.tensor([0, 0, torch.tensor(5.0).sigmoid()]))
    torch.testing.assert_close(keypoints[COCO_FEET.index("left_ankle")], torch.tensor([1.0, 1, 0]))
    assert keypoints[COCO_FEET.index("right_wrist"), 2] == 0


@pytest.fixture(scope="module")
def thunder() -> MoveNetBackbone:
    torch.manual_seed(0)
    backbone = build_backbone(GlobalToPixelConfig(backbone="movenet_thunder")).eval()
    assert isinstance(backbone, MoveNetBackbone)
    load_movenet(backbone.trunk)
    return backbone


@torch.no_grad()
def test_thunder_finds_people_in_a_photo(thunder):
    """Within a twentieth of the box of their labels; heels and toes, which were never learnt, are not found."""
    photo = next(photo for photo in read_coco(PHOTOS / "labels.json", PHOTOS) if photo.path.name == "figure.jpg")
    boxes = pad_to_aspect(photo.boxes, CROP_ASPECT, BOX_SCALE)
    keypoints = thunder(torch.from_numpy(cut(read_photo(photo), boxes[:1]))).keypoints[0].numpy()
    places = (photo.kp2d[0] - boxes[0, :2]) / (boxes[0, 2:] - boxes[0, :2])
    error = np.linalg.norm(keypoints[:17, :2] - places, axis=1)
    assert np.quantile(error[photo.labelled[0]], 0.9) < 0.05
    assert (keypoints[17:, 2] == 0).all()


@torch.no_grad()
def test_pooled_features_are_the_map_at_the_keypoints_and_means(thunder):
    image = torch.randint(0, 256, (2, 256, 192, 3), dtype=torch.uint8)
    features = thunder(image)
    assert tuple(x.shape[1] for x in features.levels) == thunder.channels
    assert features.pooled.shape == (2, thunder.pooled_channels)
    at_keypoints = features.pooled[:, : 17 * 168].unflatten(1, (168, 17))
    missing = features.keypoints[:, :17, 2] == 0
    assert missing.any()
    assert (at_keypoints.transpose(1, 2)[missing] == 0).all()
    torch.testing.assert_close(features.pooled[:, 17 * 168 : 18 * 168], features.levels[2].mean((2, 3)))


def test_only_thunder_is_frozen_in_part(thunder):
    layers = sum(1 for _ in thunder.pretrained(8).parameters())
    assert layers < sum(1 for _ in thunder.trunk.parameters())
    blazepose = BlazePoseBackbone(COCO_FEET)
    assert blazepose.pretrained(0) is blazepose
    with pytest.raises(ValueError, match=r"crops.frozen_stride: expected 0 for this backbone, got 8"):
        blazepose.pretrained(8)


@pytest.mark.parametrize("name", ["resnet", "timm:", "timm"])
def test_other_names_are_refused(name):
    names = 'expected "blazepose", "movenet_thunder", "hrnet_w32", "hrnet_w48" or "timm:<model>"'
    with pytest.raises(ValueError, match=names):
        build_backbone(GlobalToPixelConfig(backbone=name))


def test_without_timm_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match="pip install timm"):
        build_backbone(GlobalToPixelConfig(backbone="timm:hrnet_w32"))


@pytest.fixture
def timm():
    try:
        import timm
    except (ImportError, RuntimeError) as err:
        pytest.skip(f"optional backbones need timm and its torchvision: {err}")
    return timm


@torch.no_grad()
def test_models_of_timm_give_the_same_pyramid(timm):
    backbone = build_backbone(GlobalToPixelConfig(backbone="timm:mobilenetv3_small_100")).eval()
    features = backbone(torch.zeros(2, 256, 192, 3, dtype=torch.uint8))
    shapes = [(2, c, 256 // s, 192 // s) for c, s in zip(backbone.channels, STRIDES, strict=True)]
    assert [tuple(x.shape) for x in features.levels] == shapes
    assert features.pooled.shape == (2, backbone.pooled_channels)


def test_models_that_timm_does_not_know_or_that_do_not_fit(timm):
    for name in ("no_such_model", "vit_tiny_patch16_224"):
        with pytest.raises(ValueError, match=f"backbone timm:{name}"):
            build_backbone(GlobalToPixelConfig(backbone=f"timm:{name}"))
