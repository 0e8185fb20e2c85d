# SPDX-License-Identifier: Apache-2.0
"""PyTorch to ONNX: one file without external data, with dynamic batch "N" and the same outputs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 18
LARGEST_BATCH = 1024
"""Upper bound of the batch in the exporter's shape analysis; the file itself has none."""

SMALLEST_FP16 = 256
"""Tensors with fewer elements stay fp32: biases and constants are small, and rounding them costs most accuracy."""


Outputs = Sequence[Tensor]


def in_metres(outputs: Outputs) -> Outputs:
    """Outputs that are in metres already, unchanged."""
    return outputs


@dataclass(frozen=True, eq=False)
class Exportable:
    """A network for inference: ``module(*example)`` returns as many tensors as there are ``outputs``.

    Every tensor has the batch first; ``example`` has a batch of at least 2, as 0 and 1 are special to the exporter.
    ``evaluated`` turns the outputs into what two versions of the network are compared on, in metres.
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    evaluated: Callable[[Outputs], Outputs] = in_metres


def to_onnx(network: Exportable) -> ModelProto:
    """``network`` as ONNX; the file holds no trace of the machine that made it."""
    batch = torch.export.Dim("N", min=1, max=LARGEST_BATCH)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of torchvision, which nothing here needs
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", FutureWarning)  # raised by PyTorch's own code
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "# The axis name: N", UserWarning)  # of the second input, the same N
        program = torch.onnx.export(
            network.module.eval(),
            network.example,
            dynamo=True,
            opset_version=OPSET,
            input_names=network.inputs,
            output_names=network.outputs,
            dynamic_shapes=({0: batch},) * len(network.example),
            verbose=False,
        )
    assert program is not None, "the exporter of TorchDynamo returns the program"
    model = program.model_proto
    _forget_origin(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _forget_origin(model: ModelProto) -> None:
    """Remove the exporter's metadata of each tensor: source lines and paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def with_fp16_weights(model: ModelProto) -> ModelProto:
    """Store large weights as fp16, cast to fp32 on loading: a file of half the size, arithmetic in fp32.

    ONNX Runtime and TensorRT fold the casts. Raises ValueError if a weight exceeds fp16's range.
    """
    stored = ModelProto()
    stored.CopyFrom(model)
    casts = []
    for tensor in stored.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALLEST_FP16:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(
                f"weight {name!r} reaches {np.abs(values).max():g}, too large for fp16: export without --fp16-weights"
            )
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.stored"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *stored.graph.node]
    stored.graph.ClearField("node")
    stored.graph.node.extend(nodes)
    onnx.checker.check_model(stored, full_check=True)
    return stored


def largest_difference(model: ModelProto, network: Exportable, batches: tuple[int, ...] = (1, 5)) -> float:
    """Largest absolute difference in m between ONNX Runtime and PyTorch, on variations of the example."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for arrays in _variations(network.example, batches):
        feed = {name: array.numpy() for name, array in zip(network.inputs, arrays, strict=True)}
        actual = [torch.from_numpy(output) for output in session.run(list(network.outputs), feed)]
        with torch.no_grad():
            expected = network.module(*arrays)
            expected = (expected,) if isinstance(expected, Tensor) else expected
            pairs = zip(network.evaluated(actual), network.evaluated(expected), strict=True)
            worst = max(worst, *(float((a - b).abs().max()) for a, b in pairs))
    return worst


def _variations(example: tuple[Tensor, ...], batches: tuple[int, ...]) -> Iterator[tuple[Tensor, ...]]:
    """Inputs like ``example`` with other batch sizes and slightly other numbers."""
    generator = torch.Generator().manual_seed(0)
    for count in batches:
        rows = torch.arange(count) % len(example[0])
        yield tuple(_varied(x[rows], generator) for x in example)


def _varied(x: Tensor, generator: torch.Generator) -> Tensor:
    """``x`` with its numbers varied by about 10 %; integers are pixels, which are inverted."""
    if x.is_floating_point():
        return x * (1 + 0.1 * torch.randn(x.shape, generator=generator))
    return 255 - x
