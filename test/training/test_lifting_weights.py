# SPDX-License-Identifier: Apache-2.0
"""A run starts from the lifting network of a checkpoint or of an exported file."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.compact_pose2mesh import CompactConfig, LiftingNet
from hmr_ros.training.lifting_weights import load_lifting


def exported(path: Path, weights: dict[str, np.ndarray]) -> Path:
    """An ONNX file that holds ``weights`` and computes nothing of use."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", [value], [value], stored)
    onnx.save(helper.make_model(graph), path)
    return path


def test_an_exported_network_is_read_whether_its_weights_are_fp16_or_not(tmp_path: Path):
    weight, bias = np.float16([[0.5, -0.25]]), np.float32([0.1])
    others = {"mesh.seed.bias": np.zeros(3, np.float32)}
    path = exported(tmp_path / "a.onnx", {"lifting.weight.half": weight, "lifting.bias": bias} | others)
    layer = nn.Linear(2, 1)
    load_lifting(layer, path)
    assert layer.weight.tolist() == [[0.5, -0.25]]
    assert layer.weight.dtype == torch.float32
    assert layer.bias.item() == pytest.approx(0.1)


def test_the_shipped_network_is_read():
    lifting = LiftingNet(CompactConfig())
    load_lifting(lifting, models_dir() / "pose2mesh.onnx")
    assert not torch.equal(
        lifting.state_dict()["first.weight"], LiftingNet(CompactConfig()).state_dict()["first.weight"]
    )


@pytest.mark.parametrize(
    "weights", [{}, {"lifting.weight": np.zeros((1, 3), np.float32), "lifting.bias": np.zeros(1, np.float32)}]
)
def test_a_network_without_that_lifting_is_named(tmp_path: Path, weights: dict[str, np.ndarray]):
    path = exported(tmp_path / "other.onnx", weights)
    with pytest.raises(ValueError, match=r"other\.onnx.*not of the configured size"):
        load_lifting(nn.Linear(2, 1), path)


@pytest.mark.parametrize("name", ["broken.onnx", "broken.pt"])
def test_a_file_that_is_neither_is_named(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"neither")
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        load_lifting(nn.Linear(2, 1), tmp_path / name)
