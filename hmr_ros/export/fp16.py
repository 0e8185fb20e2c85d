# SPDX-License-Identifier: Apache-2.0
"""fp32 ONNX -> fp16: half weights and arithmetic, fp32 inputs and outputs, fp32 islands where halves lose too much.

TensorRT takes the types of a network as they stand ("strongly typed"; 11 and RTX know no other way), so the file says
what runs in half. In fp32 stay: operations that sum many terms or divide (EXACT_OPS), whatever follows the last matrix
product on the way to an output (coordinates in metres and rotations, which a half would round to a millimetre), what
gets its numbers from these only, and the nodes that the caller names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

EXACT_OPS = frozenset(
    "Softmax LogSoftmax LayerNormalization InstanceNormalization GroupNormalization RMSNormalization "
    "ReduceMean ReduceSum ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSumExp LpNormalization GlobalAveragePool "
    "Exp Log Pow Sqrt Reciprocal Div Atan Sin Cos".split()
)
"""Operations that keep fp32 wherever they stand: orthonormalisation of rotations, attention, norms."""

PRODUCTS = frozenset("Conv ConvTranspose Gemm MatMul GridSample".split())
"""Operations that are worth the halves: where the time goes."""

_EXACT_SLOTS = {"Resize": (1, 2)}
"""Inputs that ONNX demands in float32: a region and scales."""

_SUFFIX = {TensorProto.FLOAT: ".fp32", TensorProto.FLOAT16: ".fp16"}
_LARGEST = float(np.finfo(np.float16).max)
_SMALLEST = float(np.finfo(np.float16).tiny)


def to_fp16(model: ModelProto, keep: Collection[str] = ()) -> ModelProto:
    """``model`` with half arithmetic except in the nodes named in ``keep``. ValueError for what cannot be converted."""
    if unknown := set(keep) - {node.name for node in model.graph.node}:
        raise ValueError(f"no node is named {', '.join(sorted(unknown))}: cannot keep it in fp32")
    folded = fold_stored_weights(model)
    exact = exact_nodes(folded) | set(keep)
    half = _Rewriter(folded, frozenset(exact)).run()
    onnx.checker.check_model(half, full_check=True)
    return half


def fold_stored_weights(model: ModelProto) -> ModelProto:
    """``model`` with weights and constants as plain initialisers, where they were Cast or Constant nodes."""
    folded = ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
        elif node.op_type == "Cast" and node.input[0] in stored:
            dtype = helper.tensor_dtype_to_np_dtype(node.attribute[0].i)
            tensor = numpy_helper.from_array(numpy_helper.to_array(stored[node.input[0]]).astype(dtype))
        else:
            nodes.append(node)
            continue
        stored[node.output[0]] = TensorProto()
        stored[node.output[0]].CopyFrom(tensor)
        stored[node.output[0]].name = node.output[0]
    _set_nodes(graph, nodes)
    _keep_used(graph, stored)
    return folded


def exact_nodes(model: ModelProto) -> set[str]:
    """Names of the nodes that keep fp32.

    They are EXACT_OPS, the tails, those with a constant that is no half (an epsilon would become 0), and what gets all
    of its numbers from such nodes. So a chain such as a Gram-Schmidt step, or a norm with its activation, is not
    rounded in between; nor is what is done to the network's inputs before the first product.
    """
    graph = model.graph
    exact = _tail_nodes(graph) | {node.name for node in graph.node if node.op_type in EXACT_OPS}
    odd = {tensor.name for tensor in graph.initializer if _is_odd_constant(tensor)}
    exact |= {node.name for node in graph.node if not odd.isdisjoint(node.input)}
    numbers = set(_values(model, TensorProto.FLOAT)) - {tensor.name for tensor in graph.initializer}
    precise = {value.name for value in graph.input}
    for node in graph.node:
        sources = numbers.intersection(node.input)
        if sources and sources <= precise and node.op_type not in PRODUCTS:
            exact.add(node.name)
        if node.name in exact:
            precise.update(node.output)
    return exact


def _is_odd_constant(tensor: TensorProto) -> bool:
    """Whether it is a single number that is too small or too large for a half; trained weights are many."""
    if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) != 1:
        return False
    size = abs(float(numpy_helper.to_array(tensor).item()))
    return size > _LARGEST or 0 < size < _SMALLEST


def _tail_nodes(graph: GraphProto) -> set[str]:
    """Names of the nodes that no product comes after, other than products."""
    feeds: set[str] = set()  # values from which a product is reached
    tail = set()
    for node in reversed(graph.node):  # consumers before producers
        if node.op_type in PRODUCTS or not feeds.isdisjoint(node.output):
            feeds.update(node.input)
        else:
            tail.add(node.name)
    return tail


@dataclass
class _Rewriter:
    """One conversion. ``stored`` holds the type that each float value of the network has after it."""

    model: ModelProto
    exact: frozenset[str]
    stored: dict[str, int] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, TensorProto] = field(default_factory=dict)
    aliases: dict[tuple[str, int], str] = field(default_factory=dict)

    def run(self) -> ModelProto:
        half = ModelProto()
        half.CopyFrom(self.model)
        graph = half.graph
        self.weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self.stored = dict.fromkeys(_values(self.model, TensorProto.FLOAT), TensorProto.FLOAT)
        for node in graph.node:
            self._convert(node)
        for output in graph.output:
            self._give_back(output.name)
        _set_nodes(graph, self.nodes)
        _keep_used(graph, self.weights)
        graph.ClearField("value_info")
        return half

    def _convert(self, node: NodeProto) -> None:
        """Append ``node`` in the type it is to have, with casts of the inputs that have another."""
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise ValueError(f"node {node.name!r} ({node.op_type}) holds a graph of its own: cannot be made half")
        dtype = self._type_of(node)
        for slot, name in enumerate(node.input):
            if name in self.stored:
                wanted = TensorProto.FLOAT if slot in _EXACT_SLOTS.get(node.op_type, ()) else dtype
                node.input[slot] = self._as(name, wanted)
        if dtype == TensorProto.FLOAT16:
            _retype(node, TensorProto.FLOAT, TensorProto.FLOAT16)
        self.stored.update({name: dtype for name in node.output if name in self.stored})
        self.nodes.append(node)

    def _type_of(self, node: NodeProto) -> int:
        """Half where it gives floats and is not to be exact. Casts count only from bytes, which a half holds."""
        gives_floats = any(name in self.stored for name in node.output)
        if not gives_floats or node.name in self.exact:
            return int(TensorProto.FLOAT)
        return int(TensorProto.FLOAT16)

    def _as(self, name: str, dtype: int) -> str:
        """The name under which value ``name`` is had as ``dtype``."""
        if self.stored[name] == dtype:
            return name
        if (name, dtype) not in self.aliases:
            alias = self.aliases[name, dtype] = name + _SUFFIX[dtype]
            if name in self.weights:
                self.weights[alias] = _retyped(self.weights[name], alias, dtype)
            else:
                self.nodes.append(helper.make_node("Cast", [name], [alias], name=f"{alias}.cast", to=dtype))
        return self.aliases[name, dtype]

    def _give_back(self, name: str) -> None:
        """Let output ``name`` be fp32: its producer gives another value, which is cast."""
        if self.stored.get(name) != TensorProto.FLOAT16:
            return
        renamed = f"{name}.fp16"
        for node in self.nodes:
            for names in (node.input, node.output):
                for slot, value in enumerate(names):
                    if value == name:
                        names[slot] = renamed
        self.nodes.append(helper.make_node("Cast", [renamed], [name], name=f"{name}.cast", to=TensorProto.FLOAT))


def _values(model: ModelProto, dtype: int) -> list[str]:
    """Names of all values of type ``dtype``: weights, inputs and results."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    typed = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    if untyped := {name for node in graph.node for name in node.output if name} - typed.keys():
        raise ValueError(f"the type of {', '.join(sorted(untyped))} cannot be told: cannot be made half")
    typed |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return [name for name, its_dtype in typed.items() if its_dtype == dtype]


