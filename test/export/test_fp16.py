# SPDX-License-Identifier: Apache-2.0
"""Networks in half: which nodes, what types, and how a GPU would round."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from hmr_ros.export.fp16 import emulated, exact_nodes, fold_stored_weights, to_fp16
from hmr_ros.export.onnx_graph import with_fp16_weights

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def node(op: str, inputs: str, output: str, **attributes: object) -> NodeProto:
    return helper.make_node(op, inputs.split(","), [output], name=output, **attributes)


def network(*nodes: NodeProto, **weights: np.ndarray) -> ModelProto:
    """x (N, 4) -> y, the output of the last of ``nodes``."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 4])],
        [helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def layers() -> ModelProto:
    """Two products, a softmax between them and a tail."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))
    return network(
        node("MatMul", "x,a", "first"),
        node("Softmax", "first", "soft"),
        node("Add", "soft,first", "sum"),
        node("MatMul", "sum,b", "second"),
        node("Add", "second,shift", "y"),
        a=a,
        b=b,
        shift=np.full(4, 100, np.float32),
    )


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def types(model: ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    return {v.name: v.type.tensor_type.elem_type for v in (*graph.value_info, *graph.output)}


def test_products_are_fp16_exact_nodes_and_tail_are_not() -> None:
    found = types(to_fp16(layers()))
    assert {found[name] for name in ("first", "sum", "second")} == {HALF}
    assert {found[name] for name in ("soft", "y")} == {FLOAT}


def test_the_tail_is_what_no_product_follows() -> None:
    assert exact_nodes(layers()) == {"soft", "y"}


def test_a_chain_from_an_exact_node_is_exact_up_to_the_product() -> None:
    model = network(
        node("MatMul", "x,a", "first"),
        node("Softmax", "first", "soft"),
        node("Mul", "soft,a", "scaled"),
        node("Add", "scaled,first", "mixed"),
        node("MatMul", "mixed,a", "y"),
        a=np.eye(4, dtype=np.float32),
    )
    assert exact_nodes(model) == {"soft", "scaled"}


@pytest.mark.parametrize(("bound", "expected"), [(1e-6, {"held"}), (1e6, {"held"}), (0.5, set()), (0.0, set())])
def test_a_constant_outside_fp16_makes_its_node_exact(bound: float, expected: set[str]) -> None:
    model = network(
        node("MatMul", "x,a", "first"),
        node("Max", "first,bound", "held"),
        node("MatMul", "held,a", "y"),
        a=np.eye(4, dtype=np.float32),
        bound=np.array(bound, np.float32),
    )
    assert exact_nodes(model) == expected
    to_fp16(model)


def test_what_is_done_to_inputs_is_exact() -> None:
    model = network(node("Add", "x,a", "moved"), node("MatMul", "moved,a", "y"), a=np.eye(4, dtype=np.float32))
    assert exact_nodes(model) == {"moved"}


def test_inputs_and_outputs_stay() -> None:
    model, half = layers(), to_fp16(layers())
    assert half.graph.input == model.graph.input
    assert [(o.name, o.type.tensor_type.elem_type) for o in half.graph.output] == [("y", FLOAT)]


def test_an_output_that_a_product_gives_is_cast() -> None:
    half = to_fp16(network(node("MatMul", "x,a", "y"), a=np.eye(4, dtype=np.float32)))
    assert types(half)["y"] == FLOAT
    np.testing.assert_array_equal(run(half, np.ones((1, 4), np.float32)), np.ones((1, 4)))


def test_an_output_that_is_used_inside_too_is_cast_for_the_outside() -> None:
    model = network(node("MatMul", "x,a", "y"), node("MatMul", "y,a", "z"), a=np.eye(4, dtype=np.float32))
    model.graph.output.append(helper.make_tensor_value_info("y", FLOAT, ["N", 4]))
    half = to_fp16(model)
    assert types(half)["y"] == FLOAT
    np.testing.assert_array_equal(run(emulated(half), np.ones((1, 4), np.float32)), np.ones((1, 4)))


def test_nodes_may_be_kept() -> None:
    found = types(to_fp16(layers(), keep=("first",)))
    assert found["first"] == FLOAT
    assert found["second"] == HALF


def test_a_node_to_keep_must_exist() -> None:
    with pytest.raises(ValueError, match="no node is named third"):
        to_fp16(layers(), keep=("third",))


def test_emulation_rounds_like_numpy() -> None:
    """Every fp16 value is the nearest to the exact result of its rounded inputs."""
    model = network(node("MatMul", "x,a", "y"), a=np.array([[1 / 3] * 4] * 4, np.float32))
    x = np.array([[0.1, 0.2, 0.3, 0.7]], np.float32)
    third = np.float32(np.float16(1 / 3))
    exact = np.float32(x.astype(np.float16)).sum() * third
    np.testing.assert_array_equal(run(emulated(to_fp16(model)), x), np.full((1, 4), np.float32(np.float16(exact))))


def test_emulation_differs_from_fp32_as_fp16_does() -> None:
    x = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    gap = np.abs(run(emulated(to_fp16(layers())), x) - run(layers(), x)).max()
    assert 1e-4 < gap < 2e-2


def test_stored_fp16_weights_are_used_unchanged() -> None:
    model = layers()
    stored = with_fp16_weights(network(node("MatMul", "x,a", "y"), a=np.ones((4, 100), np.float32)))
    assert "Cast" in {n.op_type for n in stored.graph.node}
    assert "Cast" not in {n.op_type for n in fold_stored_weights(stored).graph.node}
    assert [t.data_type for t in to_fp16(stored).graph.initializer] == [HALF]
    assert fold_stored_weights(model).graph.node == model.graph.node


def test_bytes_become_fp16() -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["pixels"], name="c", to=FLOAT), node("MatMul", "pixels,a", "y")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", 4])],
        [helper.make_tensor_value_info("y", FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.eye(4, dtype=np.float32), "a")],
    )
    half = to_fp16(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))
    assert types(half)["pixels"] == HALF
    x = np.array([[0, 1, 128, 255]], np.uint8)
    np.testing.assert_array_equal(run(emulated(half), x), x)


def test_scales_of_resize_stay() -> None:
    model = network(
        node("MatMul", "x,a", "first"),
        node("Unsqueeze", "first,axes", "image"),
        node("Resize", "image,,scales", "larger", mode="nearest"),
        node("MatMul", "larger,b", "y"),
        a=np.eye(4, dtype=np.float32),
        b=np.eye(8, dtype=np.float32),
        axes=np.array([1]),
        scales=np.array([1, 1, 2], np.float32),
    )
    half = to_fp16(model)
    assert types(half)["larger"] == HALF
    (scales,) = (t for t in half.graph.initializer if t.name == "scales")
    assert scales.data_type == FLOAT


def test_constants_are_converted() -> None:
    value = numpy_helper.from_array(np.full(4, 2, np.float32))
    model = network(
        helper.make_node("Constant", [], ["two"], name="two", value=value),
        node("MatMul", "x,a", "first"),
        node("Mul", "first,two", "double"),
        node("MatMul", "double,a", "y"),
        a=np.eye(4, dtype=np.float32),
    )
    half = to_fp16(model)
    assert types(half)["double"] == HALF
    np.testing.assert_array_equal(run(half, np.ones((1, 4), np.float32)), np.full((1, 4), 2))


def test_a_weight_outside_fp16_is_refused() -> None:
    model = network(node("MatMul", "x,a", "y"), a=np.full((4, 100), 1e6, np.float32))
    with pytest.raises(ValueError, match=r"weight 'a' reaches .*too large for fp16"):
        to_fp16(model)


def test_a_graph_within_the_graph_is_refused() -> None:
    branch = helper.make_graph(
        [node("Identity", "x", "same")], "branch", [], [helper.make_tensor_value_info("same", FLOAT, None)]
    )
    model = network(node("If", "yes", "y", then_branch=branch, else_branch=branch), yes=np.array(True))
    with pytest.raises(ValueError, match="graph of its own"):
        to_fp16(model)
