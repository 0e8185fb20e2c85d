# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch.nn import functional as F

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HUMAN36M
from hmr_ros.networks.coarsening import build_mesh_graph, joint_laplacian
from hmr_ros.networks.meshnet import (
    BODY_SHAPE,
    HAND_SHAPE,
    DeployedMeshNet,
    GraphBlock,
    MeshNet,
    MeshNetShape,
    direct,
)

from .meshes import age, joint_features, sphere

SMALL = MeshNetShape(pose=(5, 8, 8), levels=((8, 16), (16, 16, 16), (16, 8)), last=(8, 8, 3))
GRAPH = build_mesh_graph(*sphere(200), levels=4).finest(3)
JOINTS = joint_laplacian(HUMAN36M)


@pytest.mark.parametrize("route", [None, direct(3), (2, 0, 0)], ids=["coarse to fine", "direct", "skipping a level"])
def test_deployed_form_is_exact(route):
    torch.manual_seed(0)
    net = age(MeshNet(JOINTS, GRAPH, SMALL, route))
    x = joint_features(17, 5)
    expected = net(x)
    assert expected.shape == (2, 200, 3)
    assert expected.abs().max() > 0.1
    assert (DeployedMeshNet(net)(x) - expected).abs().max() <= 1e-5


def test_deployed_form_of_the_papers_widths_is_exact():
    torch.manual_seed(0)
    body = load_body_model(models_dir() / "open_body.npz")
    graph = build_mesh_graph(body.faces, body.v_template).finest(8)
    net = age(MeshNet(JOINTS, graph))
    # The paper's 8,784,963 parameters are for 96 coarse nodes; each has 64 features of 17 * 64 weights and a bias.
    assert sum(p.numel() for p in net.parameters()) == 8_784_963 - (96 - graph.sizes[-1]) * 64 * (17 * 64 + 1)
    x = joint_features(17, 5, batch=1)
    assert (DeployedMeshNet(net)(x) - net(x)).abs().max() <= 1e-5


def test_padding_nodes_do_not_reach_real_ones():
    net = age(MeshNet(JOINTS, GRAPH, SMALL))
    x = joint_features(17, 5)
    before = net(x)
    features = SMALL.levels[0][0]
    padding = torch.from_numpy(~GRAPH.real[-1]).repeat_interleave(features)
    assert padding.any()
    net.lift.bias.data[padding] += 10
    assert torch.equal(net(x), before)


def test_nodes_become_vertices_in_the_meshs_order():
    """Without convolutions a vertex is its coarse ancestor's value."""
    shape = MeshNetShape(pose=(5, 3), levels=((3,), (3,), (3,)), last=(3,))
    net = MeshNet(JOINTS, GRAPH, shape).eval()
    for block in net.blocks:
        block.residual = False
    x = joint_features(17, 5)
    coarse = net.lift(net.pose(x, net.joint_laplacian).flatten(1)).view(2, GRAPH.sizes[-1], 3)
    assert torch.equal(net(x), coarse[:, torch.from_numpy(GRAPH.rev // 4)])


def test_residual_resamples_the_features():
    block = GraphBlock((4, 8), residual=True).eval()
    for conv in block.convs:
        torch.nn.init.zeros_(conv.linear.weight)
    x = joint_features(3, 4)
    resampled = F.interpolate(x, 8, mode="linear")
    assert torch.allclose(block(x, torch.nn.Identity()), resampled)
    assert resampled[0, 0, 1] == pytest.approx(float(0.75 * x[0, 0, 0] + 0.25 * x[0, 0, 1]), abs=1e-6)


def test_output_block_ends_bare():
    block = GraphBlock((4, 8, 3), output=True)
    assert len(block.norms) == 1
    assert (age(block)(joint_features(5, 4), torch.nn.Identity()) < 0).any()


def test_shapes_of_the_paper():
    assert (len(BODY_SHAPE.levels), len(HAND_SHAPE.levels)) == (8, 5)
    with pytest.raises(ValueError, match="must start at the width"):
        MeshNetShape((5, 8), ((8, 16), (8, 8)), (8, 3))


def test_graph_and_shape_must_match():
    with pytest.raises(ValueError, match="graph of 3 levels, got 2"):
        MeshNet(JOINTS, GRAPH.finest(2), SMALL)
