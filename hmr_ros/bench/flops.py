# SPDX-License-Identifier: Apache-2.0
"""Minimum arithmetic and memory traffic of a network, from its ONNX file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Cost:
    """The cost of one inference: ``flop`` of products and convolutions (2 per multiply-add), ``weight_bytes`` read."""

    flop: int
    weight_bytes: int


def cost(model: ModelProto, sizes: Mapping[str, int]) -> Cost:
    """The cost of ``model`` with the named ``sizes``, such as {"N": 4}. ValueError if a shape remains unknown."""
    from hmr_ros.export.fp16 import fold_stored_weights

    folded = fold_stored_weights(model)  # weights that are cast on loading count with the size after the cast
    weights = sum(len(tensor.raw_data) for tensor in folded.graph.initializer)
    shapes = _shapes(folded, sizes)
    return Cost(sum(2 * _multiply_adds(node, shapes) for node in folded.graph.node), weights)


def _shapes(model: ModelProto, sizes: Mapping[str, int]) -> Shapes:
    """The shape of every value."""
    import onnx

    graph = model.graph
    for value in graph.input:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_value = sizes[size.dim_param]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {v.name: tuple(size.dim_value for size in v.type.tensor_type.shape.dim) for v in values}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _multiply_adds(node: NodeProto, shapes: Shapes) -> int:
    """Multiply-adds of a matrix product or convolution; 0 for other nodes."""
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return 0
    out, inner = shapes[node.output[0]], shapes[node.input[1]]
    if node.op_type == "Conv":
        summed = math.prod(inner[1:])  # (out, in / groups, height, width)
    elif node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
        summed = inner[1]
    else:
        summed = inner[-2]
    if not (math.prod(out) and summed):
        raise ValueError(f"node {node.name!r}: sizes {out} and {inner} are not known; name them all")
    return math.prod(out) * summed
