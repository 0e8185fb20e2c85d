# SPDX-License-Identifier: Apache-2.0
"""ONNX from fp32 to fp16: weights and arithmetic in fp16, inputs and outputs in fp32, and sensitive nodes in fp32.

TensorRT networks are strongly typed (TensorRT 11 and RTX support nothing else), so the types in the file decide what
runs in fp16. These nodes keep fp32: operations that sum many terms or divide (EXACT_OPS); all nodes between the last
matrix product and an output (coordinates in metres and rotations, which fp16 would round to a millimetre); nodes whose
inputs all come from such nodes; and the nodes that the caller names.
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
"""Operations that always keep fp32: they orthonormalise rotations, or belong to attention and norms."""

PRODUCTS = frozenset("Conv ConvTranspose Gemm MatMul GridSample".split())
"""Operations that take most of the time, and so gain from fp16."""

_EXACT_SLOTS = {"Resize": (1, 2)}
"""Inputs that ONNX requires in fp32: a region and scales."""

_SUFFIX: dict[int, str] = {TensorProto.FLOAT: ".fp32", TensorProto.FLOAT16: ".fp16"}
_LARGEST = float(np.finfo(np.float16).max)
_SMALLEST = float(np.finfo(np.float16).tiny)


def to_fp16(model: ModelProto, keep: Collection[str] = ()) -> ModelProto:
    """``model`` in fp16, except for the nodes named in ``keep``. Raises ValueError for what cannot be converted."""
    if unknown := set(keep) - {node.name for node in model.graph.node}:
        raise ValueError(f"no node is named {', '.join(sorted(unknown))}: cannot keep it in fp32")
    folded = fold_stored_weights(model)
    exact = exact_nodes(folded) | set(keep)
    fp16 = _Rewriter(folded, frozenset(exact)).run()
    onnx.checker.check_model(fp16, full_check=True)
    return fp16


def fold_stored_weights(model: ModelProto) -> ModelProto:
    """``model`` with Constant nodes, and Cast nodes of weights, replaced by initialisers."""
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

    They are EXACT_OPS, the tails, nodes with a constant outside fp16's range (an epsilon would become 0), and nodes
    whose inputs all come from such nodes. So a chain such as a Gram-Schmidt step, or a norm with its activation, is not
    rounded in between; nor are the operations on the network's inputs before the first product.
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
    """Whether ``tensor`` is a single number too small or too large for fp16; trained weights have many numbers."""
    if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) != 1:
        return False
    size = abs(float(numpy_helper.to_array(tensor).item()))
    return size > _LARGEST or 0 < size < _SMALLEST


def _tail_nodes(graph: GraphProto) -> set[str]:
    """Names of the nodes, other than products, whose outputs reach no product."""
    feeds: set[str] = set()  # values that reach a product
    tail = set()
    for node in reversed(graph.node):  # consumers before producers
        if node.op_type in PRODUCTS or not feeds.isdisjoint(node.output):
            feeds.update(node.input)
        else:
            tail.add(node.name)
    return tail


@dataclass
class _Rewriter:
    """One conversion. ``stored``: the type of each float value of the network after it."""

    model: ModelProto
    exact: frozenset[str]
    stored: dict[str, int] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, TensorProto] = field(default_factory=dict)
    aliases: dict[tuple[str, int], str] = field(default_factory=dict)

    def run(self) -> ModelProto:
        fp16 = ModelProto()
        fp16.CopyFrom(self.model)
        graph = fp16.graph
        self.weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self.stored = dict.fromkeys(_values(self.model, TensorProto.FLOAT), TensorProto.FLOAT)
        for node in graph.node:
            self._convert(node)
        for output in graph.output:
            self._restore_output(output.name)
        _set_nodes(graph, self.nodes)
        _keep_used(graph, self.weights)
        graph.ClearField("value_info")
        return fp16

    def _convert(self, node: NodeProto) -> None:
        """Append ``node`` in its new type, with casts of the inputs that have another type."""
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise ValueError(f"node {node.name!r} ({node.op_type}) holds a graph of its own: cannot convert it to fp16")
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
        """The new type of ``node``: FLOAT16 if its outputs are floats and it need not keep fp32, else FLOAT."""
        gives_floats = any(name in self.stored for name in node.output)
        if not gives_floats or node.name in self.exact:
            return int(TensorProto.FLOAT)
        return int(TensorProto.FLOAT16)

    def _as(self, name: str, dtype: int) -> str:
        """The name of value ``name`` as ``dtype``, cast if necessary."""
        if self.stored[name] == dtype:
            return name
        if (name, dtype) not in self.aliases:
            alias = self.aliases[name, dtype] = name + _SUFFIX[dtype]
            if name in self.weights:
                self.weights[alias] = _retyped(self.weights[name], alias, dtype)
            else:
                self.nodes.append(helper.make_node("Cast", [name], [alias], name=f"{alias}.cast", to=dtype))
        return self.aliases[name, dtype]

    def _restore_output(self, name: str) -> None:
        """Make output ``name`` fp32 again: its producer's value is renamed and cast."""
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
        raise ValueError(f"the type of {', '.join(sorted(untyped))} cannot be inferred: cannot be converted to fp16")
    typed |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return [name for name, its_dtype in typed.items() if its_dtype == dtype]


