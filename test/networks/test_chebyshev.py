# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torch import nn

from hmr_ros.networks.blocks import block_order
from hmr_ros.networks.chebyshev import BlockLaplacian, ChebConv, ClenshawConv, DenseLaplacian, SparseLaplacian
from hmr_ros.networks.coarsening import build_mesh_graph

from .meshes import age, sphere

GRAPH = build_mesh_graph(*sphere(300), levels=2)
BLOCKED = block_order(GRAPH)


def features(level: int, count: int) -> torch.Tensor:
    return torch.randn(3, GRAPH.sizes[level], count, generator=torch.Generator().manual_seed(level))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_laplacians_multiply(level):
    x = features(level, 5)
    expected = GRAPH.laplacians[level].toarray() @ x.numpy()
    assert SparseLaplacian(GRAPH.laplacians[level])(x).numpy() == pytest.approx(expected, abs=1e-5)
    assert DenseLaplacian(GRAPH.laplacians[level])(x).numpy() == pytest.approx(expected, abs=1e-5)
    nodes = BLOCKED.nodes[level]
    blocked = np.zeros((3, BLOCKED.sizes[level], 5), np.float32)
    blocked[:, : len(nodes)] = x.numpy()[:, nodes]
    actual = BlockLaplacian(BLOCKED.laplacians[level])(torch.from_numpy(blocked))
    assert actual[:, : len(nodes)].numpy() == pytest.approx(expected[:, nodes], abs=1e-5)


def test_convolution_is_the_sum_of_chebyshev_terms():
    conv = ChebConv(4, 6)
    x = features(1, 4).double().numpy()
    laplacian = GRAPH.laplacians[1].toarray().astype(float)
    terms = [np.eye(len(laplacian)), laplacian, 2 * laplacian @ laplacian - np.eye(len(laplacian))]
    weight = conv.linear.weight.detach().double().numpy()
    expected = sum(term @ x @ weight[:, k::3].T for k, term in enumerate(terms)) + conv.linear.bias.detach().numpy()
    actual = conv(features(1, 4), SparseLaplacian(GRAPH.laplacians[1]))
    assert actual.detach().numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("normed", [False, True], ids=["bare", "batch norm"])
def test_deployed_convolution_is_the_reference(normed):
    conv = ChebConv(7, 9)
    nn.init.normal_(conv.linear.bias)
    norm = age(nn.BatchNorm1d(9)) if normed else None
    x = features(0, 7)
    expected = conv(x, SparseLaplacian(GRAPH.laplacians[0]))
    expected = expected if norm is None else norm(expected.flatten(0, 1)).view_as(expected)
    nodes = torch.from_numpy(BLOCKED.nodes[0])
    blocked = torch.zeros(3, BLOCKED.sizes[0], 7).index_copy(1, torch.arange(len(nodes)), x[:, nodes])
    actual = ClenshawConv.from_chebyshev(conv, norm)(blocked, BlockLaplacian(BLOCKED.laplacians[0]))
    assert (actual[:, : len(nodes)] - expected[:, nodes]).abs().max() <= 1e-5


def test_initial_weights_are_the_papers():
    conv = ChebConv(64, 128)
    bound = (2 / (3 * 64 + 128)) ** 0.5
    assert 0.95 * bound < conv.linear.weight.abs().max() <= bound
    assert (conv.linear.bias == 0).all()


def test_unblocked_laplacian_is_refused():
    with pytest.raises(ValueError, match="multiple of 32 nodes, got 30"):
        BlockLaplacian(GRAPH.laplacians[0][:30, :30])


def test_weights_start_as_in_the_papers_code():
    """Uniform within sqrt(2 / (3 F_in + F_out)), biases zero."""
    torch.manual_seed(0)
    linear = ChebConv(30, 40).linear
    bound = (2 / (3 * 30 + 40)) ** 0.5
    assert 0.98 * bound < linear.weight.max() <= bound
    assert -bound <= linear.weight.min() < -0.98 * bound
    assert not linear.bias.any()


def test_a_convolution_by_hand():
    """One node, L = 3: x W0 + 3 x W1 + (2 * 9 - 1) x W2 + b."""
    conv = ChebConv(1, 1)
    with torch.no_grad():
        conv.linear.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        conv.linear.bias.fill_(0.5)
    laplacian = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(laplacian.weight, 3.0)
    x = torch.tensor([[[2.0]]])
    expected = 2 * (1 + 30 + 1700) + 0.5
    assert conv(x, laplacian).item() == pytest.approx(expected)
    assert ClenshawConv.from_chebyshev(conv)(x, laplacian).item() == pytest.approx(expected)
