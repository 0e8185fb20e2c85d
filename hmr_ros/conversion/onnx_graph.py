# SPDX-License-Identifier: Apache-2.0
"""What the converters' ONNX networks have in common: opset, layouts, nodes and constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hmr_ros.core.manifest import TensorSpec

OPSET = 17
"""The newest that TensorRT 10.3 (JetPack 6) reads in full."""
IR_VERSION = 9
Attribute = int | float | str | Sequence[int]
"""A value of an ONNX attribute."""

FROM_NHWC, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass
class OnnxGraph:
    """An ONNX graph under construction."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> str:
        """Append one ONNX node; returns the name of its output."""
        node = helper.make_node(kind, list(inputs), [output], name=output)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Store an array; returns its name. fp16 is cast to fp32 by a node that runtimes fold on loading."""
        stored = np.ascontiguousarray(values)
        if stored.dtype != np.float16:
            self.initializers.append(numpy_helper.from_array(stored, name))
            return name
        self.initializers.append(numpy_helper.from_array(stored, f"{name}_half"))
        return self.node("Cast", [f"{name}_half"], name, to=onnx.TensorProto.FLOAT)

    def planes(self, image: str) -> str:
        """Turn the uint8 input ``image`` (N, H, W, 3) into float planes (N, 3, H, W); returns their name."""
        pixels = self.node("Cast", [image], "pixels", to=onnx.TensorProto.FLOAT)
        return self.node("Transpose", [pixels], "planes", perm=FROM_NHWC)

    def model(self, name: str, image: TensorSpec, outputs: Sequence[TensorSpec]) -> onnx.ModelProto:
        """The whole network, checked."""
        graph = helper.make_graph(
            self.nodes, name, [_value_info(image)], [_value_info(spec) for spec in outputs], self.initializers
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model


def _value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(spec.name, kind, spec.shape)
