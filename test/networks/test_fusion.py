# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from hmr_ros.export.onnx_graph import Exportable, largest_difference, to_onnx
from hmr_ros.networks.fusion import FusionConfig, FusionNet


@pytest.fixture
def network():
    torch.manual_seed(0)
    return FusionNet(FusionConfig(width=32, layers=1, heads=2)).eval()


def trained(network):
    """As after some training: every weight moved."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape)
    return network


def test_untrained_it_returns_a_single_image_as_it_is(network):
    inputs = network.example_inputs()
    fused, error, forecast, _ = network(*inputs)
    torch.testing.assert_close(fused[0], inputs[0][0, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(error[0], inputs[2][0, 0])
    assert not forecast.any()


def test_images_that_are_missing_change_nothing(network):
    network = trained(network)
    inputs = network.example_inputs()
    rotations, joints, error, age, mask = (x.clone() for x in inputs)
    gone = mask == 0
    rotations[gone], joints[gone], error[gone], age[gone] = torch.eye(3), 5.0, 3.0, 0.7
    for a, b in zip(network(*inputs), network(rotations, joints, error, age, mask), strict=True):
        torch.testing.assert_close(a, b)


def test_results_are_rotations_and_the_pelvis_stays(network):
    fused, _, forecast, error = trained(network)(*network.example_inputs())
    identity = torch.eye(3).expand_as(fused)
    torch.testing.assert_close(fused @ fused.mT, identity, atol=1e-5, rtol=0)
    assert not forecast[:, :, 0].any()
    assert (error > 0).all()


def test_weights_of_the_images_sum_to_one_and_may_be_negative(network):
    network = trained(network)
    inputs = network.example_inputs()
    hidden = network.hidden(*inputs)
    with torch.no_grad():
        network.beyond.weight *= 30
    weight = network._weights(hidden, *inputs[3:])
    torch.testing.assert_close(weight.sum(1), torch.ones(4, 24))
    assert (weight < 0).any()
    assert not weight[inputs[4] == 0].any()


@pytest.mark.slow
def test_the_exported_network_does_the_same(network):
    network = trained(network)
    exportable = Exportable(network, network.example_inputs(), network.input_names, network.output_names)
    assert largest_difference(to_onnx(exportable), exportable) < 1e-4
