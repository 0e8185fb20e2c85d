# SPDX-License-Identifier: Apache-2.0
"""The writer: each operator against obvious numpy, by way of ONNX Runtime."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from hmr_ros.conversion.human_models.sources import Source
from hmr_ros.conversion.human_models.tfjs_reader import read_graph
from hmr_ros.core.arrays import Array
from test.conversion.human_models.graphs import files, node, sizes, text

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
SOURCE = Source(
    name="tiny",
    kind="person_boxes",
    member="",
    json_sha256="",
    bin_sha256="",
    upstream="",
    joint_set=None,
    image_size=("H", "W"),
    channels=(0, 1, 2),
    scale=np.ones(3, np.float32),
    offset=np.zeros(3, np.float32),
    first="x",
    source_size=8,
    heads={"head": ("y", 3)},
)


def result(nodes: list[dict[str, Any]], constants: dict[str, Array], image: Array, **changes: Any) -> Array:
    """The last output, the head (N, h, w, C) for ``image`` (N, H, W, 3), which is the node "x"."""
    from hmr_ros.conversion.human_models.onnx_writer import graph_to_onnx

    source = dataclasses.replace(SOURCE, **changes)
    graph = read_graph(*files(nodes, constants))
    model = graph_to_onnx(graph, source, source.outputs(features=bool(source.features)))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, {"image": image})
    return outputs[-1]


def image(height: int = 8, width: int = 8) -> Array:
    return RNG.integers(0, 10, (1, height, width, 3), dtype=np.uint8)


def test_pixels_are_ordered_scaled_and_shifted() -> None:
    pixels = image()
    scale, offset = np.array([0.5, 1, 2], np.float32), np.array([1, 0, -1], np.float32)
    found = result([node("Identity", "y", "x")], {}, pixels, channels=(2, 1, 0), scale=scale, offset=offset)
    np.testing.assert_allclose(found, pixels[..., ::-1] * scale + offset)


@pytest.mark.parametrize("activation", ["Relu", "Relu6"])
def test_a_fused_convolution_pads_as_tensorflow_does(activation: str) -> None:
    pixels, kernel = image(), RNG.normal(size=(3, 3, 3, 3)).astype(np.float16)
    bias = RNG.normal(size=3).astype(np.float32)
    fused = {"list": {"s": [text("BiasAdd")["s"], text(activation)["s"]]}}
    convolution = node(
        "_FusedConv2D", "y", "x", "k", "b", strides=sizes(1, 2, 2, 1), padding=text("SAME"), fused_ops=fused
    )
    found = result([convolution], {"k": kernel, "b": bias}, pixels)
    padded = np.pad(pixels[0].astype(float), ((0, 1), (0, 1), (0, 0)))  # TensorFlow: the odd one comes after
    expected = np.array(
        [[np.tensordot(padded[y : y + 3, x : x + 3], kernel, 3) + bias for x in range(0, 8, 2)] for y in range(0, 8, 2)]
    )
    np.testing.assert_allclose(found[0], np.clip(expected, 0, 6 if activation == "Relu6" else None), atol=1e-3)


def test_a_depthwise_convolution_takes_the_padding_before_it() -> None:
    pixels, kernel = image(), RNG.normal(size=(3, 3, 3, 1)).astype(np.float32)
    nodes = [
        node("Pad", "p", "x", "amounts"),
        node("DepthwiseConv2dNative", "y", "p", "k", strides=sizes(1, 1, 1, 1), padding=text("VALID")),
    ]
    amounts = np.array([[0, 0], [0, 0], [1, 1], [1, 1]], np.int32)
    found = result(nodes, {"k": kernel, "amounts": amounts}, pixels)
    padded = np.pad(pixels[0].astype(float), ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
    np.testing.assert_allclose(found[0], np.einsum("hwcij,ijc->hwc", windows, kernel[..., 0]), atol=1e-4)


def test_arithmetic_takes_constants_by_channel() -> None:
    pixels, bias = image(), np.array([1, 2, 3], np.float32)
    nodes = [node("AddV2", "a", "x", "b"), node("Mul", "m", "a", "s"), node("LeakyRelu", "y", "m", alpha={"f": 0.25})]
    found = result(nodes, {"b": bias, "s": np.array(-1, np.float32)}, pixels)
    np.testing.assert_allclose(found, -0.25 * (pixels + bias), atol=1e-6)


def test_sizes_are_doubled_or_follow_the_constants_of_the_source() -> None:
    pixels, constants = (
        image(16, 12),
        {"k": np.eye(3, dtype=np.float32)[None, None], "half": np.array([4, 4], np.int32)},
    )
    convolution = node("Conv2D", "c", "x", "k", strides=sizes(1, 2, 2, 1), padding=text("VALID"))
    resize = node("ResizeBilinear", "y", "c", "size", half_pixel_centers={"b": True})
    assert result([convolution, resize], constants, pixels).shape == (1, 16, 12, 3)
    smaller = node("ResizeBilinear", "y", "c", "quarter", half_pixel_centers={"b": True})
    constants["quarter"] = np.array([2, 2], np.int32)
    found = result([convolution, smaller], constants, pixels)
    coarse = pixels[0, ::2, ::2].astype(float)
    expected = (coarse[::2, ::2] + coarse[1::2, ::2] + coarse[::2, 1::2] + coarse[1::2, 1::2]) / 4
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_pooling_concatenation_and_sigmoid() -> None:
    pixels = image()
    pool = node("MaxPool", "m", "x", ksize=sizes(1, 2, 2, 1), strides=sizes(1, 2, 2, 1), padding=text("VALID"))
    nodes = [pool, node("ConcatV2", "c", "m", "m", "axis"), node("Sigmoid", "y", "c")]
    found = result(nodes, {"axis": np.array(3, np.int32)}, pixels, heads={"head": ("y", 6)})
    pooled = pixels[0].reshape(4, 2, 4, 2, 3).max((1, 3))
    np.testing.assert_allclose(found[0], 1 / (1 + np.exp(-np.tile(pooled, 2).astype(float))), atol=1e-6)


def test_features_keep_their_channels_first() -> None:
    pixels = image()
    found = result([node("Relu", "y", "x")], {}, pixels, features={"features1": ("y", 3)})
    np.testing.assert_allclose(found, pixels.transpose(0, 3, 1, 2))


def test_what_is_not_supported_is_named() -> None:
    with pytest.raises(ValueError, match="y: operator Softplus is not supported"):
        result([node("Softplus", "y", "x")], {}, image())
    uneven = np.array([[0, 0], [0, 0], [1, 0], [1, 1]], np.int32)
    with pytest.raises(ValueError, match="p: expected one padding of all edges"):
        result([node("Pad", "p", "x", "a"), node("Relu", "y", "p")], {"a": uneven}, image())
