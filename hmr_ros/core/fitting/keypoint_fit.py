# SPDX-License-Identifier: Apache-2.0
"""Joint rotations of SMPL bodies by their 2D keypoints.

A lifting network is right about depth and about what is hidden, on average; where a wrist is in the image was measured.
So Gauss-Newton steps minimise the distance of each keypoint from the measured one in normalized image coordinates,
robustly, against the rotation of every joint from its lifted pose. (SMPLify, Bogo et al., ECCV 2016, with the lifted
pose as its prior.) The same puts a pose that was fused over time back on the keypoints of its image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinning import Skin, chained_joints, transformed, world_rotations
from hmr_ros.core.fitting.translation import EXPECTED_DEVIATION
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS

KEYPOINT_NOISE = 0.05
"""Standard deviation of a sure keypoint, as a fraction of the person's angular size."""

_OUTLYING = 3.0
"""Keypoints farther off than this, in standard deviations, lose most of their weight (Geman-McClure)."""

_MAX_STEP_RAD = 0.5
_NEAREST_M = 0.1
_SMALLEST_RAD = 1e-6
_ROTATIONS = 3 * SMPL.size
"""Unknowns of the joints; three of the translation follow them."""
_FREE = 1e-6
"""Weight, per m², that holds nothing but the balance of the linear system."""


@dataclass(frozen=True)
class Stiffness:
    """How firmly a body is held while it goes to its keypoints.

    ``rotation_rad``: standard deviation of a joint angle; smaller holds the pose, larger follows keypoints into their
    noise. ``distance``: of an expected z, as a fraction of it. ``steps`` of Gauss-Newton.
    """

    rotation_rad: float
    distance: float
    steps: int


LIFTED = Stiffness(rotation_rad=0.1, distance=EXPECTED_DEVIATION, steps=1)
"""For the body of one image."""

FUSED = Stiffness(rotation_rad=0.04, distance=0.001, steps=1)
"""For a pose that many images say. It is near its keypoints, and where it is not, these are doubtful as well; the
distance is left to what measures it. Chosen on people of the training subjects (docs/fusion.md)."""


@dataclass(frozen=True, eq=False)
class Placed:
    """P bodies, optical frame: ``global_orient`` (P, 3), ``body_pose`` (P, 23, 3) rotvecs; ``cam_t`` (P, 3) m."""

    global_orient: Floats
    body_pose: Floats
    cam_t: Floats


@dataclass(frozen=True, eq=False)
class _Evidence:
    """``keypoints`` of P people, and the standard deviation ``noise`` (P, 1) rad of a sure one."""

    keypoints: Keypoints
    noise: Floats

    @staticmethod
    def of(keypoints: Keypoints) -> _Evidence:
        size = np.maximum(keypoints.angular_size(), _SMALLEST_RAD)
        return _Evidence(keypoints, KEYPOINT_NOISE * size[:, None])


@dataclass(frozen=True, eq=False)
class _Prior:
    """What is known besides: how far ``away`` (P, 75) the unknowns are from it, and with what ``weight`` (P, 75)."""

    weight: Floats
    away: Floats

    @staticmethod
    def of(cam_t: Floats, expected_z: Floats | None, stiffness: Stiffness) -> _Prior:
        """Joints keep their rotation; the translation is free, but for z where one is expected."""
        weight = np.full((len(cam_t), _ROTATIONS + 3), stiffness.rotation_rad**-2)
        weight[:, _ROTATIONS:] = _FREE
        away = np.zeros_like(weight)
        if expected_z is not None:
            weight[:, -1] = (stiffness.distance * expected_z) ** -2.0
            away[:, -1] = cam_t[:, 2] - expected_z
        return _Prior(weight, away)


