# SPDX-License-Identifier: Apache-2.0
"""Weights are found again in exported files, however the exporter named, turned, joined and folded them."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from hmr_ros.export.fp16 import to_fp16
from hmr_ros.export.graph_pairs import Graph, paired_constants
from hmr_ros.export.onnx_graph import Exportable, largest_difference, to_onnx, with_fp16_weights
from hmr_ros.export.reading import read_weights


class Awkward(nn.Module):
    """What the exporter keeps, transposes, stores once, folds and leaves out; and a layer that it does not export."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(2, 3, 1)
        self.first, self.second = nn.Linear(3, width), nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.decay = nn.Parameter(torch.linspace(-1, 1, width))
        self.register_buffer("mean", torch.rand(width))
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 2, 5) -> (B, 5, 24)."""
        hidden = self.first(self.convolution(x).transpose(1, 2)) + self.mean
        for norm in self.norms:
            hidden = norm(hidden) * self.decay.exp()
        return self.second(torch.relu(hidden))


def exportable(network: nn.Module) -> Exportable:
    return Exportable(network.eval(), (torch.randn(3, 2, 5),), ("x",), ("y",))


@pytest.fixture(scope="module")
def trained() -> Awkward:
    """Its two norms are equal, and its last bias is zero, as parts are that were never trained."""
    torch.manual_seed(1)
    network = Awkward()
    nn.init.zeros_(network.second.bias)
    return network


@pytest.fixture(scope="module")
def model(trained) -> ModelProto:
    return to_onnx(exportable(trained))


@pytest.mark.parametrize(
    "stored", [lambda model: model, with_fp16_weights, pytest.param(to_fp16, marks=pytest.mark.slow)]
)
def test_what_was_exported_is_read_back(trained, model, stored):
    torch.manual_seed(2)
    network = Awkward()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = read_weights(stored(model), exportable(network), network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), "reading leaves the network as it is"
    exact = stored(model) is model
    for name, value in trained.state_dict().items():
        expected = before[name] if name.startswith("unused") else value
        torch.testing.assert_close(found[name], expected, rtol=1e-6 if exact else 1e-3, atol=1e-7 if exact else 1e-4)
    network.load_state_dict(found)
    if stored is not to_fp16:
        assert largest_difference(stored(model), exportable(network)) < 1e-5


def test_another_size_is_named(model):
    network = Awkward(width=16)
    with pytest.raises(ValueError, match=r"second\.bias: expected 16, the file has 24"):
        read_weights(model, exportable(network), network)


@pytest.mark.slow
def test_another_network_is_named(model):
    other = nn.Sequential(Awkward(), nn.Sigmoid())
    with pytest.raises(ValueError, match=r"the networks differ: \w+ makes .*, where Sigmoid is expected"):
        read_weights(model, exportable(other), other)


class Folded(Awkward):
    """Its mean is multiplied before the file is written."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 2, 5) -> (B, 5, 24)."""
        return self.second(self.first(self.convolution(x).transpose(1, 2)) + self.mean * 64)


@pytest.mark.slow
def test_a_weight_that_was_folded_is_named():
    network = Folded()
    with pytest.raises(ValueError, match=r"^mean: folded into other constants"):
        read_weights(to_onnx(exportable(network)), exportable(network), network)


def graph(nodes: list[onnx.NodeProto], **stored: list[float]) -> Graph:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    constants = [numpy_helper.from_array(np.float32(array), name) for name, array in stored.items()]
    return Graph.of(helper.make_model(helper.make_graph(nodes, "graph", values[:1], values[1:], constants)))


def test_an_addition_of_zeros_that_was_left_out_is_none():
    ours = graph(
        [helper.make_node("Mul", ["x", "a"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])], a=[1, 2], b=[3, 4]
    )
    theirs = graph([helper.make_node("Mul", ["x", "c"], ["y"])], c=[5, 6])
    (b, none), (a, c) = paired_constants(ours, theirs)
    assert (b.tolist(), none, a.tolist(), c.tolist()) == ([3, 4], None, [1, 2], [5, 6])
    with pytest.raises(ValueError, match="Add makes 'y', where Mul is expected"):
        list(paired_constants(theirs, ours))


@pytest.mark.slow
def test_a_weight_of_which_a_part_is_read_is_named(model, monkeypatch):
    network = Awkward()
    half = replace(exportable(network), module=Half(network))
    with pytest.raises(ValueError, match=r"second\.weight: only a part of it is in the file"):
        read_weights(to_onnx(half), half, network)


class Half(nn.Module):
    """Uses one half of a weight."""

    def __init__(self, network: Awkward) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 2, 5) -> (B, 5, 12)."""
        hidden = self.network.first(self.network.convolution(x).transpose(1, 2))
        return hidden @ self.network.second.weight[:, :12]
