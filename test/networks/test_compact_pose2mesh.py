# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO_FEET, SMPL
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.networks.chebyshev import SparseLaplacian
from hmr_ros.networks.compact_pose2mesh import (
    CompactConfig,
    CompactPose2Mesh,
    CompactTopology,
    NodeFirstLaplacian,
    build_topology,
)

CONFIG = CompactConfig(width=32, blocks=1, channels=8)


def random_bodies(count: int, bend: float, seed: int = 0) -> np.ndarray:
    """(count, V, 3) posed bodies, the first at rest."""
    torch.manual_seed(seed)
    turns = bend * torch.randn(count, 24, 3)
    turns[0] = 0
    skew = torch.zeros(count, 24, 3, 3)
    for (a, b), axis in {(1, 2): 0, (2, 0): 1, (0, 1): 2}.items():
        skew[..., b, a], skew[..., a, b] = turns[..., axis], -turns[..., axis]
    rotations = torch.matrix_exp(skew)
    betas = torch.randn(count, 10) * (torch.arange(count) > 0)[:, None]
    return TorchBodyModel(BODY).posed(rotations[:, 0], rotations[:, 1:], betas).vertices.numpy()


BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def topology() -> CompactTopology:
    return build_topology(random_bodies(120, 0.3), BODY.faces, BODY.weights, CONFIG)


@pytest.fixture(scope="module")
def network(topology) -> CompactPose2Mesh:
    torch.manual_seed(0)
    return CompactPose2Mesh(topology, CONFIG).eval()


@torch.no_grad()
def test_a_mirror_image_is_lifted_as_the_mirror_image(network):
    keypoints, context = torch.rand(3, 21, 3), torch.rand(3, 1)
    flip, mirror = torch.tensor([-1.0, 1, 1]), torch.from_numpy(COCO_FEET.mirror)
    _, joints, error = network(keypoints, context)
    _, turned, turned_error = network(keypoints[:, mirror] * flip, context)
    torch.testing.assert_close(turned[:, SMPL.mirror] * flip, joints)
    torch.testing.assert_close(turned_error[:, SMPL.mirror], error)


@torch.no_grad()
def test_what_is_lifted_is_the_mean_of_person_and_mirror_image(network):
    keypoints, context = torch.rand(3, 21, 3), torch.rand(3, 1)
    flip = torch.tensor([-1.0, 1, 1])
    joints, features, error = network.lifting(keypoints, context)
    others, _, other_error = network.lifting(keypoints[:, COCO_FEET.mirror] * flip, context)
    found = network.mean_with_mirror(*network.lifting(*network.with_mirror(keypoints, context)))
    torch.testing.assert_close(found[0], (joints + others[:, SMPL.mirror] * flip) / 2)
    torch.testing.assert_close(found[1], features)
    torch.testing.assert_close(found[2], (error + other_error[:, SMPL.mirror]) / 2)


def test_upsampling_rebuilds_unseen_bodies(topology):
    bodies = random_bodies(20, 0.3, seed=1)
    rebuilt = np.einsum("vn,bnc->bvc", topology.upsampling.toarray(), bodies[:, topology.vertices])
    error = np.linalg.norm(rebuilt - bodies, axis=-1)
    assert error.mean() < 0.003  # m
    assert np.percentile(error, 99) < 0.015
    np.testing.assert_allclose(topology.upsampling.sum(1), 1, atol=1e-9)


def test_upsampling_does_not_amplify_noise(topology):
    assert np.sqrt(topology.upsampling.multiply(topology.upsampling).sum(1)).mean() < 1


def test_node_first_laplacian_is_the_sparse_product(topology):
    for laplacian in topology.laplacians:
        x = torch.randn(2, laplacian.shape[0], 5)
        expected = SparseLaplacian(laplacian)(x)
        actual = NodeFirstLaplacian(laplacian)(x.transpose(0, 1)).transpose(0, 1)
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_shapes_and_the_root(network):
    vertices, joints, joint_error = network(torch.randn(3, 21, 3), torch.randn(3, 1))
    assert vertices.shape == (3, 6890, 3)
    assert joints.shape == (3, 24, 3)
    assert (joints[:, 0] == 0).all()
    assert (joint_error > 0).all()


def test_people_do_not_mix(network):
    keypoints, context = torch.randn(4, 21, 3), torch.randn(4, 1)
    together = network(keypoints, context)
    alone = network(keypoints[2:3], context[2:3])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a[2:3], b, atol=1e-5, rtol=1e-4)


def test_an_untrained_mesh_rides_on_its_joints(topology, network):
    """Nodes start at the skinning-weighted mean of the joints, so a moved pose moves the mesh along."""
    joints = torch.randn(1, 24, 3)
    nodes = network.mesh(joints, torch.zeros(1, 24, 16))[:, : len(topology.vertices)]
    expected = torch.from_numpy(topology.skinning) @ joints
    assert (nodes - expected).abs().max() < 0.1


def test_topology_survives_a_checkpoint(topology, network):
    again = CompactPose2Mesh(CompactTopology.from_arrays(topology.to_arrays()), CONFIG).eval()
    again.load_state_dict(network.state_dict())
    keypoints, context = torch.randn(1, 21, 3), torch.zeros(1, 1)
    for a, b in zip(network(keypoints, context), again(keypoints, context), strict=True):
        torch.testing.assert_close(a, b)
