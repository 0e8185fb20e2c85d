# SPDX-License-Identifier: Apache-2.0
"""A network in int8 gives nearly what it gave in fp32, of ONNX's own operators, with a quarter of the weights."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402

from hmr_ros.core.arrays import Float32s  # noqa: E402
from hmr_ros.engines.onnx.check import summarise  # noqa: E402
from hmr_ros.export.int8 import to_int8  # noqa: E402

CHANNELS = 24


@pytest.fixture(scope="module")
def model() -> ModelProto:
    """Two convolutions with a leaky step between them, and a bias that is a node of its own, as NanoDet's are."""
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.1, (CHANNELS, 3, 3, 3)).astype(np.float16)
    second = rng.normal(0, 0.1, (8, CHANNELS, 3, 3)).astype(np.float16)
    bias = rng.normal(0, 1, (1, CHANNELS, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["a16"], ["a"], name="cast_a", to=TensorProto.FLOAT),
        helper.make_node("Cast", ["b16"], ["b"], name="cast_b", to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "a"], ["c"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "bias"], ["d"], name="biased"),
        helper.make_node("LeakyRelu", ["d"], ["e"], name="leaky", alpha=0.1),
        helper.make_node("Conv", ["e", "b"], ["y"], name="second", pads=[1, 1, 1, 1]),
    ]
    weights = [numpy_helper.from_array(v, n) for n, v in (("a16", first), ("b16", second), ("bias", bias))]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("N", 3, "H", "W"))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 8, "H", "W"))
    graph = helper.make_graph(nodes, "small", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _images(seed: int, count: int, size: int = 16) -> list[dict[str, Float32s]]:
    rng = np.random.default_rng(seed)
    return [{"x": rng.normal(size=(1, 3, size, size)).astype(np.float32)} for _ in range(count)]


def _run(model: ModelProto, arrays: dict[str, Float32s]) -> Float32s:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], arrays)[0], np.float32)


def test_outputs_stay_near(model: ModelProto) -> None:
    int8 = to_int8(model, _images(0, 4))
    for arrays in _images(1, 3, size=24):  # of another size than calibration's
        expected = _run(model, arrays)
        off = np.abs(_run(int8, arrays) - expected).mean() / np.ptp(expected)
        assert 0 < off < 0.02


def test_it_keeps_the_rules_of_networks_and_holds_weights_of_a_byte(model: ModelProto) -> None:
    int8 = to_int8(model, _images(0, 2))
    summary = summarise(int8.SerializeToString())  # raises for operators that are not ONNX's own
    assert ([t.name for t in summary.inputs], [t.name for t in summary.outputs]) == (["x"], ["y"])
    sizes = {tensor.data_type: np.prod(tensor.dims) for tensor in int8.graph.initializer if len(tensor.dims) == 4}
    assert set(sizes) == {TensorProto.INT8}
    assert "Add" not in {node.op_type for node in int8.graph.node}  # the bias is part of the convolution
    assert not int8.metadata_props


def test_calibration_needs_inputs_of_one_shape(model: ModelProto) -> None:
    for inputs in ([], [*_images(0, 1), *_images(0, 1, size=24)]):
        with pytest.raises(ValueError, match="calibration: expected one or more inputs, all of the same shapes"):
            to_int8(model, inputs)
