# SPDX-License-Identifier: Apache-2.0
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.global_to_pixel.blazepose_trunk import PER_POINT, POINTS, PYRAMID, TAIL, BlazePoseTrunk
from hmr_ros.training.blazepose_weights import load_blazepose

FILE = models_dir() / "blazepose_landmarks.onnx"


@pytest.fixture(scope="module")
def trunk() -> BlazePoseTrunk:
    trunk = BlazePoseTrunk().eval()
    load_blazepose(trunk)
    return trunk


@torch.no_grad()
def test_maps_are_those_of_the_shipped_network(trunk):
    """Its tensors t279 (stride 4; heatmaps are read from it) to t273 (stride 32), t335 (stride 128), and landmarks."""
    onnxruntime = pytest.importorskip("onnxruntime")
    names = ["t279", "t277", "t275", "t273", "t335"]
    model = onnx.load(FILE)
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    names.append("landmarks")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)

    levels, tail, landmarks = trunk(torch.from_numpy(image).permute(0, 3, 1, 2) / 255)
    for actual, expected in zip((*levels, tail, landmarks), session.run(names, {"image": image}), strict=True):
        assert expected.max() > 1
        np.testing.assert_allclose(actual, expected, atol=5e-4 if expected.ndim == 4 else 5e-2)


@torch.no_grad()
def test_strides(trunk):
    levels, tail, landmarks = trunk(torch.rand(1, 3, 256, 256))
    assert [tuple(x.shape) for x in levels] == [(1, PYRAMID, 256 // s, 256 // s) for s in (4, 8, 16, 32)]
    assert tail.shape == (1, TAIL, 2, 2)
    assert landmarks.shape == (1, POINTS, PER_POINT)


def test_another_network_is_refused(tmp_path):
    path = tmp_path / "other.onnx"
    model = onnx.load(FILE)
    kept = [i for i in model.graph.initializer if i.name != "t315_kernel_half"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, path)
    with pytest.raises(ValueError, match=r"other.onnx: expected .* convolutions of BlazePose"):
        load_blazepose(BlazePoseTrunk(), path)