class KeypointFit:
    """Fits bodies of one model to keypoints of one joint set."""

    def __init__(self, body_model: BodyModel, joint_set: str, stiffness: Stiffness = LIFTED) -> None:
        regressor = body_model.regressor(joint_set)
        used = np.flatnonzero((regressor != 0).any(0))
        self._body_model, self._stiffness = body_model, stiffness
        self._regressor = regressor[:, used]
        self._skin: Skin = body_model.skin.subset(used)
        self._reach = self._regressor @ self._skin.reach.T
        """(J, 24): how much a keypoint follows a joint, itself or through the joints below."""

    def __call__(
        self,
        start: Placed,
        betas: Floats,
        keypoints: Keypoints,
        expected_z: Floats | None = None,
        smoothed: Callable[[Floats], Floats] = np.asarray,
    ) -> Placed:
        """Bodies of shape ``betas`` (P, 10), rotated and moved from ``start`` towards ``keypoints``.

        ``expected_z`` (P,) m: z of the pelvis by another estimate. ``smoothed``: what becomes of each step (P, 75), a
        rotation vector for every joint in its parent's frame, then the translation in m.
        """
        rotations = rotvec_to_rotmat(np.concatenate([start.global_orient[:, None], start.body_pose], 1))
        cam_t = start.cam_t.astype(np.float64)
        evidence = _Evidence.of(keypoints)
        prior = _Prior.of(cam_t, expected_z, self._stiffness)
        for _ in range(self._stiffness.steps):
            step = smoothed(self._step(rotations, betas, cam_t, evidence, prior))
            rotations = rotvec_to_rotmat(step[:, :_ROTATIONS].reshape(-1, SMPL.size, 3)) @ rotations
            cam_t = cam_t + step[:, _ROTATIONS:]
            prior = _Prior(prior.weight, prior.away + step)
        pose = rotmat_to_rotvec(rotations)
        return Placed(pose[:, 0], pose[:, 1:], cam_t)

    def keypoints(self, rotations: Floats, betas: Floats) -> Floats:
        """(P, J, 3) m, the pelvis at 0, of bodies of shape ``betas`` (P, 10).

        ``rotations`` (P, 24, 3, 3) child -> parent; the root's into the frame of the result.
        """
        rotations = rotations.astype(np.float32)
        keypoints, _ = self._keypoints(rotations, world_rotations(rotations), betas.astype(np.float32))
        return keypoints

    def _step(
        self,
        rotations: Floats,
        betas: Floats,
        cam_t: Floats,
        evidence: _Evidence,
        prior: _Prior,
    ) -> Floats:
        """(P, 75): rotvecs to rotate each joint by, in its parent's frame, and m to move the body by."""
        # Posing is done in the body model's float32, as converting its large arrays would take longer than all else.
        rotations = rotations.astype(np.float32)
        world = world_rotations(rotations)
        keypoints, joints = self._keypoints(rotations, world, betas.astype(np.float32))
        position = keypoints + cam_t[:, None]
        z, normalized = np.maximum(position[..., 2], _NEAREST_M)[..., None], evidence.keypoints.normalized
        residual = (position[..., :2] - normalized * position[..., 2:]) / z
        columns = (
            np.concatenate([self._turning(keypoints, joints, world, normalized), _moving(normalized)], -1)
            / z[..., None]
        )

        fraction = np.linalg.norm(residual, axis=-1) / (_OUTLYING * evidence.noise)
        weight = evidence.keypoints.score / (1 + fraction**2) ** 2 / evidence.noise**2
        weighted = weight[..., None, None] * columns
        people, unknowns, equations = len(betas), columns.shape[-1], 2 * columns.shape[1]
        flat, weighted = (x.reshape(people, equations, unknowns) for x in (columns, weighted))
        normal = weighted.swapaxes(1, 2) @ flat + prior.weight[..., None] * np.eye(unknowns)
        slope = weighted.swapaxes(1, 2) @ residual.reshape(people, equations, 1)
        step = -np.linalg.solve(normal, slope + (prior.weight * prior.away)[..., None])[..., 0]
        turn = step[:, :_ROTATIONS].reshape(people, SMPL.size, 3)
        length = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn *= np.minimum(1, _MAX_STEP_RAD / np.maximum(length, 1e-9))  # a view: shortens ``step`` itself
        return np.asarray(step)

    def _keypoints(self, rotations: Floats, world: Floats, betas: Floats) -> tuple[Floats, Floats]:
        """Keypoints (P, J, 3) and SMPL joints (P, 24, 3) m, the pelvis at 0."""
        rest = self._body_model.rest_joints(betas)
        joints = chained_joints(world, rest)
        transforms = self._skin.blended(world, joints, rest)
        vertices = transformed(transforms, self._skin.unposed(betas, rotations))
        return self._regressor @ vertices.swapaxes(1, 2), joints

    def _turning(self, keypoints: Floats, joints: Floats, world: Floats, normalized: Floats) -> Floats:
        """(P, J, 2, 72): how X - u Z and Y - v Z of a keypoint change as each joint rotates in its parent's frame."""
        arm = (keypoints[:, :, None] - joints[:, None]) * self._reach[..., None]
        x, y, z = np.moveaxis(arm, -1, 0)
        zero = np.zeros_like(x)
        # Rows of the matrix of w -> w x arm.
        along_x, along_y = np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1)
        along_z = np.stack([y, -x, zero], -1)
        u, v = normalized[..., None, :1], normalized[..., None, 1:]
        rows = np.stack([along_x - u * along_z, along_y - v * along_z], 2)
        parents = world[:, SMPL_PARENTS]
        parents[:, 0] = np.eye(3)
        turned: Floats = rows[..., None, :] @ parents[:, None, None]
        return turned.reshape(*rows.shape[:3], 3 * SMPL.size)


def _moving(normalized: Floats) -> Floats:
    """(P, J, 2, 3): how X - u Z and Y - v Z of a keypoint change as the body moves."""
    columns = np.zeros((*normalized.shape, 3))
    columns[..., 0, 0] = columns[..., 1, 1] = 1
    columns[..., 2] = -normalized
    return columns
