# SPDX-License-Identifier: Apache-2.0
"""Weights in fp16 become fp32 once, when a network is loaded: a cast in every run would cost more than they save."""

import pytest

from hmr_ros.core.manifest import load_manifest, models_dir

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FLOAT16 = 10
SMALL = ("fusion", "hand_landmarks_lite", "nanodet")
LARGE = (
    "blazepose_landmarks",
    "movenet_multipose",
    "movenet_thunder",
    "pose2mesh",
    "global_to_pixel",
    "hand_landmarks",
)


def optimised(path, directory):
    """The graph that ONNX Runtime runs on the CPU for the network at ``path``."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(directory / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath).graph


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_no_weight_is_cast_in_a_run(name, tmp_path):
    path = models_dir() / load_manifest(models_dir() / f"{name}.json").file
    graph = optimised(path, tmp_path)
    weights = {weight.name for weight in graph.initializer}
    assert weights
    assert [node.name for node in graph.node if node.op_type == "Cast" and node.input[0] in weights] == []
    assert not [weight.name for weight in graph.initializer if weight.data_type == FLOAT16]
