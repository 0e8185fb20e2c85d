# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import HUMAN36M
from hmr_ros.networks.coarsening import MeshGraph, joint_laplacian
from hmr_ros.networks.mesh_heads import BOTTLENECK, SMPL_PARAMETERS
from hmr_ros.networks.meshnet import BODY_SHAPE, HAND_SHAPE, MeshNet, MeshNetShape, narrowed, without_inner_blocks
from hmr_ros.networks.pose2mesh import Pose2MeshConfig, build_graph, build_pose2mesh, normalise_pose

from .meshes import age

BODY = load_body_model(models_dir() / "open_body.npz")
THIN = MeshNetShape(pose=(5, 8, 8), levels=((8, 8), *[(8, 8)] * 6, (8, 4)), last=(4, 3))
GRAPH = build_graph(BODY, "pose2mesh", THIN)
SMALL = Pose2MeshConfig(posenet_width=32, fc_width=16)

ABLATIONS = [
    ("vertices", "graph", "coarse_to_fine"),
    ("vertices", "graph", "direct"),
    ("vertices", "graph", "direct_short"),
    ("vertices", "fc", "coarse_to_fine"),
    ("smpl", "graph", "coarse_to_fine"),
    ("smpl", "fc", "coarse_to_fine"),
]


def build(**changes):
    torch.manual_seed(0)
    return age(build_pose2mesh(replace(SMALL, **changes), BODY, GRAPH, THIN))


@pytest.mark.parametrize(("target", "network", "route"), ABLATIONS)
def test_every_ablation_runs_and_deploys(target, network, route):
    net = build(target=target, network=network, route=route)
    (keypoints,) = net.example_inputs(batch=3)
    trained = net(normalise_pose(keypoints))
    assert trained.vertices.shape == (3, 6890, 3)
    assert trained.pose3d.shape == (3, 17, 3)
    vertices, joints = net.export_module()(keypoints)
    expected_joints = net.joint_regressor @ trained.vertices
    assert (vertices - (trained.vertices - expected_joints[:, :1])).abs().max() <= 1e-5
    assert (joints - (expected_joints - expected_joints[:, :1])).abs().max() <= 1e-5


def test_the_blocks_are_the_published_ones_for_so_many_graphs():
    assert (SMALL.shape, replace(SMALL, levels=5).shape) == (BODY_SHAPE, HAND_SHAPE)
    net = build_pose2mesh(replace(SMALL, levels=5, narrower=32), BODY, GRAPH.finest(5))
    assert net.mesh.route == (4, 3, 2, 1, 0)
    assert [block.convs[-1].linear.out_features for block in net.mesh.blocks] == [8, 8, 8, 8, 4]


@pytest.mark.parametrize("joint_set", ["human36m", "coco", "smpl"])
def test_joint_sets(joint_set):
    net = build(joint_set=joint_set)
    assert net(normalise_pose(*net.example_inputs())).vertices.shape == (2, 6890, 3)


def test_untrained_smpl_network_predicts_about_the_rest_body():
    net = build(target="smpl", network="fc")
    torch.nn.init.zeros_(net.mesh.mlp.last.weight)
    torch.nn.init.zeros_(net.mesh.mlp.last.bias)
    vertices = net(normalise_pose(*net.example_inputs())).vertices[0].detach().numpy()
    root = BODY.regressor("human36m")[0]
    assert vertices == pytest.approx(BODY.v_template - root @ BODY.v_template, abs=1e-5)
    assert np.abs(root @ vertices).max() < 1e-5


def test_mesh_loss_does_not_train_posenet():
    net = build().train()
    output = net(normalise_pose(*net.example_inputs()))
    output.vertices.square().mean().backward()
    assert all(p.grad is None for p in net.posenet.parameters())
    assert all(p.grad is not None for p in net.mesh.parameters())


def test_posenet_speaks_millimetres_to_itself_and_metres_to_the_mesh():
    net = build()
    seen = []
    net.mesh.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    pose2d = normalise_pose(*net.example_inputs())
    output = net(pose2d)
    assert torch.equal(seen[0][..., :2], pose2d)
    assert torch.allclose(seen[0][..., 2:] * 1000, output.pose3d)


def test_normalised_pose_forgets_place_and_size():
    pose = torch.randn(4, 17, 2, dtype=torch.float64)
    normal = normalise_pose(pose)
    assert normal.mean(1).abs().max() < 1e-7
    assert normal.std(1, correction=0).numpy() == pytest.approx(1, abs=1e-7)
    assert torch.allclose(normalise_pose(pose * torch.tensor([3.0, 5.0]) + 100), normal)
    assert torch.isfinite(normalise_pose(torch.ones(1, 17, 2))).all()


def test_fewer_features_make_a_smaller_network_of_the_same_input_and_output():
    assert narrowed(BODY_SHAPE, 1) == BODY_SHAPE
    quarter = narrowed(BODY_SHAPE, 4)
    assert (quarter.pose, quarter.levels[0], quarter.last) == ((5, 8, 16, 16), (16, 32, 64), (32, 16, 3))
    assert narrowed(BODY_SHAPE, 1000).pose == (5, 1, 1, 1)


def test_the_short_direct_network_lacks_the_widest_blocks():
    short = without_inner_blocks(BODY_SHAPE)
    assert short.levels == ((64, 128, 256), (256, 128, 128), (128, 128, 128), (128, 128, 128))


def test_the_published_parameter_counts_follow_from_the_published_graph():
    """8.8 M on 96 coarse nodes; 13.5 M where SMPL parameters are read from the padding nodes as well."""
    sizes = [12288 >> level for level in range(8)]
    real = tuple(np.arange(size) < 6890 * size // 12288 for size in sizes)
    graph = MeshGraph(tuple(csr_array((n, n)) for n in sizes), np.arange(12288), real, np.zeros((6890, 3)))
    meshnet = sum(p.numel() for p in MeshNet(joint_laplacian(HUMAN36M), graph).parameters())
    assert round(meshnet / 1e6, 1) == 8.8
    head = (3 * 12288 + 1) * BOTTLENECK + (BOTTLENECK + 1) * SMPL_PARAMETERS
    assert round((meshnet + head) / 1e6, 1) == 13.5
