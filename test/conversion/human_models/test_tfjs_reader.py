# SPDX-License-Identifier: Apache-2.0
"""The reader of TensorFlow.js graph models."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hmr_ros.conversion.human_models.tfjs_reader import read_graph
from test.conversion.human_models.graphs import files, node, sizes, text


def test_nodes_and_constants_are_read() -> None:
    kernel = np.arange(12, dtype=np.float16).reshape(1, 1, 3, 4)
    nodes = [node("Conv2D", "y", "image", "k", strides=sizes(1, 2, 2, 1), padding=text("SAME"), alpha={"f": 0.5})]
    graph = read_graph(*files(nodes, {"k": kernel, "n": np.array([1, 2], np.int32)}))
    found = graph.nodes["y"]
    assert (found.kind, found.inputs, found.sizes("strides"), found.sizes("dilations")) == (
        "Conv2D",
        ("image", "k"),
        (2, 2),
        (1, 1),
    )
    assert found.attributes["padding"] == "SAME"
    assert found.attributes["alpha"] == 0.5
    assert graph.constants["k"].dtype == np.float16
    np.testing.assert_array_equal(graph.constants["k"], kernel)
    np.testing.assert_array_equal(graph.constants["n"], [1, 2])


def test_quantised_weights_become_numbers() -> None:
    model, weights = files([], {"k": np.array([0, 2, 255], np.uint8)})
    content = json.loads(model)
    content["weightsManifest"][0]["weights"][0] |= {"quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}}
    graph = read_graph(json.dumps(content).encode(), weights)
    np.testing.assert_allclose(graph.constants["k"], [-1, 0, 126.5])


@pytest.mark.parametrize("model", [b"nothing", b"{}", b"[]", b'{"modelTopology": {"node": [1]}}'])
def test_other_files_are_refused(model: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected a TensorFlow\.js graph model"):
        read_graph(model, b"")


def test_weights_of_another_length_are_refused() -> None:
    model, weights = files([], {"k": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="weights end within k"):
        read_graph(model, weights[:-1])
    with pytest.raises(ValueError, match="weights: expected 12 bytes, got 13"):
        read_graph(model, weights + b"x")
