# SPDX-License-Identifier: Apache-2.0
"""Read a TensorFlow.js graph model (``<name>.json`` and its binary weights) as nodes and numpy constants."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Array

Json = Mapping[str, object]
Attribute = int | float | str | bool | tuple[int, ...] | tuple[str, ...]
"""A value of a node's attribute, as far as convolutional networks have them."""

_TYPES = {"float32": np.float32, "float16": np.float16, "int32": np.int32, "uint8": np.uint8, "bool": np.bool_}


@dataclass(frozen=True)
class Node:
    """One operator: its kind, the names of its inputs, and its attributes."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def sizes(self, key: str) -> tuple[int, int]:
        """Height and width of an attribute such as strides, (1, height, width, 1); 1, 1 where it is absent."""
        values = self.attributes.get(key) or (1, 1, 1, 1)
        return cast(tuple[int, int], tuple(cast(tuple[int, ...], values)[1:3]))


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph model: nodes by name, and constants by the name of their node; fp16 weights stay fp16."""

    nodes: Mapping[str, Node]
    constants: Mapping[str, Array]


def read_graph(model: bytes, weights: bytes) -> Graph:
    """Read the content of the .json and the .bin file. Raises ValueError for anything else."""
    try:
        content = json.loads(model)
        nodes = [_node(entry) for entry in content["modelTopology"]["node"]]
        entries = [entry for group in content["weightsManifest"] for entry in group["weights"]]
        constants = _constants(entries, weights)
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as err:
        raise ValueError(f"expected a TensorFlow.js graph model ({type(err).__name__}: {err})") from err
    return Graph({node.name: node for node in nodes}, constants)


def _node(entry: Json) -> Node:
    attributes = cast(Mapping[str, Json], entry.get("attr", {}))
    values = {key: _value(value) for key, value in attributes.items()}
    return Node(
        str(entry["name"]),
        str(entry["op"]),
        tuple(cast(list[str], entry.get("input", []))),
        {key: value for key, value in values.items() if value is not None},
    )


def _value(entry: Json) -> Attribute | None:
    """An attribute as TensorFlow's AttrValue writes it in JSON: numbers as text, text in base64; None for others."""
    kind, content = next(iter(entry.items()))
    if kind == "list":
        return _values(cast(Mapping[str, list[object]], content))
    if kind == "s":
        return base64.b64decode(str(content)).decode()
    if kind == "i":
        return int(str(content))
    return content if isinstance(content, bool | float | int) else None


def _values(content: Mapping[str, list[object]]) -> tuple[int, ...] | tuple[str, ...]:
    if "s" in content:
        return tuple(base64.b64decode(str(text)).decode() for text in content["s"])
    return tuple(int(str(number)) for number in content.get("i", []))


def _constants(entries: list[Json], weights: bytes) -> dict[str, NDArray[np.generic]]:
    """The constants that lie one after the other in ``weights``; quantised ones become fp32."""
    constants: dict[str, NDArray[np.generic]] = {}
    start = 0
    for entry in entries:
        quantised = cast(Json, entry.get("quantization", {}))
        dtype = np.dtype(_TYPES[str(quantised.get("dtype", entry["dtype"]))])
        shape = cast(list[int], entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        if start + count * dtype.itemsize > len(weights):
            raise ValueError(f"weights end within {entry['name']}: expected more than {len(weights)} bytes")
        values = np.frombuffer(weights, dtype, count, start).reshape(shape)
        start += count * dtype.itemsize
        if "scale" in quantised:
            values = (values * float(str(quantised["scale"])) + float(str(quantised["min"]))).astype(np.float32)
        constants[str(entry["name"])] = values
    if start != len(weights):
        raise ValueError(f"weights: expected {start} bytes, got {len(weights)}")
    return constants
