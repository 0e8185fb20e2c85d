# SPDX-License-Identifier: Apache-2.0
"""The converter: each operator against slow, obvious numpy; the file reader."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import TensorSpec

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from hmr_ros.conversion.detector.onnx_writer import Interface, network_to_onnx  # noqa: E402
from hmr_ros.conversion.detector.tflite_reader import Network, Operator, Options, read_tflite  # noqa: E402

RNG = np.random.default_rng(0)


def run(network: Network, image: Array, outputs: dict[str, TensorSpec], scale: float = 1.0, offset: float = 0.0) -> Any:
    size = image.shape[1:3]
    interface = Interface(TensorSpec("image", "uint8", ("N", *size, 3)), scale, offset, outputs)
    session = onnxruntime.InferenceSession(network_to_onnx(network, interface, "test").SerializeToString())
    return session.run(None, {"image": image})


def one_operator(
    kind: str, output_shape: tuple[int, ...], constants: list[Array], image: Array, options: Options | None = None
) -> Array:
    """Result (NHWC if an image) of one operator on ``image`` (N, H, W, 3): tensor 0; constants follow, then output."""
    last = len(constants) + 1
    shapes = ((1, *image.shape[1:]), *(c.shape for c in constants), output_shape)
    inputs = (0, *range(1, last))
    network = Network(
        names=tuple(f"n{k}" for k in range(last + 1)),
        shapes=shapes,
        constants={k + 1: c for k, c in enumerate(constants)},
        operators=(Operator(kind, inputs, last, options or Options()),),
        input=0,
        outputs=(last,),
    )
    free = ("N", *(f"S{k}" for k in range(1, len(output_shape))))
    result: Array = run(network, image, {f"n{last}": TensorSpec("y", "float32", free)})[0]
    return result.transpose(0, 2, 3, 1) if result.ndim == 4 else result


def images(height: int = 6, width: int = 8, people: int = 2) -> Array:
    return RNG.integers(0, 10, (people, height, width, 3), dtype=np.uint8)


def convolve_slowly(x: Array, kernel: Array, bias: Array, stride: int, same: bool) -> Array:
    """Kernel (O, h, w, C); TensorFlow's "same" padding puts the odd pixel at the end."""
    n, height, width, _ = x.shape
    _, kh, kw, _ = kernel.shape
    pad = [(0, 0)] * 4
    if same:
        for axis, (size, k) in enumerate(((height, kh), (width, kw)), start=1):
            total = max((-(-size // stride) - 1) * stride + k - size, 0)
            pad[axis] = (total // 2, total - total // 2)
    x = np.pad(x, pad)
    rows, columns = ((x.shape[1 + k] - (kh, kw)[k]) // stride + 1 for k in (0, 1))
    y = np.empty((n, rows, columns, len(kernel)))
    for r, c in np.ndindex(rows, columns):
        patch = x[:, r * stride : r * stride + kh, c * stride : c * stride + kw]
        y[:, r, c] = np.einsum("nhwc,ohwc->no", patch, kernel) + bias
    return y


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_convolution(stride: int, same: bool, activation: str) -> None:
    x, kernel, bias = images(), RNG.normal(size=(4, 3, 3, 3)).astype(np.float16), RNG.normal(size=4).astype(np.float16)
    expected = convolve_slowly(x.astype(float), kernel.astype(float), bias.astype(float), stride, same)
    limits = {"none": (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}[activation]
    options = Options(activation=activation, strides=(stride, stride), same_padding=same)
    actual = one_operator("CONV_2D", (1, *expected.shape[1:]), [kernel, bias], x, options)
    np.testing.assert_allclose(actual, np.clip(expected, *limits), atol=1e-3)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolution(stride: int) -> None:
    x, kernel, bias = images(), RNG.normal(size=(1, 3, 3, 3)).astype(np.float16), np.zeros(3, np.float16)
    dense = np.einsum("hwc,oc->ohwc", kernel[0].astype(float), np.eye(3))
    expected = convolve_slowly(x.astype(float), dense, bias, stride, same=True)
    options = Options(strides=(stride, stride), same_padding=True)
    actual = one_operator("DEPTHWISE_CONV_2D", (1, *expected.shape[1:]), [kernel, bias], x, options)
    np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_add() -> None:
    x = images()
    operator = Operator("ADD", (0, 0), 1, Options(activation="relu6"))
    network = Network(("x", "y"), ((1, 6, 8, 3),) * 2, {}, (operator,), 0, (1,))
    (actual,) = run(network, x, {"y": TensorSpec("y", "float32", ("N", 3, 6, 8))})
    np.testing.assert_array_equal(actual.transpose(0, 2, 3, 1), np.minimum(2.0 * x, 6))


def test_pad() -> None:
    x, amounts = images(), np.array([[0, 0], [1, 2], [0, 3], [0, 4]], np.int32)
    np.testing.assert_array_equal(one_operator("PAD", (1, 9, 11, 7), [amounts], x), np.pad(x, amounts))


def test_reshape_reads_channels_last() -> None:
    x = images()
    np.testing.assert_array_equal(one_operator("RESHAPE", (1, 24, 6), [], x), x.reshape(2, 24, 6))
    np.testing.assert_array_equal(one_operator("RESHAPE", (1, 144), [], x), x.reshape(2, 144))


def test_max_pool() -> None:
    x = images()
    expected = x.reshape(2, 3, 2, 4, 2, 3).max((2, 4))
    options = Options(strides=(2, 2), window=(2, 2))
    np.testing.assert_array_equal(one_operator("MAX_POOL_2D", (1, 3, 4, 3), [], x, options), expected)


def test_logistic() -> None:
    x = images()
    np.testing.assert_allclose(one_operator("LOGISTIC", (1, 6, 8, 3), [], x), 1 / (1 + np.exp(-x.astype(float))), 1e-5)


def test_resize_bilinear() -> None:
    x = images(2, 2)
    options = Options(resize_mode="half_pixel")
    actual = one_operator("RESIZE_BILINEAR", (1, 4, 4, 3), [np.array([4, 4], np.int32)], x, options)
    weight = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(actual, np.einsum("ai,bj,nijc->nabc", weight, weight, x), atol=1e-5)


def test_pixels_are_scaled_inside() -> None:
    x = images()
    network = Network(("x", "y"), ((1, 6, 8, 3), (1, 144)), {}, (Operator("RESHAPE", (0,), 1),), 0, (1,))
    (actual,) = run(network, x, {"y": TensorSpec("y", "float32", ("N", 144))}, 2.0, -1.0)
    np.testing.assert_allclose(actual, 2.0 * x.reshape(2, 144) - 1)


def test_what_no_output_needs_is_left_out() -> None:
    operators = (Operator("LOGISTIC", (0,), 1), Operator("MYSTERY", (0,), 2))
    network = Network(("x", "y", "z"), ((1, 6, 8, 3),) * 3, {}, operators, 0, (1, 2))
    run(network, images(), {"y": TensorSpec("y", "float32", ("N", 3, 6, 8))})
    with pytest.raises(ValueError, match="MYSTERY"):
        run(network, images(), {"z": TensorSpec("z", "float32", ("N", 3, 6, 8))})
    with pytest.raises(ValueError, match=r"expected outputs \['q'\], the network has \['y', 'z'\]"):
        run(network, images(), {"q": TensorSpec("q", "float32", ("N", 3, 6, 8))})


def test_reads_a_file() -> None:
    pytest.importorskip("tflite")
    from test.conversion.tflite_file import convolution_file

    kernel = RNG.normal(size=(4, 3, 3, 3)).astype(np.float16)
    network = read_tflite(convolution_file(kernel))
    assert network.names == ("image", "halves", "kernel", "features")
    assert (network.input, network.outputs) == (0, (3,))
    np.testing.assert_array_equal(network.constants[2], kernel)
    options = Options(activation="relu6", strides=(2, 2), same_padding=True)
    assert network.operators == (Operator("CONV_2D", (0, 2, -1), 3, options),)
    x = images()
    (actual,) = run(network, x, {"features": TensorSpec("features", "float32", ("N", 4, 3, 4))})
    expected = convolve_slowly(x.astype(float), kernel.astype(float), np.zeros(4), 2, same=True)
    np.testing.assert_allclose(actual.transpose(0, 2, 3, 1), np.clip(expected, 0, 6), atol=1e-3)


def test_sparse_weights_are_refused_by_name() -> None:
    pytest.importorskip("tflite")
    from test.conversion.tflite_file import convolution_file

    with pytest.raises(ValueError, match="tensor 'halves': sparse weights are not supported"):
        read_tflite(convolution_file(np.zeros((4, 3, 3, 3), np.float16), sparse=True))


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3)])
def test_mean_is_over_height_and_width(shape: tuple[int, ...]) -> None:
    image = images()
    found = one_operator("MEAN", shape, [np.array([2, 1], np.int32)], image)
    np.testing.assert_allclose(found.reshape(2, 3), image.mean((1, 2)), rtol=1e-5)


def test_mean_over_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"MEAN over the axes \[3\] is not supported"):
        one_operator("MEAN", (1, 6, 8), [np.array([3], np.int32)], images())


@pytest.mark.parametrize("activation", ["none", "relu"])
def test_fully_connected(activation: str) -> None:
    image = images(1, 1)
    kernel, bias = RNG.normal(size=(5, 3)).astype(np.float32), RNG.normal(size=5).astype(np.float32)
    found = one_operator("FULLY_CONNECTED", (1, 5), [kernel, bias], image, Options(activation=activation))
    expected = image.reshape(2, 3) @ kernel.T + bias
    np.testing.assert_allclose(found, np.maximum(expected, 0) if activation == "relu" else expected, rtol=1e-4)
    plain = one_operator("FULLY_CONNECTED", (1, 5), [kernel], image)
    np.testing.assert_allclose(plain, image.reshape(2, 3) @ kernel.T, rtol=1e-4)


def test_fully_connected_of_more_than_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="only of one pixel"):
        one_operator("FULLY_CONNECTED", (1, 5), [np.zeros((5, 144), np.float32)], images())


def test_prelu_has_a_slope_for_each_channel() -> None:
    image, slope = images(), np.array([0.5, -1.0, 2.0], np.float32).reshape(1, 1, 3)
    network = Network(
        names=("i", "slope", "y"),
        shapes=((1, 6, 8, 3), (1, 1, 3), (1, 6, 8, 3)),
        constants={1: slope},
        operators=(Operator("PRELU", (0, 1), 2),),
        input=0,
        outputs=(2,),
    )
    spec = TensorSpec("y", "float32", ("N", "C", "H", "W"))
    found = run(network, image, {"y": spec}, offset=-5.0)[0].transpose(0, 2, 3, 1)
    x = image - 5.0
    np.testing.assert_allclose(found, np.where(x < 0, slope * x, x), rtol=1e-6)


def test_strided_slice_takes_every_other_pixel() -> None:
    image = images()
    bounds = (np.array(v, np.int32) for v in ([0, 1, 0, 0], [0, 0, 0, 0], [1, 2, 2, 1]))
    found = one_operator("STRIDED_SLICE", (1, 3, 4, 3), list(bounds), image)
    np.testing.assert_array_equal(found, image[:, 1::2, ::2])


def test_strided_slice_that_drops_an_axis_is_refused() -> None:
    bounds = [np.zeros(4, np.int32), np.ones(4, np.int32), np.ones(4, np.int32)]
    with pytest.raises(ValueError, match="it keeps all axes"):
        one_operator("STRIDED_SLICE", (1, 8, 3), bounds, images())
