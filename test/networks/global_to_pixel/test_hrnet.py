# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.networks.global_to_pixel.backbones import STRIDES, HrnetBackbone, build_backbone
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.hrnet import Hrnet, load_hrnet

OFFICIAL_W32 = {
    "conv1.weight": (64, 3, 3, 3),
    "layer1.0.downsample.0.weight": (256, 64, 1, 1),
    "layer1.3.conv3.weight": (256, 64, 1, 1),
    "transition1.0.0.weight": (32, 256, 3, 3),
    "transition1.1.0.0.weight": (64, 256, 3, 3),
    "stage2.0.branches.1.3.bn2.running_mean": (64,),
    "stage2.0.fuse_layers.0.1.0.weight": (32, 64, 1, 1),
    "stage2.0.fuse_layers.1.0.0.0.weight": (64, 32, 3, 3),
    "transition2.2.0.0.weight": (128, 64, 3, 3),
    "stage3.3.fuse_layers.2.0.0.0.weight": (32, 32, 3, 3),
    "stage3.3.fuse_layers.2.0.1.0.weight": (128, 32, 3, 3),
    "transition3.3.0.1.bias": (256,),
    "stage4.2.branches.3.0.conv1.weight": (256, 256, 3, 3),
    "stage4.2.fuse_layers.0.3.1.weight": (32,),
}
"""Some names and shapes of the published pose_hrnet_w32 files."""


@pytest.fixture(scope="module")
def narrow() -> Hrnet:
    return Hrnet(4).eval()


def test_weights_have_the_published_names_and_number():
    with torch.device("meta"):
        w32, w48 = Hrnet(32), Hrnet(48)
    state = w32.state_dict()
    assert {name: tuple(state[name].shape) for name in OFFICIAL_W32} == OFFICIAL_W32
    assert not any(name.startswith("stage4.2.fuse_layers.1") for name in state), "the last module fuses into one branch"
    heatmaps = 32 * 17 + 17
    count = sum(p.numel() for p in w32.parameters()) + heatmaps
    assert round(count / 1e6, 1) == 28.5, "the published number, in millions"
    assert round((sum(p.numel() for p in w48.parameters()) + 48 * 17 + 17) / 1e6, 1) == 63.6


@torch.no_grad()
def test_maps_have_the_strides_and_channels_that_are_promised():
    backbone = build_backbone(GlobalToPixelConfig(backbone="hrnet_w32")).eval()
    assert isinstance(backbone, HrnetBackbone)
    features = backbone(torch.randint(0, 256, (1, 256, 192, 3), dtype=torch.uint8))
    for level, stride, channels in zip(features.levels, STRIDES, (32, 64, 128, 256), strict=True):
        assert level.shape == (1, channels, 256 // stride, 192 // stride)
    assert features.pooled.shape == (1, backbone.pooled_channels)
    assert features.keypoints.shape == (1, COCO_FEET.size, 3)


@pytest.mark.parametrize("wrapped", [False, True])
def test_published_files_load(narrow, tmp_path, wrapped):
    weights = {
        name: torch.randn_like(value) for name, value in narrow.state_dict().items() if value.is_floating_point()
    }
    content = weights | {"final_layer.weight": torch.zeros(17, 4, 1, 1)}
    if wrapped:  # MMPose's
        content = {"meta": {}, "state_dict": {f"backbone.{name}": value for name, value in weights.items()}}
    torch.save(content, tmp_path / "w.pth")
    network = Hrnet(4)
    load_hrnet(network, tmp_path / "w.pth")
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in weights.items())


def test_other_files_are_named(narrow, tmp_path):
    with pytest.raises(ValueError, match=r"absent\.pth: no such weights; set global_to_pixel\.checkpoint"):
        load_hrnet(narrow, tmp_path / "absent.pth")
    (tmp_path / "w.pth").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"w\.pth: not a file of weights"):
        load_hrnet(narrow, tmp_path / "w.pth")
    weights = narrow.state_dict()
    torch.save({k: v for k, v in weights.items() if not k.startswith("stage4.2.fuse")}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"w\.pth: not the weights of this HRNet: it lacks \d+ tensors"):
        load_hrnet(narrow, tmp_path / "w.pth")
    torch.save(weights | {"conv1.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"conv1\.weight: expected shape \(64, 3, 3, 3\), got \(32, 3, 3, 3\)"):
        load_hrnet(narrow, tmp_path / "w.pth")
