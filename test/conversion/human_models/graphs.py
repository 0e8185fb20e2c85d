# SPDX-License-Identifier: Apache-2.0
"""Tiny TensorFlow.js graph models, written as the package's are."""

from __future__ import annotations

import base64
import json
from typing import Any

from hmr_ros.core.arrays import Array


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def sizes(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(v) for v in values]}}


def node(kind: str, name: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": kind, "input": list(inputs), "attr": attributes}


def files(nodes: list[dict[str, Any]], constants: dict[str, Array]) -> tuple[bytes, bytes]:
    """The content of the .json and of the .bin file."""
    weights = [{"name": name, "shape": list(c.shape), "dtype": str(c.dtype)} for name, c in constants.items()]
    for weight in weights:
        if weight["dtype"] == "float16":
            weight |= {"dtype": "float32", "quantization": {"dtype": "float16", "original_dtype": "float32"}}
    constant_nodes = [node("Const", name) for name in constants]
    model = {
        "modelTopology": {"node": [*constant_nodes, *nodes]},
        "weightsManifest": [{"paths": ["x.bin"], "weights": weights}],
    }
    return json.dumps(model).encode(), b"".join(c.tobytes() for c in constants.values())
