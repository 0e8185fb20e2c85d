# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

from hmr_ros.training.memory import Footprint, fixed_bytes, saved_bytes


def test_what_the_backward_pass_needs_is_counted_once():
    layer = nn.Linear(4, 8)
    x = torch.zeros(3, 4, requires_grad=True)

    def loss():
        hidden = layer(x)  # keeps x, and its own weight
        return (hidden.exp() + hidden.exp()).sum()  # each exponential keeps its result

    assert saved_bytes(layer, loss) == 4 * (3 * 4 + 2 * 3 * 8)


def test_it_grows_with_the_batch():
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    two, four = (saved_bytes(net, lambda n=n: net(torch.zeros(n, 4)).sum()) for n in (2, 4))
    assert two < four <= 2 * two


def test_weights_gradients_average_and_optimiser_count_whatever_the_batch():
    net = nn.Linear(4, 8)
    weights = 4 * (4 * 8 + 8)
    assert fixed_bytes(net, "rmsprop") == 4 * weights
    assert fixed_bytes(net, "adamw") == 5 * weights
    net.requires_grad_(False)
    assert fixed_bytes(net, "adamw") == 2 * weights


def test_the_batch_that_fits():
    footprint = Footprint(fixed=100, sample=7.0)
    assert footprint.batch(170) == 10
    assert footprint.total(10) == pytest.approx(170)
    assert footprint.batch(50) == 0
