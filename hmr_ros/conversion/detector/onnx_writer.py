# SPDX-License-Identifier: Apache-2.0
"""Write a network read from a .tflite file as ONNX, one small function per operator.

The ONNX network differs from its source in four ways. Its input is uint8 (N, H, W, 3) RGB, which it scales itself.
Inside, channels come first, as ONNX Runtime's convolutions require. The batch is dynamic. Unused outputs are left out,
with all nodes that only they depend on. Weights stay fp16 as in the source; the runtime casts them to fp32 once, when
it loads the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from hmr_ros.conversion.detector.tflite_reader import Network, Operator
from hmr_ros.conversion.onnx_graph import FROM_NHWC, TO_NHWC, Attribute, OnnxGraph
from hmr_ros.core.manifest import TensorSpec


@dataclass(frozen=True)
class Interface:
    """Input and outputs of the ONNX network.

    ``image``: the input, uint8 RGB (N, H, W, 3), whose pixels become ``pixel * scale + offset``.
    ``outputs``: the source's name of each output to keep -> its new name and the shape it is reshaped to.
    """

    image: TensorSpec
    scale: float
    offset: float
    outputs: Mapping[str, TensorSpec]


@dataclass
class Writer:
    """The ONNX graph under construction. Tensor i of ``network`` is called ``t{i}``; four-dimensional ones are NCHW."""

    network: Network
    graph: OnnxGraph = field(default_factory=OnnxGraph)

    def is_image(self, tensor: int) -> bool:
        """Whether the tensor has four dimensions, and so is NCHW here."""
        return len(self.network.shapes[tensor]) == 4

    def activate(self, kind: str, source: str, output: str) -> None:
        """Append the activation function that TensorFlow Lite fuses into its operators."""
        if kind == "relu":
            self.graph.node("Relu", [source], output)
        elif kind == "relu6":
            self.graph.node("Clip", [source, "zero", "six"], output)
        else:
            raise ValueError(f"activation {kind!r} is not supported")

    def finish(self, operator: Operator, kind: str, inputs: Sequence[str], **attributes: Attribute) -> None:
        """Append the node that computes ``operator``, then its activation."""
        output = f"t{operator.output}"
        if operator.options.activation == "none":
            self.graph.node(kind, inputs, output, **attributes)
        else:
            linear = self.graph.node(kind, inputs, f"{output}_linear", **attributes)
            self.activate(operator.options.activation, linear, output)


def network_to_onnx(network: Network, interface: Interface, name: str) -> onnx.ModelProto:
    """Translate ``network``. Raises ValueError naming an operator or output that cannot be translated."""
    writer = Writer(network)
    if any(operator.options.activation == "relu6" for operator in network.operators):
        writer.graph.constant("zero", np.array(0, np.float32))
        writer.graph.constant("six", np.array(6, np.float32))
    _write_input(writer, interface)
    kept = _kept_outputs(network, interface)
    for operator in _needed(network, kept):
        if operator.kind not in _CONVERTERS:
            raise ValueError(f"operator {operator.kind} is not supported; supported: {sorted(_CONVERTERS)}")
        _CONVERTERS[operator.kind](writer, operator)
    for tensor, spec in kept.items():
        _write_output(writer, tensor, spec)
    return writer.graph.model(name, interface.image, tuple(interface.outputs.values()))


def _write_input(writer: Writer, interface: Interface) -> None:
    planes = writer.graph.planes(interface.image.name)
    scale = writer.graph.constant("scale", np.array(interface.scale, np.float32))
    offset = writer.graph.constant("offset", np.array(interface.offset, np.float32))
    writer.graph.node("Mul", [planes, scale], "scaled")
    writer.graph.node("Add", ["scaled", offset], f"t{writer.network.input}")


def _kept_outputs(network: Network, interface: Interface) -> dict[int, TensorSpec]:
    by_name = {network.names[tensor]: tensor for tensor in network.outputs}
    if missing := interface.outputs.keys() - by_name.keys():
        raise ValueError(f"expected outputs {sorted(missing)}, the network has {sorted(by_name)}")
    return {by_name[name]: spec for name, spec in interface.outputs.items()}


def _needed(network: Network, outputs: Mapping[int, TensorSpec]) -> list[Operator]:
    """The operators that ``outputs`` depend on, in order."""
    wanted, needed = set(outputs), []
    for operator in reversed(network.operators):
        if operator.output in wanted:
            wanted.update(operator.inputs)
            needed.append(operator)
    return needed[::-1]


def _write_output(writer: Writer, tensor: int, spec: TensorSpec) -> None:
    """Rename an output; it is reshaped if ``spec`` has another number of dimensions, an image stays NCHW."""
    if len(writer.network.shapes[tensor]) == len(spec.shape):
        writer.graph.node("Identity", [f"t{tensor}"], spec.name)
    else:
        shape = [0, *(n if isinstance(n, int) else -1 for n in spec.shape[1:])]
        target = writer.graph.constant(f"{spec.name}_shape", np.array(shape, np.int64))
        writer.graph.node("Reshape", [f"t{tensor}", target], spec.name)


def _convolution(writer: Writer, operator: Operator) -> None:
    _convolve(writer, operator, writer.network.constants[operator.inputs[1]].transpose(0, 3, 1, 2), groups=1)


def _depthwise_convolution(writer: Writer, operator: Operator) -> None:
    kernel = writer.network.constants[operator.inputs[1]].transpose(3, 0, 1, 2)
    _convolve(writer, operator, kernel, groups=writer.network.shapes[operator.inputs[0]][3])


def _convolve(writer: Writer, operator: Operator, kernel: NDArray[np.generic], groups: int) -> None:
    inputs = [f"t{operator.inputs[0]}", writer.graph.constant(f"t{operator.output}_kernel", kernel)]
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = writer.network.constants[operator.inputs[2]]
        inputs.append(writer.graph.constant(f"t{operator.output}_bias", bias))
    options = operator.options
    writer.finish(
        operator,
        "Conv",
        inputs,
        kernel_shape=kernel.shape[2:],
        strides=options.strides,
        dilations=options.dilations,
        group=groups,
        auto_pad=_padding(operator),
    )


def _max_pool(writer: Writer, operator: Operator) -> None:
    writer.finish(
        operator,
        "MaxPool",
        [f"t{operator.inputs[0]}"],
        kernel_shape=operator.options.window,
        strides=operator.options.strides,
        auto_pad=_padding(operator),
    )


def _padding(operator: Operator) -> str:
    # ONNX Runtime merges a Pad into the convolution after it only when that one says NOTSET, which means no padding.
    return "SAME_UPPER" if operator.options.same_padding else "NOTSET"


def _add(writer: Writer, operator: Operator) -> None:
    writer.finish(operator, "Add", [f"t{tensor}" for tensor in operator.inputs])


def _pad(writer: Writer, operator: Operator) -> None:
    amounts = writer.network.constants[operator.inputs[1]].astype(np.int64)[list(FROM_NHWC)]
    pads = writer.graph.constant(f"t{operator.output}_pads", amounts.T.ravel())
    writer.finish(operator, "Pad", [f"t{operator.inputs[0]}", pads])


def _reshape(writer: Writer, operator: Operator) -> None:
    """Flatten (N, H, W, C) to (N, -1, ...): the batch is kept, the second size follows from the rest."""
    source, shape = operator.inputs[0], writer.network.shapes[operator.output]
    name = f"t{source}"
    if writer.is_image(source):
        name = writer.graph.node("Transpose", [name], f"t{operator.output}_nhwc", perm=TO_NHWC)
    target = writer.graph.constant(f"t{operator.output}_shape", np.array([0, -1, *shape[2:]], np.int64))
    writer.finish(operator, "Reshape", [name, target])


def _resize_bilinear(writer: Writer, operator: Operator) -> None:
    before = np.array(writer.network.shapes[operator.inputs[0]][1:3])
    after = np.array(writer.network.shapes[operator.output][1:3])
    scales = writer.graph.constant(f"t{operator.output}_scales", np.array([1, 1, *(after / before)], np.float32))
    writer.finish(
        operator,
        "Resize",
        [f"t{operator.inputs[0]}", "", scales],
        mode="linear",
        coordinate_transformation_mode=operator.options.resize_mode,
    )


def _logistic(writer: Writer, operator: Operator) -> None:
    writer.finish(operator, "Sigmoid", [f"t{operator.inputs[0]}"])


def _mean(writer: Writer, operator: Operator) -> None:
    axes = sorted(int(axis) for axis in np.atleast_1d(writer.network.constants[operator.inputs[1]]))
    if axes != [1, 2] or not writer.is_image(operator.inputs[0]):
        raise ValueError(f"MEAN over the axes {axes} is not supported; only height and width, [1, 2], are")
    keep = int(writer.is_image(operator.output))
    writer.graph.node("ReduceMean", [f"t{operator.inputs[0]}"], f"t{operator.output}", axes=[2, 3], keepdims=keep)


def _fully_connected(writer: Writer, operator: Operator) -> None:
    """A matrix product with the flattened input; an image must be one pixel, so that the order of axes is no matter."""
    source, output = operator.inputs[0], f"t{operator.output}"
    shape, name = writer.network.shapes[source], f"t{source}"
    if writer.is_image(source):
        if shape[1:3] != (1, 1):
            raise ValueError(f"FULLY_CONNECTED of an image of {shape[1:3]} px is not supported; only of one pixel")
        target = writer.graph.constant(f"{output}_shape", np.array([0, shape[3]], np.int64))
        name = writer.graph.node("Reshape", [name, target], f"{output}_flat")
    inputs = [name, writer.graph.constant(f"{output}_kernel", writer.network.constants[operator.inputs[1]])]
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        inputs.append(writer.graph.constant(f"{output}_bias", writer.network.constants[operator.inputs[2]]))
    writer.finish(operator, "Gemm", inputs, transB=1)


def _prelu(writer: Writer, operator: Operator) -> None:
    slope = writer.network.constants[operator.inputs[1]].reshape(-1, 1, 1)
    inputs = [f"t{operator.inputs[0]}", writer.graph.constant(f"t{operator.output}_slope", slope)]
    writer.finish(operator, "PRelu", inputs)


def _strided_slice(writer: Writer, operator: Operator) -> None:
    """Every n-th element along each axis. The ends follow from the output's size, as masks may hide those given."""
    begin, _, stride = (writer.network.constants[k].astype(np.int64) for k in operator.inputs[1:4])
    before, after = (np.array(writer.network.shapes[k]) for k in (operator.inputs[0], operator.output))
    if len(before) != len(after) or (stride < 1).any():
        raise ValueError(f"STRIDED_SLICE from {before} to {after} by {stride} is not supported; it keeps all axes")
    order = list(FROM_NHWC) if writer.is_image(operator.inputs[0]) else list(range(len(before)))
    cut = [k for k in order if (begin[k], stride[k], after[k]) != (0, 1, before[k])]
    end = begin + (after - 1) * stride + 1
    values = {"begin": begin[cut], "end": end[cut], "axes": [order.index(k) for k in cut], "steps": stride[cut]}
    names = [
        writer.graph.constant(f"t{operator.output}_{name}", np.array(value, np.int64)) for name, value in values.items()
    ]
    writer.graph.node("Slice", [f"t{operator.inputs[0]}", *names], f"t{operator.output}")


_CONVERTERS: dict[str, Callable[[Writer, Operator], None]] = {
    "ADD": _add,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise_convolution,
    "FULLY_CONNECTED": _fully_connected,
    "LOGISTIC": _logistic,
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize_bilinear,
    "STRIDED_SLICE": _strided_slice,
}
