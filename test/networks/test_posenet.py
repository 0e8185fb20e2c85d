# SPDX-License-Identifier: Apache-2.0
import torch
from torch import nn

from hmr_ros.networks.posenet import PoseNet


def test_size_of_the_paper():
    assert sum(p.numel() for p in PoseNet(17).parameters()) == 67_510_323


def test_blocks_are_residual_and_activate_before_the_linear_layer():
    net = PoseNet(3, width=8).eval()
    for block in net.mlp.blocks:
        nn.init.zeros_(block[-1].weight)
        nn.init.zeros_(block[-1].bias)
    x = torch.randn(2, 3, 2)
    assert torch.equal(net(x), net.mlp.last(net.mlp.first(x.flatten(1))).view(2, 3, 3))
    assert [type(layer).__name__ for layer in net.mlp.blocks[0]] == ["BatchNorm1d", "ReLU", "Dropout", "Linear"] * 2
