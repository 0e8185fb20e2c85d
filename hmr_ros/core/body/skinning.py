# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics along a kinematic tree, and linear blend skinning with shape and pose blend shapes.

The tree is SMPL's of 24 joints unless another one is given; K is its number of joints.

Vertices are planar here, (3, V) instead of (V, 3), so that every step runs over contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s, Ints
from hmr_ros.core.skeleton import SMPL_PARENTS


@dataclass(frozen=True, eq=False)
class Tree:
    """A kinematic tree: ``parents`` (K,) of its joints, each before its children; -1 for the root, joint 0."""

    parents: Int64s

    def __post_init__(self) -> None:
        is_tree = self.parents.ndim == 1 and len(self.parents) > 1 and self.parents[0] == -1
        if not is_tree or not ((self.parents[1:] >= 0) & (self.parents[1:] < np.arange(1, len(self.parents)))).all():
            raise ValueError(f"expected a tree whose parents come before their children, got {self.parents.tolist()}")

    @property
    def size(self) -> int:
        """Number of joints K."""
        return len(self.parents)

    @cached_property
    def levels(self) -> tuple[Int64s, ...]:
        """Joints at depth 1, 2, ... of the tree, so that walking down SMPL's takes 8 steps instead of 23."""
        depth = np.zeros(self.size, np.int64)
        for joint in range(1, self.size):
            depth[joint] = depth[self.parents[joint]] + 1
        return tuple(np.flatnonzero(depth == d) for d in range(1, depth.max() + 1))

    @cached_property
    def chains(self) -> Floats:
        """(K, K - 1): 1 where the bone that ends in joint 1, 2, ... is on the way from the root to a joint, else 0."""
        chains = np.eye(self.size, dtype=np.float32)
        for joint in range(1, self.size):
            chains[joint] += chains[self.parents[joint]]
        return chains[:, 1:].copy()


SMPL_TREE = Tree(SMPL_PARENTS)


def world_rotations(rotations: Floats, tree: Tree = SMPL_TREE) -> Floats:
    """(..., K, 3, 3) child -> parent, the root's into the world -> (..., K, 3, 3) joint -> world."""
    world = rotations.copy()
    for level in tree.levels:
        world[..., level, :, :] = world[..., tree.parents[level], :, :] @ rotations[..., level, :, :]
    return world


def local_rotations(world: Floats, tree: Tree = SMPL_TREE) -> Floats:
    """(..., K, 3, 3) joint -> world to child -> parent, the inverse of ``world_rotations``."""
    local = world.copy()
    local[..., 1:, :, :] = world[..., tree.parents[1:], :, :].swapaxes(-1, -2) @ world[..., 1:, :, :]
    return local


def chained_joints(world: Floats, rest: Floats, tree: Tree = SMPL_TREE) -> Floats:
    """(..., K, 3, 3) joint -> world and rest joints (..., K, 3) m -> (..., K, 3) m posed, root at 0."""
    bones = rest[..., 1:, :] - rest[..., tree.parents[1:], :]
    rotated = (world[..., tree.parents[1:], :, :] @ bones[..., None])[..., 0]
    return np.asarray(tree.chains @ rotated)


@dataclass(frozen=True, eq=False)
class Skin:
    """Vertices that follow a skeleton.

    ``template`` (3, V) m; ``directions`` (D, 3, V) m per unit: shape directions, then those of the 9 (K - 1) pose
    features; ``weights`` (K, V) skinning weights, columns sum to 1; the joints' ``tree``.
    """

    template: Floats
    directions: Floats
    weights: Floats
    tree: Tree = SMPL_TREE

    def subset(self, vertices: Ints) -> Skin:
        """The skin of the ``vertices`` (N,) only."""
        parts = (self.template, self.directions, self.weights)
        template, directions, weights = (np.ascontiguousarray(part[..., vertices]) for part in parts)
        return Skin(template, directions, weights, self.tree)

    @property
    def reach(self) -> Floats:
        """(K, V) how much a vertex follows a joint's rotation: by its weight, and by those of the joints below it."""
        reach = self.weights.copy()
        for joint in range(self.tree.size - 1, 0, -1):
            reach[self.tree.parents[joint]] += reach[joint]
        return reach

    def unposed(self, betas: Floats, rotations: Floats) -> Floats:
        """(P, 10) and child -> parent rotations (P, K, 3, 3) -> (P, 3, V) m: shaped and corrected, still at rest."""
        moved = pose_coefficients(betas, rotations) @ self.directions.reshape(len(self.directions), -1)
        return moved.reshape(len(betas), *self.template.shape) + self.template

    def blended(self, world: Floats, joints: Floats, rest: Floats) -> Floats:
        """(P, 3, 4, V): each vertex's transform, from joint -> world rotations, posed and rest joints (P, K, 3) m."""
        blended = transforms_of(world, joints, rest) @ self.weights
        return blended.reshape(len(world), 3, 4, self.weights.shape[1])


def pose_coefficients(betas: Floats, rotations: Floats) -> Floats:
    """(P, 10) and child -> parent rotations (P, K, 3, 3) -> (P, 10 + 9 (K - 1)): those of the ``directions``."""
    feature = rotations[:, 1:] - np.eye(3, dtype=rotations.dtype)
    return np.concatenate([betas, feature.reshape(len(betas), 9 * feature.shape[1])], 1)


def transforms_of(world: Floats, joints: Floats, rest: Floats) -> Floats:
    """(P, 12, K), rows of 3 x 4 matrices, from joint -> world rotations, posed and rest joints (P, K, 3) m."""
    offset = joints - (world @ rest[..., None])[..., 0]
    matrices = np.concatenate([world, offset[..., None]], -1).transpose(0, 2, 3, 1)
    return matrices.reshape(len(world), 12, world.shape[1])


def transformed(transforms: Floats, vertices: Floats) -> Floats:
    """(P, 3, 4, V) transforms of each vertex, (P, 3, V) m -> (P, 3, V) m."""
    out = transforms[:, :, 3].copy()
    for axis in range(3):
        out += transforms[:, :, axis] * vertices[:, None, axis]
    return out
