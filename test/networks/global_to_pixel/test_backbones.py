# SPDX-License-Identifier: Apache-2.0
import sys

import pytest
import torch

from hmr_ros.core.skeleton import BLAZEPOSE, COCO_FEET
from hmr_ros.networks.global_to_pixel.backbones import STRIDES, BlazePoseBackbone, build_backbone
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig


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


@pytest.mark.parametrize("name", ["resnet", "timm:", "timm"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match='expected "blazepose", "hrnet_w32", "hrnet_w48" or "timm:<model>"'):
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
