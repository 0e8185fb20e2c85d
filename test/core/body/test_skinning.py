# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinning import Tree, chained_joints, local_rotations, transformed, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL_PARENTS

RNG = np.random.default_rng(0)
LOCAL = rotvec_to_rotmat(RNG.normal(size=(2, 5, 24, 3)))


def test_world_rotations_multiply_down_the_tree_and_back():
    world = world_rotations(LOCAL)
    left_hand = LOCAL[..., 0, :, :]
    for joint in (3, 6, 9, 13, 16, 18, 20, 22):
        left_hand = left_hand @ LOCAL[..., joint, :, :]
    assert_allclose(world[..., 22, :, :], left_hand, atol=1e-14)
    assert_allclose(local_rotations(world), LOCAL, atol=1e-14)


def test_chained_joints_keep_bones_rigid():
    world, rest = world_rotations(LOCAL), RNG.normal(size=(2, 5, 24, 3))
    joints = chained_joints(world, rest)
    assert_allclose(joints[..., 0, :], 0)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        bone = rest[..., joint, :] - rest[..., parent, :]
        turned = (world[..., parent, :, :] @ bone[..., None])[..., 0]
        assert_allclose(joints[..., joint, :] - joints[..., parent, :], turned, atol=1e-14)


def test_chained_joints_are_those_of_the_bones_added_from_the_root_on():
    world, rest = world_rotations(LOCAL).astype(np.float32), RNG.normal(size=(2, 5, 24, 3)).astype(np.float32)
    expected = np.zeros_like(rest)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        bone = rest[..., joint, :] - rest[..., parent, :]
        expected[..., joint, :] = expected[..., parent, :] + (world[..., parent, :, :] @ bone[..., None])[..., 0]
    joints = chained_joints(world, rest)
    assert joints.dtype == np.float32
    assert_allclose(joints, expected, atol=2e-6)


def test_some_vertices_are_skinned_as_all_are(exact_body: BodyModel):
    some, rest = np.array([6000, 3, 77]), exact_body.rest_joints(RNG.normal(size=(5, 10)))
    world, betas = world_rotations(LOCAL[0]), RNG.normal(size=(5, 10))
    skinned = [
        transformed(skin.blended(world, rest, rest), skin.unposed(betas, LOCAL[0]))
        for skin in (exact_body.skin, exact_body.skin.subset(some))
    ]
    assert_allclose(skinned[1], skinned[0][..., some], atol=1e-14)


def test_a_vertex_follows_a_joint_by_its_weights_below_it(exact_body: BodyModel):
    """By hand: the weight of the joint and of all whose way to the root passes it."""
    skin = exact_body.skin.subset(np.arange(0, 6890, 500))
    for joint in range(24):
        below = [j for j in range(24) if joint in _way_up(j)]
        assert_allclose(skin.reach[joint], skin.weights[below].sum(0), atol=1e-12)


def _way_up(joint: int) -> list[int]:
    way = [joint]
    while way[-1]:
        way.append(int(SMPL_PARENTS[way[-1]]))
    return way


def test_skinning_is_linear_blending_vertex_by_vertex(exact_body: BodyModel):
    skin, betas = exact_body.skin.subset(np.array([11, 4000])), RNG.normal(size=(5, 10))
    world, rest = world_rotations(LOCAL[0]), exact_body.rest_joints(betas)
    joints = chained_joints(world, rest)
    unposed = skin.unposed(betas, LOCAL[0])
    found = transformed(skin.blended(world, joints, rest), unposed)
    for p, v in np.ndindex(5, 2):
        features = (LOCAL[0][p, 1:] - np.eye(3)).ravel()
        still = skin.template[:, v] + np.concatenate([betas[p], features]) @ skin.directions[:, :, v]
        assert_allclose(unposed[p, :, v], still, atol=1e-12)
        moved = sum(w * (world[p, j] @ (still - rest[p, j]) + joints[p, j]) for j, w in enumerate(skin.weights[:, v]))
        assert_allclose(found[p, :, v], moved, atol=1e-12)


def test_trees_have_parents_before_children():
    tree = Tree(np.array([-1, 0, 1, 0]))
    assert [level.tolist() for level in tree.levels] == [[1, 3], [2]]
    assert tree.chains.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]]
    for parents in ([0, 0], [-1, 2, 0], [-1, -1], [-1]):
        with pytest.raises(ValueError, match="parents come before their children"):
            Tree(np.array(parents))
