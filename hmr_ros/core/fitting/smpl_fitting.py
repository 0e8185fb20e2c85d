# SPDX-License-Identifier: Apache-2.0
"""SMPL parameters from vertices: rotations part by part, then joint refinement of pose, shape and position.

What a mesh network returns has no parameters; robots want joint angles. Nothing here is searched: one Kabsch alignment
of every part, then two Gauss-Newton steps of 82 unknowns, each a small linear system.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.body.skinning import Skin, chained_joints, local_rotations, transformed, world_rotations
from hmr_ros.core.geometry.rotation import project_to_rotmat, rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS

_VERTICES_PER_PART = 16
"""Enough to hold every part; equal numbers, so that face and fingers do not outweigh the limbs."""

_STEPS = 2
_PRIOR_M2 = 5e-7
"""Weight of a unit of every beta and of a radian of every joint angle, per vertex: it costs 0.5 mm on exact meshes, and
keeps what the vertices hardly show (the twist of a collar bone) from taking up noise."""


@dataclass(frozen=True, eq=False)
class SmplFit:
    """SMPL parameters of meshes.

    ``global_orient`` (P, 3), ``body_pose`` (P, 23, 3) rotvecs; ``betas`` (P, 10); ``cam_t`` (P, 3) m, the pelvis joint;
    ``vertex_error`` (P,) m, mean distance of the fitted body from the given vertices, over those that took part.
    """

    global_orient: Floats
    body_pose: Floats
    betas: Floats
    cam_t: Floats
    vertex_error: Floats


def fit_smpl(vertices: Floats, body_model: BodyModel) -> SmplFit:
    """Parameters whose body comes nearest to ``vertices`` (P, V, 3) m, in any frame; float32.

    On the open body, exact meshes of mocap poses come back within 0.8 mm per vertex and 0.9 degrees per joint, on
    average.
    """
    return fit_chosen(vertices[:, chosen_vertices(body_model)], body_model)


def chosen_vertices(body_model: BodyModel) -> Ints:
    """(N,) the vertices that ``fit_smpl`` reads."""
    return _basis(body_model).vertices


def fit_chosen(vertices: Floats, body_model: BodyModel) -> SmplFit:
    """``fit_smpl`` to the ``chosen_vertices`` (P, N, 3) m."""
    basis = _basis(body_model)
    target = vertices.transpose(0, 2, 1).astype(np.float32)
    rotations = local_rotations(project_to_rotmat(basis.cross_covariances(target)))
    start = basis.skinned(rotations, np.zeros((len(target), BETAS), np.float32))
    return _fitted(basis, start, target, _Held(np.eye(3, dtype=np.float32), np.zeros(BETAS, np.float32)))


def refit_chosen(vertices: Floats, rotations: Floats, betas: Floats, body_model: BodyModel) -> SmplFit:
    """``fit_chosen`` to meshes that were moved a little from these parameters, which are the start and are held.

    ``rotations`` (P, 24, 3, 3) child -> parent, ``betas`` (P, 10). A mesh that was not moved keeps them.
    """
    basis = _basis(body_model)
    start = basis.skinned(rotations.astype(np.float32), betas.astype(np.float32))
    target = vertices.transpose(0, 2, 1).astype(np.float32)
    return _fitted(basis, start, target, _Held(start.rotations, start.betas))


def _fitted(basis: _Basis, body: _Body, target: Floats, held: _Held) -> SmplFit:
    """Parameters, from those of ``body`` on, whose vertices come nearest to the ``target`` (P, 3, V')."""
    rotations, betas = body.rotations, body.betas
    for _ in range(_STEPS):
        turn, growth = basis.gauss_newton_step(body, target - body.vertices, held)
        rotations = rotvec_to_rotmat(turn) @ rotations
        betas = betas + growth
        body = basis.skinned(rotations, betas)
    error = target - body.vertices
    cam_t = error.mean(-1)
    distance = np.sqrt(((error - cam_t[..., None]) ** 2).sum(1)).mean(-1)
    pose = rotmat_to_rotvec(rotations)
    return SmplFit(pose[:, 0], pose[:, 1:], betas, cam_t, distance)


@dataclass(frozen=True, eq=False)
class _Body:
    """A body at some step: its parameters, and its ``vertices`` (P, 3, V') with the pelvis at the origin."""

    rotations: Floats
    betas: Floats
    world: Floats
    joints: Floats
    transforms: Floats
    vertices: Floats


@dataclass(frozen=True, eq=False)
class _Held:
    """What joints and shape are held to: ``rotations`` (P, 24, 3, 3) child -> parent, ``betas`` (P, 10).

    Of shape (3, 3) and (10,) where it is the same for all.
    """

    rotations: Floats
    betas: Floats


@dataclass(frozen=True, eq=False)
class _Basis:
    """What fitting reads of a body model, for V' of its ``vertices``.

    ``turning`` (V', 72): template vertices about the middle of each part, times the squares of its weights, so that one
    product gives the cross-covariances of all parts; ``reach`` (24, V') of the skin; ``joint_directions`` (10, 24, 3)
    m per unit of beta.
    """

    body_model: BodyModel
    vertices: Ints
    skin: Skin
    turning: Floats
    reach: Floats
    joint_directions: Floats

    def cross_covariances(self, vertices: Floats) -> Floats:
        """(P, 3, V') -> (P, 24, 3, 3) between the vertices and the template's parts: Kabsch's matrices."""
        return (vertices @ self.turning).reshape(len(vertices), 3, SMPL.size, 3).transpose(0, 2, 1, 3)

    def skinned(self, rotations: Floats, betas: Floats) -> _Body:
        """Pose the chosen vertices; ``rotations`` (P, 24, 3, 3) child -> parent, ``betas`` (P, 10)."""
        world, rest = world_rotations(rotations), self.body_model.rest_joints(betas)
        joints = chained_joints(world, rest)
        transforms = self.skin.blended(world, joints, rest)
        vertices = transformed(transforms, self.skin.unposed(betas, rotations))
        return _Body(rotations, betas, world, joints, transforms, vertices)

    def gauss_newton_step(self, body: _Body, error: Floats, held: _Held) -> tuple[Floats, Floats]:
        """(P, 24, 3) rotvecs to rotate each joint by, in its parent's frame, and (P, 10) to add to the betas.

        The position takes no unknowns: it is the mean of the error, so all is relative to the mean.
        """
        people, unknowns, equations = len(error), 3 * SMPL.size + BETAS, 3 * error.shape[-1]
        columns = self._columns(body)
        columns -= columns.mean(-1, keepdims=True)
        columns = columns.reshape(people, unknowns, equations)
        centred = (error - error.mean(-1, keepdims=True)).reshape(people, equations, 1)

        # A joint rotates in its parent's axes, the columns are in the world's. The root may rotate freely.
        parents = body.world[:, SMPL_PARENTS]
        parents[:, 0] = np.eye(3)
        turned = rotmat_to_rotvec(body.rotations @ held.rotations.swapaxes(-1, -2))
        angles = (parents @ turned[..., None]).reshape(people, 3 * SMPL.size)
        weight = np.full(unknowns, _PRIOR_M2 * error.shape[-1], np.float32)
        weight[:3] = 0
        pull = weight * np.concatenate([angles, body.betas - held.betas], 1)
        normal = columns @ columns.swapaxes(1, 2) + np.diag(weight)
        step = np.linalg.solve(normal, columns @ centred - pull[..., None])
        turn = parents.swapaxes(-1, -2) @ step[:, : 3 * SMPL.size].reshape(people, SMPL.size, 3, 1)
        return turn[..., 0], step[:, 3 * SMPL.size :, 0]

    def _columns(self, body: _Body) -> Floats:
        """(P, 82, 3, V'): how the vertices move with each unknown of a step."""
        turning = 3 * SMPL.size
        columns = np.empty((len(body.betas), turning + BETAS, *body.vertices.shape[1:]), np.float32)
        self._turning_columns(body, columns[:, :turning])
        columns[:, turning:] = self._shape_columns(body)
        return columns

    def _turning_columns(self, body: _Body, out: Floats) -> None:
        """(P, 72, 3, V') into ``out``: how the vertices move when a joint and all below it rotate about x, y, z.

        The axes are the world's.
        """
        arm = (body.vertices[:, None] - body.joints[..., None]) * self.reach[:, None]
        x, y, z = np.moveaxis(arm, 2, 0)
        columns = out.reshape(len(arm), SMPL.size, 3, *arm.shape[2:])  # a view: only the second axis is split
        columns[:, :, 0, 0] = columns[:, :, 1, 1] = columns[:, :, 2, 2] = 0
        columns[:, :, 0, 2], columns[:, :, 1, 0], columns[:, :, 2, 1] = y, z, x
        for row, column, arms in ((0, 1, z), (1, 2, x), (2, 0, y)):
            np.negative(arms, out=columns[:, :, row, column])

    def _shape_columns(self, body: _Body) -> Floats:
        """(P, 10, 3, V'): how the vertices move with each beta."""
        world = body.world[:, None]
        joints = np.broadcast_to(self.joint_directions, (len(world), BETAS, SMPL.size, 3))
        offset = chained_joints(world, joints) - (world @ joints[..., None])[..., 0]
        columns: Floats = offset.swapaxes(-1, -2) @ self.skin.weights
        directions = self.skin.directions[:BETAS]
        for axis in range(3):
            columns += body.transforms[:, None, :, axis] * directions[:, None, axis]
        return columns


@lru_cache(maxsize=1)
def _basis(body_model: BodyModel) -> _Basis:
    """The basis of ``body_model``. Of one model alone: each keeps its model alive after the node freed it."""
    vertices = _evenly(body_model.weights.argmax(1))
    skin = body_model.skin.subset(vertices)
    squared = skin.weights**2
    middle = (skin.template @ squared.T / squared.sum(1)).T
    turning = squared.T[..., None] * (skin.template.T[:, None] - middle)
    zero, unit = np.zeros((1, BETAS), np.float32), np.eye(BETAS, dtype=np.float32)
    directions = body_model.rest_joints(unit) - body_model.rest_joints(zero)
    return _Basis(body_model, vertices, skin, turning.reshape(len(vertices), -1), skin.reach, directions)


def _evenly(part: Ints) -> Ints:
    """(V,) the part of each vertex -> some vertices, equally many of each part."""
    members = [np.flatnonzero(part == p) for p in range(SMPL.size)]
    return np.concatenate([m[np.linspace(0, len(m) - 1, _VERTICES_PER_PART).astype(int)] for m in members if len(m)])