def _retype(node: NodeProto, old: int, new: int) -> None:
    """Let the attributes of ``node`` that name or hold the type ``old`` be ``new``."""
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.i == old:
            attribute.i = new
        if attribute.HasField("t") and attribute.t.data_type == old:
            attribute.t.CopyFrom(_retyped(attribute.t, attribute.t.name, new))


def _retyped(tensor: TensorProto, name: str, dtype: int) -> TensorProto:
    """``tensor`` as ``dtype``. ValueError if it does not fit."""
    values = numpy_helper.to_array(tensor)
    if dtype == TensorProto.FLOAT16 and values.size and not np.abs(values).max() <= _LARGEST:
        raise ValueError(f"weight {tensor.name!r} reaches {np.abs(values).max():g}: too large for fp16")
    return numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(dtype)), name)


def _set_nodes(graph: GraphProto, nodes: Iterable[NodeProto]) -> None:
    kept = list(nodes)
    graph.ClearField("node")
    graph.node.extend(kept)


def _keep_used(graph: GraphProto, weights: Mapping[str, TensorProto]) -> None:
    """Let the weights of ``graph`` be those of ``weights`` that it needs."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    _set_initializers(graph, (tensor for name, tensor in weights.items() if name in used))


def _set_initializers(graph: GraphProto, tensors: Iterable[TensorProto]) -> None:
    kept = list(tensors)
    graph.ClearField("initializer")
    graph.initializer.extend(kept)


def emulated(half: ModelProto) -> ModelProto:
    """The fp32 network that answers like ``half`` does on a GPU: each half value is rounded, sums are kept in fp32.

    ONNX Runtime on a CPU computes halves in fp32 and drops the casts between them, so that its errors flatter.
    """
    model = ModelProto()
    model.CopyFrom(half)
    graph = model.graph
    fp16_models = set(_values(half, TensorProto.FLOAT16))
    nodes = []
    for node in graph.node:
        nodes.append(node)
        _retype(node, TensorProto.FLOAT16, TensorProto.FLOAT)
        for slot, name in enumerate(node.output):
            if name in fp16_models:
                node.output[slot] = f"{name}.exact"
                nodes.append(helper.make_node("Cast", [node.output[slot]], [f"{name}.half"], to=TensorProto.FLOAT16))
                nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    _set_nodes(graph, nodes)
    fp16_to_fp32 = [_retyped(t, t.name, TensorProto.FLOAT) if t.name in fp16_models else t for t in graph.initializer]
    _set_initializers(graph, fp16_to_fp32)
    graph.ClearField("value_info")
    onnx.checker.check_model(model, full_check=True)
    return model
