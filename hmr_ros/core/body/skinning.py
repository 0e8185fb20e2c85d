# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics along SMPL's tree, and linear blend skinning with shape and pose blend shapes.

Vertices are planar here, (3, V) instead of (V, 3), so that every step runs over contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s, Ints
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS


def _levels() -> tuple[Int64s, ...]:
    depth = np.zeros(SMPL.size, np.int64)
    for joint in range(1, SMPL.size):
        depth[joint] = depth[SMPL_PARENTS[joint]] + 1
    return tuple(np.flatnonzero(depth == d) for d in range(1, depth.max() + 1))


_TREE_LEVELS = _levels()
"""Joints at depth 1, 2, ... of the tree, so that walking down takes 8 steps instead of 23."""


def world_rotations(rotations: Floats) -> Floats:
    """(..., 24, 3, 3) child -> parent, the root's into the world -> (..., 24, 3, 3) joint -> world."""
    world = rotations.copy()
    for level in _TREE_LEVELS:
        world[..., level, :, :] = world[..., SMPL_PARENTS[level], :, :] @ rotations[..., level, :, :]
    return world


def local_rotations(world: Floats) -> Floats:
    """(..., 24, 3, 3) joint -> world to child -> parent, the inverse of ``world_rotations``."""
    local = world.copy()
    local[..., 1:, :, :] = world[..., SMPL_PARENTS[1:], :, :].swapaxes(-1, -2) @ world[..., 1:, :, :]
    return local


def chained_joints(world: Floats, rest: Floats) -> Floats:
    """(..., 24, 3, 3) joint -> world and rest joints (..., 24, 3) m -> (..., 24, 3) m posed, pelvis at 0."""
    bones = rest[..., 1:, :] - rest[..., SMPL_PARENTS[1:], :]
    rotated = (world[..., SMPL_PARENTS[1:], :, :] @ bones[..., None])[..., 0]
    joints = np.concatenate([np.zeros_like(rotated[..., :1, :]), rotated], -2)
    for level in _TREE_LEVELS:
        joints[..., level, :] += joints[..., SMPL_PARENTS[level], :]
    return joints


@dataclass(frozen=True, eq=False)
class Skin:
    """Vertices that follow a skeleton.

    ``template`` (3, V) m; ``directions`` (D, 3, V) m per unit: shape directions, then those of the 207 pose features;
    ``weights`` (24, V) skinning weights, columns sum to 1.
    """

    template: Floats
    directions: Floats
    weights: Floats

    def subset(self, vertices: Ints) -> Skin:
        """The skin of the ``vertices`` (N,) only."""
        parts = (self.template, self.directions, self.weights)
        return Skin(*(np.ascontiguousarray(part[..., vertices]) for part in parts))

    @property
    def reach(self) -> Floats:
        """(24, V) how much a vertex follows a joint's rotation: by its weight, and by those of the joints below it."""
        reach = self.weights.copy()
        for joint in range(SMPL.size - 1, 0, -1):
            reach[SMPL_PARENTS[joint]] += reach[joint]
        return reach

    def unposed(self, betas: Floats, rotations: Floats) -> Floats:
        """(P, 10) and child -> parent rotations (P, 24, 3, 3) -> (P, 3, V) m: shaped and corrected, still in T-pose."""
        feature = rotations[:, 1:] - np.eye(3, dtype=rotations.dtype)
        coefficients = np.concatenate([betas, feature.reshape(len(betas), 9 * (SMPL.size - 1))], 1)
        moved = coefficients @ self.directions.reshape(len(self.directions), -1)
        return moved.reshape(len(betas), *self.template.shape) + self.template

    def blended(self, world: Floats, joints: Floats, rest: Floats) -> Floats:
        """(P, 3, 4, V): each vertex's transform, from joint -> world rotations, posed and rest joints (P, 24, 3) m."""
        offset = joints - (world @ rest[..., None])[..., 0]
        transforms = np.concatenate([world, offset[..., None]], -1).transpose(0, 2, 3, 1)
        blended = transforms.reshape(len(world), 12, SMPL.size) @ self.weights
        return blended.reshape(len(world), 3, 4, self.weights.shape[1])


def transformed(transforms: Floats, vertices: Floats) -> Floats:
    """(P, 3, 4, V) transforms of each vertex, (P, 3, V) m -> (P, 3, V) m."""
    out = transforms[:, :, 3].copy()
    for axis in range(3):
        out += transforms[:, :, axis] * vertices[:, None, axis]
    return out
