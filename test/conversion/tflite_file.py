# SPDX-License-Identifier: Apache-2.0
"""Writes a tiny .tflite file, so that the reader has one that is free to lie in the repository."""

from __future__ import annotations

from typing import Any

import flatbuffers
import tflite as t
from numpy.typing import NDArray


def _vector(builder: Any, values: list[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependInt32(value)
    return int(builder.EndVector())


def _tables(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def convolution_file(kernel: NDArray[Any], *, sparse: bool = False) -> bytes:
    """A .tflite file: image (1, 6, 8, 3) -> convolution, stride 2, "same", relu6.

    ``kernel`` (4, 3, 3, 3) of halves is dequantised first, as in BlazePose's files; ``sparse``: said to be stored so.
    """
    b = flatbuffers.Builder(1024)

    def sparsity() -> int:
        t.SparsityParametersStart(b)
        return int(t.SparsityParametersEnd(b))

    def tensor(name: str, shape: list[int], kind: int, buffer: int, sparse: bool = False) -> int:
        text, sizes = b.CreateString(name), _vector(b, shape)
        stored = sparsity() if sparse else None
        t.TensorStart(b)
        t.TensorAddName(b, text)
        t.TensorAddShape(b, sizes)
        t.TensorAddType(b, kind)
        t.TensorAddBuffer(b, buffer)
        if stored is not None:
            t.TensorAddSparsity(b, stored)
        return int(t.TensorEnd(b))

    def operator(code: int, inputs: list[int], output: int, options: int | None) -> int:
        i, o = _vector(b, inputs), _vector(b, [output])
        t.OperatorStart(b)
        t.OperatorAddOpcodeIndex(b, code)
        t.OperatorAddInputs(b, i)
        t.OperatorAddOutputs(b, o)
        if options is not None:
            t.OperatorAddBuiltinOptionsType(b, t.BuiltinOptions.Conv2DOptions)
            t.OperatorAddBuiltinOptions(b, options)
        return int(t.OperatorEnd(b))

    def code(kind: int) -> int:
        t.OperatorCodeStart(b)
        t.OperatorCodeAddDeprecatedBuiltinCode(b, kind)  # where codes below 127 still live
        t.OperatorCodeAddBuiltinCode(b, kind)
        return int(t.OperatorCodeEnd(b))

    content = b.CreateByteVector(kernel.tobytes())
    buffers = []
    for data in (None, content):
        t.BufferStart(b)
        if data is not None:
            t.BufferAddData(b, data)
        buffers.append(t.BufferEnd(b))
    t.Conv2DOptionsStart(b)
    t.Conv2DOptionsAddStrideH(b, 2)
    t.Conv2DOptionsAddStrideW(b, 2)
    t.Conv2DOptionsAddDilationHFactor(b, 1)
    t.Conv2DOptionsAddDilationWFactor(b, 1)
    t.Conv2DOptionsAddFusedActivationFunction(b, t.ActivationFunctionType.RELU6)
    options = t.Conv2DOptionsEnd(b)
    operators = _tables(b, [operator(0, [1], 2, None), operator(1, [0, 2, -1], 3, options)])
    float32, float16 = t.TensorType.FLOAT32, t.TensorType.FLOAT16
    tensors = _tables(
        b,
        [
            tensor("image", [1, 6, 8, 3], float32, 0),
            tensor("halves", list(kernel.shape), float16, 1, sparse),
            tensor("kernel", list(kernel.shape), float32, 0),
            tensor("features", [1, 3, 4, 4], float32, 0),
        ],
    )
    inputs, outputs = _vector(b, [0]), _vector(b, [3])
    t.SubGraphStart(b)
    t.SubGraphAddTensors(b, tensors)
    t.SubGraphAddInputs(b, inputs)
    t.SubGraphAddOutputs(b, outputs)
    t.SubGraphAddOperators(b, operators)
    graph = t.SubGraphEnd(b)
    codes = _tables(b, [code(t.BuiltinOperator.DEQUANTIZE), code(t.BuiltinOperator.CONV_2D)])
    graphs, all_buffers = _tables(b, [graph]), _tables(b, buffers)
    t.ModelStart(b)
    t.ModelAddVersion(b, 3)
    t.ModelAddOperatorCodes(b, codes)
    t.ModelAddSubgraphs(b, graphs)
    t.ModelAddBuffers(b, all_buffers)
    b.Finish(t.ModelEnd(b))
    return bytes(b.Output())
