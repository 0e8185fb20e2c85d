# SPDX-License-Identifier: Apache-2.0
"""Read a .tflite file into plain records: the operators in order, and every constant.

Covers what BlazePose's landmark and the hand networks use; anything else is refused by name. Reference: schema.fbs of
TensorFlow Lite. Tensors are numbered as in the file and channels come last (N, H, W, C), as TensorFlow Lite keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Constant = NDArray[Any]
Table = Any
"""An object of the generated, untyped ``tflite`` package."""

TENSOR_TYPES = {0: "float32", 1: "float16", 2: "int32"}
ACTIVATIONS = {0: "none", 1: "relu", 3: "relu6"}


@dataclass(frozen=True)
class Options:
    """Settings of one operator; each kind reads its own. Pairs are (vertical, horizontal)."""

    activation: str = "none"
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    same_padding: bool = False
    resize_mode: str = "asymmetric"


@dataclass(frozen=True)
class Operator:
    """One step of the network. ``inputs`` and ``output`` are tensor numbers; -1 stands for an absent input."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: Options = Options()


@dataclass(frozen=True, eq=False)
class Network:
    """A whole network: ``shapes`` and ``names`` per tensor, ``constants`` by tensor number."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    constants: Mapping[int, Constant]
    operators: tuple[Operator, ...]
    input: int
    outputs: tuple[int, ...]


def read_tflite(content: bytes) -> Network:
    """Read the first subgraph of a .tflite file. Raises ValueError naming whatever is not supported."""
    import tflite

    model = tflite.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    constants = _read_constants(model, tensors)
    operators = []
    for k in range(graph.OperatorsLength()):
        operator = _read_operator(tflite, model, graph.Operators(k))
        if operator.kind == "DEQUANTIZE":  # fp16 stays fp16
            constants[operator.output] = constants[operator.inputs[0]]
        else:
            operators.append(operator)
    return Network(
        names=tuple(t.Name().decode() for t in tensors),
        shapes=tuple(_shape(t) for t in tensors),
        constants=constants,
        operators=tuple(operators),
        input=graph.Inputs(0),
        outputs=tuple(graph.Outputs(k) for k in range(graph.OutputsLength())),
    )


def _read_constants(model: Table, tensors: Sequence[Table]) -> dict[int, Constant]:
    constants: dict[int, Constant] = {}
    for i, tensor in enumerate(tensors):
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength() == 0:
            continue
        if tensor.Type() not in TENSOR_TYPES:
            raise ValueError(f"tensor {tensor.Name().decode()!r}: type {tensor.Type()} is not supported")
        if tensor.Sparsity() is not None:
            raise ValueError(f"tensor {tensor.Name().decode()!r}: sparse weights are not supported")
        values = np.frombuffer(buffer.DataAsNumpy().tobytes(), TENSOR_TYPES[tensor.Type()])
        constants[i] = values.reshape(_shape(tensor))
    return constants


def _read_operator(tflite: Table, model: Table, operator: Table) -> Operator:
    number = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
    kind = next((k for k, v in vars(tflite.BuiltinOperator).items() if v == number), str(number))
    inputs = tuple(operator.Inputs(k) for k in range(operator.InputsLength()))
    if kind not in _OPTION_READERS:
        return Operator(kind, inputs, operator.Outputs(0))
    class_name, read = _OPTION_READERS[kind]
    table = getattr(tflite, class_name)()
    table.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    return Operator(kind, inputs, operator.Outputs(0), read(table))


def _convolution(table: Table) -> Options:
    return Options(
        activation=_activation(table),
        strides=(table.StrideH(), table.StrideW()),
        dilations=(table.DilationHFactor(), table.DilationWFactor()),
        same_padding=table.Padding() == 0,
    )


def _pool(table: Table) -> Options:
    return Options(
        activation=_activation(table),
        strides=(table.StrideH(), table.StrideW()),
        window=(table.FilterHeight(), table.FilterWidth()),
        same_padding=table.Padding() == 0,
    )


def _resize(table: Table) -> Options:
    mode = "align_corners" if table.AlignCorners() else "half_pixel" if table.HalfPixelCenters() else "asymmetric"
    return Options(resize_mode=mode)


def _activation(table: Table) -> str:
    code = table.FusedActivationFunction()
    if code not in ACTIVATIONS:
        raise ValueError(f"fused activation {code} is not supported")
    return ACTIVATIONS[code]


_OPTION_READERS: dict[str, tuple[str, Callable[[Table], Options]]] = {
    "CONV_2D": ("Conv2DOptions", _convolution),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _convolution),
    "MAX_POOL_2D": ("Pool2DOptions", _pool),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _resize),
    "FULLY_CONNECTED": ("FullyConnectedOptions", lambda t: Options(activation=_activation(t))),
    "ADD": ("AddOptions", lambda t: Options(activation=_activation(t))),
}


def _shape(tensor: Table) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
