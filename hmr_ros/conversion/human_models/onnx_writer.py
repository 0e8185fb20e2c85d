# SPDX-License-Identifier: Apache-2.0
"""Write the convolutional part of a TensorFlow.js graph as ONNX, one small function per operator.

Input is uint8 RGB (N, H, W, 3), which the network scales itself; inside, channels come first; the chosen heads come out
as (N, h, w, C). What follows the heads (top-k, gathers) is left to numpy, which has no limit of six people and needs no
fixed size. Weights stay fp16 as in the source; the runtime casts them to fp32 once, when it loads the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from hmr_ros.conversion.human_models.sources import Source
from hmr_ros.conversion.human_models.tfjs_reader import Graph, Node
from hmr_ros.conversion.onnx_graph import TO_NHWC, Attribute, OnnxGraph
from hmr_ros.core.manifest import TensorSpec


@dataclass
class Writer:
    """The ONNX graph under construction. ``names``: source's node -> value; ``strides``: px of the image per cell."""

    graph: Graph
    source: Source
    written: OnnxGraph = field(default_factory=OnnxGraph)
    names: dict[str, str] = field(default_factory=dict)
    strides: dict[str, float] = field(default_factory=dict)
    pads: dict[str, int] = field(default_factory=dict)

    def node(self, kind: str, inputs: Sequence[str], output: str, stride: float = 1, **attributes: Attribute) -> str:
        """Append one ONNX node, whose output has cells of ``stride`` px; returns the name of its output."""
        self.strides[output] = stride
        return self.written.node(kind, inputs, output, **attributes)

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Store an array; returns its name."""
        return self.written.constant(name, values)

    def value(self, name: str) -> str:
        """The ONNX value of the source's node ``name``, written before if need be."""
        if name not in self.names:
            node = self.graph.nodes[name]
            if node.kind not in _CONVERTERS:
                raise ValueError(f"{name}: operator {node.kind} is not supported; supported: {sorted(_CONVERTERS)}")
            self.names[name] = _CONVERTERS[node.kind](self, node)
        return self.names[name]

    def operand(self, name: str) -> str:
        """The value of an input that may be a constant: channels then lie in the second dimension."""
        if name in self.names or name not in self.graph.constants:
            return self.value(name)
        values = self.graph.constants[name].reshape(-1, 1, 1)
        self.names[name] = self.constant(name, values)
        return self.names[name]


def graph_to_onnx(graph: Graph, source: Source, outputs: Sequence[TensorSpec]) -> onnx.ModelProto:
    """Translate what ``outputs`` need of ``graph``. Raises ValueError naming an operator that cannot be translated."""
    writer = Writer(graph, source)
    _write_input(writer)
    for spec in outputs:
        if spec.name in source.heads:
            writer.node("Transpose", [writer.value(source.heads[spec.name][0])], spec.name, perm=TO_NHWC)
        else:
            writer.node("Identity", [writer.value(source.features[spec.name][0])], spec.name)
    return writer.written.model(source.name, source.image, outputs)


def _write_input(writer: Writer) -> None:
    source = writer.source
    value = writer.written.planes(source.image.name)
    if source.channels != (0, 1, 2):
        order = writer.constant("order", np.array(source.channels, np.int64))
        value = writer.node("Gather", [value, order], "ordered", axis=1)
    scale = writer.constant("scale", source.scale.reshape(-1, 1, 1).astype(np.float32))
    offset = writer.constant("offset", source.offset.reshape(-1, 1, 1).astype(np.float32))
    value = writer.node("Mul", [value, scale], "scaled")
    writer.names[source.first] = writer.node("Add", [value, offset], "shifted")


def _activate(writer: Writer, kind: str, source: str, output: str) -> str:
    stride = writer.strides[source]
    if kind == "Relu":
        return writer.node("Relu", [source], output, stride)
    if kind == "Relu6":
        bounds = [writer.constant(f"{output}_{x:g}", np.array(x, np.float32)) for x in (0, 6)]
        return writer.node("Clip", [source, *bounds], output, stride)
    raise ValueError(f"{output}: activation {kind} is not supported")


def _convolution(writer: Writer, node: Node) -> str:
    kernel = writer.graph.constants[node.inputs[1]]
    return _convolve(writer, node, kernel.transpose(3, 2, 0, 1), groups=1)


def _depthwise_convolution(writer: Writer, node: Node) -> str:
    height, width, channels, multiplier = writer.graph.constants[node.inputs[1]].shape
    kernel = writer.graph.constants[node.inputs[1]].transpose(2, 3, 0, 1)
    return _convolve(writer, node, kernel.reshape(channels * multiplier, 1, height, width), groups=channels)


