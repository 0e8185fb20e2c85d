# SPDX-License-Identifier: Apache-2.0
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.global_to_pixel.movenet_trunk import CHANNELS, POINTS, PYRAMID, Halving, MoveNetTrunk
from hmr_ros.training.movenet_weights import average_with_movenet, load_movenet

FILE = models_dir() / "movenet_thunder.onnx"
EXTRACTOR = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
INSIDE = [
    EXTRACTOR + name
    for name in (
        *("model/block_2_add/add", "model/block_5_add/add", "model/block_12_add/add"),
        *("model/block_16_project_BN/FusedBatchNormV3", "re_lu_2/Relu"),
    )
]
HEADS = ["centre", "heatmaps", "regression", "offsets"]


@pytest.fixture(scope="module")
def trunk() -> MoveNetTrunk:
    trunk = MoveNetTrunk().eval()
    load_movenet(trunk)
    return trunk


@torch.no_grad()
def test_maps_and_heads_are_those_of_the_shipped_network(trunk):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = onnx.load(FILE)
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in INSIDE)
    for axis in (1, 2):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 192, 3), dtype=np.uint8)

    levels, pyramid, heads = trunk(torch.from_numpy(image).permute(0, 3, 1, 2) / 127.5 - 1)
    actual = [*levels, pyramid, *(head.permute(0, 2, 3, 1) for head in heads)]
    for ours, expected in zip(actual, session.run([*INSIDE, *HEADS], {"image": image}), strict=True):
        assert np.ptp(expected) > 1
        np.testing.assert_allclose(ours, expected, atol=1e-3 * np.ptp(expected))


@torch.no_grad()
def test_shapes(trunk):
    levels, pyramid, heads = trunk(torch.rand(1, 3, 64, 96))
    shapes = [(1, c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)]
    assert [tuple(x.shape) for x in levels] == shapes
    assert pyramid.shape == (1, PYRAMID, 16, 24)
    assert [x.shape[1] for x in heads] == [1, POINTS, 2 * POINTS, 2 * POINTS]


@pytest.mark.parametrize(
    ("stride", "count"), [(0, 6_226_046), (4, 6_184_238), (8, 6_075_734), (16, 4_645_774), (32, 833_462)]
)
def test_layers_above_a_stride_do_not_change_its_map(trunk, stride, count):
    layers = trunk.above(stride)
    assert sum(p.numel() for p in layers.parameters()) == count
    trunk.requires_grad_(False)
    layers.requires_grad_(True)
    levels = trunk(torch.rand(1, 3, 64, 64)).levels
    assert [level.requires_grad for level in levels] == [s > stride for s in (4, 8, 16, 32)]


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_the_mean_with_movenet_lies_between_the_weights_of_both(trunk, fraction):
    trained = MoveNetTrunk()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in trained.parameters():
            weight.copy_(torch.randn_like(weight))
    before = [weight.detach().clone() for weight in trained.parameters()]
    average_with_movenet(trained, fraction)
    for weight, old, movenet in zip(trained.parameters(), before, trunk.parameters(), strict=True):
        torch.testing.assert_close(weight, (1 - fraction) * old + fraction * movenet)


def test_another_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"blazepose_landmarks.onnx: expected 74 convolutions of MoveNet Thunder"):
        load_movenet(MoveNetTrunk(), models_dir() / "blazepose_landmarks.onnx")
    model = onnx.load(FILE)
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    del first.input[2]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match=r"other.onnx, convolution 0: expected a bias"):
        load_movenet(MoveNetTrunk(), tmp_path / "other.onnx")


def test_halved_maps_are_the_same_with_and_without_gradients():
    """Where gradients are needed, each place is computed, as that is faster."""
    torch.manual_seed(0)
    halving, x = Halving(6, 6, groups=6), torch.randn(2, 6, 16, 12)
    with torch.no_grad():
        expected = halving(x)
    found = halving(x)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    slow = torch.nn.functional.conv2d(
        torch.nn.functional.pad(x, (0, 1, 0, 1)), halving.weight, halving.bias, 2, groups=6
    )
    (expected,) = torch.autograd.grad(slow.square().sum(), halving.weight)
    torch.testing.assert_close(halving.weight.grad, expected)
