# SPDX-License-Identifier: Apache-2.0
"""A run of Global-to-Pixel starts from the local stage of a checkpoint or of an exported network."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.networks.global_to_pixel import GlobalToPixelConfig
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.local_stage_weights import load_local_stage, network_weights
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe
from test.networks.global_to_pixel.test_network import SMALL, build
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
SHIPPED = models_dir() / "global_to_pixel.onnx"


def exported(path: Path) -> Path:
    """A product whose weights have lost their name, and a bias; the product's are fp16."""
    weights = {"val_7.stored": np.float16([[1, 2], [3, 4]]), "pixel_stage.pixel_token.bias.half": np.float16([5, 6])}
    nodes = [
        helper.make_node("Cast", ["val_7.stored"], ["val_7"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["pixel_stage.pixel_token.bias.half"], ["bias"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "val_7"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "graph", values[:1], values[1:], stored)), path)
    return path


def test_products_of_an_exported_network_get_the_names_of_their_biases(tmp_path: Path):
    weights = network_weights(exported(tmp_path / "a.onnx"))
    assert weights["pixel_stage.pixel_token.bias"].tolist() == [5, 6]
    assert weights["pixel_stage.pixel_token.weight"].tolist() == [[1, 3], [2, 4]]
    assert weights["pixel_stage.pixel_token.weight"].dtype == torch.float32


def test_a_new_run_has_the_shipped_local_stage_and_no_opinion_on_images():
    settings = {
        "recipe": "global_to_pixel",
        "global_to_pixel.backbone": "movenet_thunder",
        "run.local_stage": str(SHIPPED),
    }
    recipe = GlobalToPixelRecipe(updated(TrainConfig(), settings), small_motion(), BODY, None)
    found, stored = recipe.modules["network"].state_dict(), network_weights(SHIPPED)
    for name in ("lifting.network.first.weight", "mean.rot6d", "pixel_stage.heads.pose.0.weight"):
        assert torch.equal(found[name], stored[name])
    assert torch.equal(
        found["pixel_stage.encoder.layers.2.feedforward.3.weight"],
        stored["pixel_stage.encoder.layers.2.feedforward.3.weight"],
    )
    assert not found["pixel_stage.encoder.layers.0.reading.output.weight"].any()


def test_another_size_and_no_local_stage_are_named():
    with pytest.raises(ValueError, match=r"global_to_pixel\.onnx.*not of the configured size"):
        load_local_stage(build(BODY, SMALL), SHIPPED)
    with pytest.raises(ValueError, match=r"pose2mesh\.onnx.*or there is none"):
        load_local_stage(build(BODY, GlobalToPixelConfig()), models_dir() / "pose2mesh.onnx")


def test_a_file_that_is_neither_is_named(tmp_path: Path):
    (tmp_path / "broken.onnx").write_bytes(b"neither")
    with pytest.raises(ValueError, match=r"broken\.onnx: not an ONNX file"):
        network_weights(tmp_path / "broken.onnx")
