# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch

from hmr_ros.core.skeleton import HUMAN36M
from hmr_ros.networks.coarsening import build_mesh_graph, joint_laplacian
from hmr_ros.networks.meshnet import MeshNet, MeshNetShape
from hmr_ros.networks.pose2mesh import Pose2Mesh, Pose2MeshOutput
from hmr_ros.networks.posenet import PoseNet
from hmr_ros.training.losses import LossConfig, MeshLosses, MeshTargets, Pose2MeshLoss, joint_error_loss
from test.training.published import assert_published, assert_ranges

from ..networks.meshes import sphere

FACES, POSITIONS = sphere(60)
VERTICES = torch.from_numpy(POSITIONS).float()[None]
REGRESSOR = torch.softmax(torch.randn(24, 60, generator=torch.Generator().manual_seed(0)), 1)
ALL = torch.ones(1, 1, 1)


PAPER = LossConfig()


def loss() -> Pose2MeshLoss:
    return Pose2MeshLoss(torch.from_numpy(FACES), REGRESSOR)


def total(losses: MeshLosses, epoch: int) -> torch.Tensor:
    return torch.stack(list(losses.weighted(PAPER, epoch).values())).sum()


def targets(vertices: torch.Tensor = VERTICES) -> MeshTargets:
    people = len(vertices)
    return MeshTargets(vertices, 1000 * REGRESSOR @ vertices, torch.zeros(people, 17, 3), ALL, ALL, ALL)


def output(vertices: torch.Tensor, pose3d: float = 0.0) -> Pose2MeshOutput:
    return Pose2MeshOutput(vertices, torch.full((len(vertices), 17, 3), pose3d))


def test_the_truth_costs_nothing():
    losses = loss()(output(VERTICES), targets())
    assert losses.vertex == losses.edge == losses.lift == 0
    assert losses.joint < 1e-4  # mm
    assert losses.normal < 1e-6  # edges lie in their face


def test_units_and_weights():
    """A shift by 0.1 m on every axis: 0.1 m per vertex coordinate, 100 mm per joint, edges and normals untouched."""
    losses = loss()(output(VERTICES + 0.1, pose3d=30.0), targets())
    assert losses.vertex.item() == pytest.approx(0.1, rel=1e-4)
    assert losses.joint.item() == pytest.approx(100, rel=1e-3)
    assert losses.lift.item() == pytest.approx(30)
    assert total(losses, 1).item() == pytest.approx(0.1 + 1e-3 * 100 + 1e-3 * 30, rel=1e-3)


def test_edges_count_after_their_epoch():
    losses = loss()(output(1.5 * VERTICES), targets())
    corners = VERTICES[0, torch.from_numpy(FACES)]
    assert losses.edge.item() == pytest.approx(
        0.5 * (corners.roll(-1, 1) - corners).norm(dim=-1).mean().item(), rel=1e-4
    )
    assert (total(losses, 8) - total(losses, 7)).item() == pytest.approx(20 * losses.edge.item(), rel=1e-4)


def test_normals_see_a_bent_surface():
    bent = VERTICES * torch.tensor([1.0, 1.0, 0.2])
    one_face = Pose2MeshLoss(torch.from_numpy(FACES[:1]), REGRESSOR)
    losses = one_face(output(bent), targets())
    corners, flat = VERTICES[0, FACES[0]], bent[0, FACES[0]]
    normal = torch.linalg.cross(corners[1] - corners[0], corners[2] - corners[0])
    edges = flat.roll(-1, 0) - flat
    cosine = (edges @ normal) / (edges.norm(dim=1) * normal.norm())
    assert losses.normal.item() == pytest.approx(cosine.abs().mean().item(), rel=1e-4)
    assert losses.normal > 0.05


def test_masks_hide_all_but_edges_and_normals():
    hidden = torch.zeros(1, 1, 1)
    masked = replace(targets(), vertices_mask=hidden, joints_mask=hidden, pose3d_mask=hidden)
    losses = loss()(output(VERTICES * torch.tensor([2.0, 1.0, 1.0]), pose3d=5.0), masked)
    assert losses.vertex == losses.joint == losses.lift == 0
    assert losses.edge > 0
    assert losses.normal > 0


def test_masked_elements_stay_in_the_mean():
    half = torch.ones(1, 17, 1)
    half[:, :8] = 0
    losses = loss()(output(VERTICES, pose3d=17.0), replace(targets(), pose3d_mask=half))
    assert losses.lift.item() == pytest.approx(9)


def test_the_papers_network_learns():
    """Ten bodies (ellipsoids) from their poses: both stages' losses fall by far under the paper's optimiser."""
    torch.manual_seed(0)
    shape = MeshNetShape(pose=(5, 16, 16), levels=((16, 16), (16, 16)), last=(16, 3))
    graph = build_mesh_graph(FACES, POSITIONS, levels=3).finest(2)
    mesh = MeshNet(joint_laplacian(HUMAN36M), graph, shape)
    net = Pose2Mesh(PoseNet(17, width=64, dropout=0.0), mesh, HUMAN36M, REGRESSOR).train()
    vertices = VERTICES * (0.5 + torch.rand(10, 1, 3))
    ground_truth = replace(targets(vertices), pose3d=100 * torch.randn(10, 17, 3))
    pose2d = ground_truth.pose3d[..., :2] / 100
    criterion, optimiser = loss(), torch.optim.RMSprop(net.parameters(), lr=1e-3)
    history = []
    for step in range(60):
        losses = criterion(net(pose2d), ground_truth)
        optimiser.zero_grad()
        total(losses, 1 + step // 5).backward()
        optimiser.step()
        history.append(losses)
    first, last = history[0], history[-1]
    assert last.vertex < 0.3 * first.vertex
    assert last.lift < 0.8 * first.lift
    assert last.edge < 0.5 * first.edge


def test_the_weights_are_the_papers():
    assert_published(LossConfig, vertex=1.0, joint=1e-3, normal=0.1, edge=20.0, lift=1e-3, edge_start_epoch=7)
    assert_ranges(LossConfig)


def test_the_expected_error_is_learnt_as_the_mean_of_the_errors_of_all_joints_but_the_root():
    """log e + error / e by hand, and smallest where e is the error."""
    error = torch.tensor([[9.0, 0.02, 0.04], [9.0, 0.06, 0.08]])
    expected = torch.full((2, 3), 0.05, requires_grad=True)
    loss_of = joint_error_loss(error, expected)
    assert loss_of.item() == pytest.approx(np.log(0.05) + 1, rel=1e-5)
    loss_of.backward()
    assert expected.grad[:, 0].abs().max() == 0
    assert expected.grad[:, 1:].sum().item() == pytest.approx(0, abs=1e-5)
    assert joint_error_loss(error, torch.full((2, 3), 0.1)) > loss_of
    assert joint_error_loss(error, torch.full((2, 3), 0.025)) > loss_of


def test_every_term_counts_by_its_weight():
    losses = MeshLosses(*(torch.tensor(float(10**k)) for k in range(5)))
    weights = LossConfig(vertex=2, joint=3, normal=4, edge=5, lift=6, edge_start_epoch=7)
    terms = {"vertex": 2.0, "joint": 30.0, "normal": 400.0, "lift": 60_000.0}
    assert {k: v.item() for k, v in losses.weighted(weights, 7).items()} == terms
    assert {k: v.item() for k, v in losses.weighted(weights, 8).items()} == terms | {"edge": 5000.0}
