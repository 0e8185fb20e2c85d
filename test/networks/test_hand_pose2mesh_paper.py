# SPDX-License-Identifier: Apache-2.0
"""The paper's network for hands: its graph of joints, the widths of its blocks, and its form for inference."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import MANO
from hmr_ros.networks.coarsening import joint_laplacian
from hmr_ros.networks.hand_pose2mesh_paper import HandPaperConfig, build_hand_graph, build_hand_pose2mesh
from hmr_ros.networks.meshnet import HAND_SHAPE
from hmr_ros.networks.pose2mesh import normalise_pose

from .meshes import age

HAND = load_hand_model(models_dir() / "open_hand.npz")
GRAPH = build_hand_graph(HandPaperConfig(), HAND)

# Of the released code: bones from the wrist along each finger, and the same joints of adjacent fingers.
BONES = [(0, first) for first in (1, 5, 9, 13, 17)] + [
    (joint, joint + 1) for first in (1, 5, 9, 13, 17) for joint in range(first, first + 3)
]
NEIGHBOURS = [
    (1, 5), (5, 9), (9, 13), (13, 17), (2, 6), (6, 10), (10, 14), (14, 18),
    (3, 7), (7, 11), (11, 15), (15, 19), (4, 8), (8, 12), (12, 16), (16, 20),
]  # fmt: skip


def test_the_graph_of_joints_links_bones_neighbouring_fingers_and_each_joint_with_itself():
    expected = np.eye(21, dtype=bool)
    for a, b in BONES + NEIGHBOURS:
        expected[a, b] = expected[b, a] = True
    laplacian = joint_laplacian(MANO).toarray()
    assert ((laplacian != 0) == expected).all()
    degree = expected.sum(1)
    assert laplacian[0, 1] == pytest.approx(-1 / np.sqrt(degree[0] * degree[1]))
    assert laplacian.diagonal() == pytest.approx(1 - 1 / degree)


def test_features_are_those_of_the_released_code():
    blocks = (HAND_SHAPE.pose, *HAND_SHAPE.levels, HAND_SHAPE.last)
    inner = ((256, 256, 256),) * 3
    assert blocks == ((5, 32, 64, 64), (64, 128, 256), *inner, (256, 128, 128), (128, 64, 3))


def test_six_coarsenings_whose_five_finest_graphs_are_used():
    assert len(GRAPH.sizes) == 5
    assert all(fine == 2 * coarse for fine, coarse in pairwise(GRAPH.sizes))
    assert GRAPH.sizes[0] % 64 == 0  # of the sixth coarsening as well, which is left out
    assert GRAPH.real[0].sum() == 778


def test_the_mesh_part_is_as_large_as_the_papers():
    """7.35 M with the 68 coarsest nodes that its code's comments name; how many there are depends on the mesh."""
    network = build_hand_pose2mesh(HandPaperConfig(posenet_width=8), GRAPH, HAND.keypoint_regressor)
    count = sum(p.numel() for p in network.mesh.parameters())
    lift = sum(p.numel() for p in network.mesh.lift.parameters())
    nodes = GRAPH.sizes[-1]
    assert lift == (21 * 64 + 1) * nodes * 64
    assert round((count - lift + lift * 68 // nodes) / 1e6, 2) == 7.35


def test_points_in_any_frame_give_a_mesh_about_the_wrist():
    torch.manual_seed(0)
    network = age(build_hand_pose2mesh(HandPaperConfig(posenet_width=16, narrower=32), GRAPH, HAND.keypoint_regressor))
    (keypoints,) = network.example_inputs(3)
    trained = network(normalise_pose(keypoints))
    assert trained.vertices.shape == (3, 778, 3)
    assert trained.pose3d.shape == (3, 21, 3)
    vertices, joints = network.export_module()(keypoints)
    expected = torch.from_numpy(HAND.keypoint_regressor) @ trained.vertices
    assert joints.shape == (3, 21, 3)
    torch.testing.assert_close(joints, expected - expected[:, :1], atol=1e-5, rtol=0)
    torch.testing.assert_close(vertices, trained.vertices - expected[:, :1], atol=1e-5, rtol=0)
    # x and y are normalised each by itself: another place, size and aspect ratio make no difference.
    again, _ = network.export_module()(keypoints * torch.tensor([2.0, 0.5]) + 40)
    torch.testing.assert_close(again, vertices, atol=1e-5, rtol=0)
