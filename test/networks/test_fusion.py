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
    rotations, joints, error, age, mask, published = (x.clone() for x in inputs)
    gone = mask == 0
    rotations[gone], joints[gone], error[gone], age[gone] = torch.eye(3), 5.0, 3.0, 0.7
    published[gone[:, 1:]] = -torch.eye(3)
    for a, b in zip(network(*inputs), network(rotations, joints, error, age, mask, published), strict=True):
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
    weight = network._weights(hidden, *inputs[3:5])
    torch.testing.assert_close(weight.sum(1), torch.ones(4, 24))
    assert (weight < 0).any()
    assert not weight[inputs[4] == 0].any()


def test_answers_to_older_images_are_kept_as_far_as_the_network_says(network):
    inputs = network.example_inputs()
    with torch.no_grad():
        network.kept.bias.fill_(1.0)
        both = network(*inputs[:5], inputs[5][:, :1].expand_as(inputs[5]))[0]
        network.kept.bias.fill_(0.0)
        none = network(*inputs)[0]
    torch.testing.assert_close(none, network(*inputs[:5], torch.zeros_like(inputs[5]))[0])
    two = torch.nonzero(inputs[4].sum(1) == 2)
    torch.testing.assert_close(both[two], inputs[5][two, 0])


@pytest.mark.slow
def test_the_exported_network_does_the_same(network):
    network = trained(network)
    exportable = Exportable(network, network.example_inputs(), network.input_names, network.output_names)
    assert largest_difference(to_onnx(exportable), exportable) < 1e-4