def _retype(node: NodeProto, old: int, new: int) -> None:
    """Replace the type ``old`` by ``new`` in the attributes of ``node``."""
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.i == old:
            attribute.i = new
        if attribute.HasField("t") and attribute.t.data_type == old:
            attribute.t.CopyFrom(_retyped(attribute.t, attribute.t.name, new))


def _retyped(tensor: TensorProto, name: str, dtype: int) -> TensorProto:
    """``tensor`` as ``dtype``. Raises ValueError if a number exceeds its range."""
    values = numpy_helper.to_array(tensor)
    if dtype == TensorProto.FLOAT16 and values.size and not np.abs(values).max() <= _LARGEST:
        raise ValueError(f"weight {tensor.name!r} reaches {np.abs(values).max():g}: too large for fp16")
    return numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(dtype)), name)


def _set_nodes(graph: GraphProto, nodes: Iterable[NodeProto]) -> None:
    kept = list(nodes)
    graph.ClearField("node")
    graph.node.extend(kept)


def _keep_used(graph: GraphProto, weights: Mapping[str, TensorProto]) -> None:
    """Set the weights of ``graph`` to those of ``weights`` that its nodes use."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    _set_initializers(graph, (tensor for name, tensor in weights.items() if name in used))


def _set_initializers(graph: GraphProto, tensors: Iterable[TensorProto]) -> None:
    kept = list(tensors)
    graph.ClearField("initializer")
    graph.initializer.extend(kept)


def emulated(fp16: ModelProto) -> ModelProto:
    """The fp32 network that computes what ``fp16`` computes on a GPU: fp16 values are rounded, sums are in fp32.

    ONNX Runtime on a CPU computes fp16 nodes in fp32 and drops the casts between them, which hides rounding errors.
    """
    model = ModelProto()
    model.CopyFrom(fp16)
    graph = model.graph
    fp16_values = set(_values(fp16, TensorProto.FLOAT16))
    nodes = []
    for node in graph.node:
        nodes.append(node)
        _retype(node, TensorProto.FLOAT16, TensorProto.FLOAT)
        for slot, name in enumerate(node.output):
            if name in fp16_values:
                node.output[slot] = f"{name}.exact"
                nodes.append(helper.make_node("Cast", [node.output[slot]], [f"{name}.rounded"], to=TensorProto.FLOAT16))
                nodes.append(helper.make_node("Cast", [f"{name}.rounded"], [name], to=TensorProto.FLOAT))
    _set_nodes(graph, nodes)
    fp16_to_fp32 = [_retyped(t, t.name, TensorProto.FLOAT) if t.name in fp16_values else t for t in graph.initializer]
    _set_initializers(graph, fp16_to_fp32)
    graph.ClearField("value_info")
    onnx.checker.check_model(model, full_check=True)
    return model