def _convolve(writer: Writer, node: Node, kernel: NDArray[np.generic], groups: int) -> str:
    fused = node.attributes.get("fused_ops") or ()
    kinds = [kind for kind in fused if isinstance(kind, str)] if isinstance(fused, tuple) else []
    source = writer.value(node.inputs[0])
    inputs = [source, writer.constant(f"{node.name}_kernel", kernel)]
    if "BiasAdd" in kinds:
        inputs.append(writer.constant(f"{node.name}_bias", writer.graph.constants[node.inputs[2]]))
    activations = [kind for kind in kinds if kind != "BiasAdd"]
    strides = node.sizes("strides")
    linear = writer.node(
        "Conv",
        inputs,
        f"{node.name}_linear" if activations else node.name,
        writer.strides[source] * strides[0],
        kernel_shape=kernel.shape[2:],
        strides=strides,
        dilations=node.sizes("dilations"),
        group=groups,
        **_padding(writer, node, source),
    )
    return _activate(writer, activations[0], linear, node.name) if activations else linear


def _padding(writer: Writer, node: Node, source: str) -> dict[str, Attribute]:
    """The padding of a convolution or pooling of ``source``: TensorFlow's own, or that of the Pad before it."""
    if node.attributes["padding"] == "SAME":
        return {"auto_pad": "SAME_UPPER"}
    return {"pads": [writer.pads.get(source, 0)] * 4}


def _max_pool(writer: Writer, node: Node) -> str:
    source, strides = writer.value(node.inputs[0]), node.sizes("strides")
    padding = _padding(writer, node, source)
    window, stride = node.sizes("ksize"), writer.strides[source] * strides[0]
    return writer.node("MaxPool", [source], node.name, stride, kernel_shape=window, strides=strides, **padding)


def _pad(writer: Writer, node: Node) -> str:
    """Nothing is written: the convolution or pooling that reads the padded value pads it itself."""
    amounts = writer.graph.constants[node.inputs[1]]
    if amounts[:2].any() or (amounts[2:] != amounts[2, 0]).any():
        raise ValueError(f"{node.name}: expected one padding of all edges (NCHW), got {amounts.tolist()}")
    source = writer.value(node.inputs[0])
    padded = writer.node("Identity", [source], node.name, writer.strides[source])
    writer.pads[padded] = int(amounts[2, 0])
    return padded


def _arithmetic(writer: Writer, node: Node) -> str:
    kind = {"AddV2": "Add"}.get(node.kind, node.kind)
    values = [writer.operand(name) for name in node.inputs]
    stride = max(writer.strides.get(value, 1) for value in values)
    return writer.node(kind, values, node.name, stride)


def _activation(writer: Writer, node: Node) -> str:
    return _activate(writer, node.kind, writer.value(node.inputs[0]), node.name)


def _leaky(writer: Writer, node: Node) -> str:
    source = writer.value(node.inputs[0])
    alpha = float(str(node.attributes["alpha"]))
    return writer.node("LeakyRelu", [source], node.name, writer.strides[source], alpha=alpha)


def _sigmoid(writer: Writer, node: Node) -> str:
    source = writer.value(node.inputs[0])
    return writer.node("Sigmoid", [source], node.name, writer.strides[source])


def _concatenation(writer: Writer, node: Node) -> str:
    values = [writer.value(name) for name in node.inputs[:-1]]
    return writer.node("Concat", values, node.name, writer.strides[values[0]], axis=1)


def _resize_bilinear(writer: Writer, node: Node) -> str:
    """By the ratio of the source's sizes where they are constant; otherwise, as in MoveNet's pyramid, by 2."""
    source = writer.value(node.inputs[0])
    before = writer.strides[source]
    target = writer.graph.constants.get(node.inputs[1])
    after = before / 2 if target is None else writer.source.source_size / float(target[0])
    factors = writer.constant(f"{node.name}_scales", np.array([1, 1, before / after, before / after], np.float32))
    mode = "half_pixel" if node.attributes.get("half_pixel_centers") else "asymmetric"
    if node.attributes.get("align_corners"):
        mode = "align_corners"
    options = {"mode": "linear", "coordinate_transformation_mode": mode}
    return writer.node("Resize", [source, "", factors], node.name, after, **options)


def _same(writer: Writer, node: Node) -> str:
    """Identities, and transpositions between the layouts of a network that was converted before: all is NCHW here."""
    return writer.value(node.inputs[0])


_CONVERTERS: dict[str, Callable[[Writer, Node], str]] = {
    "_FusedConv2D": _convolution,
    "Conv2D": _convolution,
    "FusedDepthwiseConv2dNative": _depthwise_convolution,
    "DepthwiseConv2dNative": _depthwise_convolution,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "PadV2": _pad,
    "Add": _arithmetic,
    "AddV2": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Relu": _activation,
    "Relu6": _activation,
    "LeakyRelu": _leaky,
    "Sigmoid": _sigmoid,
    "ConcatV2": _concatenation,
    "ResizeBilinear": _resize_bilinear,
    "Identity": _same,
    "Transpose": _same,
}
