"""Turn the joints of SMPL bodies until their keypoints lie where they were measured.

A lifting network is right about depth and about what is hidden, on average; where a wrist is in the image was
measured. So two Gauss-Newton steps minimise the angle between each keypoint and its ray, robustly, against what every
joint turns away from the pose it came with. (SMPLify, Bogo et al., ECCV 2016, with the lifted pose as its prior.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.fitting import angular_size
from hmr_ros.core.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS
from hmr_ros.core.skinning import Skin, chained_joints, transformed, world_rotations

Floats = NDArray[np.floating]

TURN_RAD = 0.1
"""Standard deviation of a lifted joint angle: smaller holds the pose, larger follows keypoints into their noise."""

KEYPOINT_NOISE = 0.05
"""Standard deviation of a sure keypoint, as a part of the person's angular size."""

_OUTLYING = 3.0
"""Keypoints this many deviations off lose most of their weight (Geman-McClure)."""

_STEPS = 2
_LARGEST_STEP_RAD = 0.5
_NEAREST_M = 0.1
_LEAST_SIZE = 1e-6


@dataclass(frozen=True, eq=False)
class Placed:
    """Posed bodies at their place: ``global_orient`` (P, 3), ``body_pose`` (P, 23, 3) rotvecs; ``cam_t`` (P, 3) m."""

    global_orient: Floats
    body_pose: Floats
    cam_t: Floats


class KeypointFit:
    """Fits bodies of one model to keypoints of one joint set."""

    def __init__(self, body_model: BodyModel, joint_set: str) -> None:
        regressor = body_model.regressor(joint_set)
        used = np.flatnonzero((regressor != 0).any(0))
        self._body_model = body_model
        self._regressor = regressor[:, used]
        self._skin: Skin = body_model.skin.subset(used)
        reach = self._skin.weights.copy()
        for joint in range(SMPL.size - 1, 0, -1):
            reach[SMPL_PARENTS[joint]] += reach[joint]
        self._reach = self._regressor @ reach.T
        """(J, 24): how much a keypoint follows a joint, itself or through the joints below."""

    def __call__(self, start: Placed, betas: Floats, rays: Floats, score: Floats) -> Placed:
        """Bodies of shape ``betas`` (P, 10) whose keypoints come nearer to ``rays`` (P, J, 2), x/z and y/z.

        ``score`` (P, J) is 0 for missing keypoints, whose rays mean nothing.
        """
        rotations = rotvec_to_rotmat(np.concatenate([start.global_orient[:, None], start.body_pose], 1))
        cam_t = start.cam_t.astype(np.float64)
        turned = np.zeros((len(betas), 3 * SMPL.size))
        seen = (score > 0) & np.isfinite(rays).all(-1)
        rays, score = np.where(seen[..., None], rays, 0.0), np.where(seen, score, 0.0)
        noise = KEYPOINT_NOISE * np.maximum(angular_size(rays, score), _LEAST_SIZE)[:, None]
        for _ in range(_STEPS):
            turn, shift = self._step(rotations, betas, cam_t, turned, rays, score, noise)
            rotations = rotvec_to_rotmat(turn) @ rotations
            turned = turned + turn.reshape(turned.shape)
            cam_t = cam_t + shift
        pose = rotmat_to_rotvec(rotations)
        return Placed(pose[:, 0], pose[:, 1:], cam_t)

    def _step(
        self,
        rotations: Floats,
        betas: Floats,
        cam_t: Floats,
        turned: Floats,
        rays: Floats,
        score: Floats,
        noise: Floats,
    ) -> tuple[Floats, Floats]:
        """(P, 24, 3) rotvecs to turn each joint by, in its parent's frame, and (P, 3) m to move the body by."""
        # Posing is done in the body model's float32, as converting its large arrays would take longer than all else.
        rotations = rotations.astype(np.float32)
        world = world_rotations(rotations)
        keypoints, joints = self._keypoints(rotations, world, betas.astype(np.float32))
        position = keypoints + cam_t[:, None]
        z = np.maximum(position[..., 2], _NEAREST_M)[..., None]
        residual = (position[..., :2] - rays * position[..., 2:]) / z
        columns = np.concatenate([self._turning(keypoints, joints, world, rays), _moving(rays)], -1) / z[..., None]

        share = np.linalg.norm(residual, axis=-1) / (_OUTLYING * noise)
        weight = score / (1 + share**2) ** 2 / noise**2
        weighted = weight[..., None, None] * columns
        people, unknowns, equations = len(betas), columns.shape[-1], 2 * columns.shape[1]
        flat, weighted = (x.reshape(people, equations, unknowns) for x in (columns, weighted))
        prior = np.append(np.full(3 * SMPL.size, TURN_RAD**-2), np.full(3, 1e-6))
        normal = weighted.swapaxes(1, 2) @ flat + np.diag(prior)
        slope = weighted.swapaxes(1, 2) @ residual.reshape(people, equations, 1)
        slope[:, :-3, 0] += prior[:-3] * turned
        step = -np.linalg.solve(normal, slope)[..., 0]
        turn = step[:, :-3].reshape(people, SMPL.size, 3)
        length = np.linalg.norm(turn, axis=-1, keepdims=True)
        return turn * np.minimum(1, _LARGEST_STEP_RAD / np.maximum(length, 1e-9)), step[:, -3:]

    def _keypoints(self, rotations: Floats, world: Floats, betas: Floats) -> tuple[Floats, Floats]:
        """Keypoints (P, J, 3) and SMPL joints (P, 24, 3) m, the pelvis at 0."""
        rest = self._body_model.rest_joints(betas)
        joints = chained_joints(world, rest)
        transforms = self._skin.blended(world, joints, rest)
        vertices = transformed(transforms, self._skin.unposed(betas, rotations))
        return self._regressor @ vertices.swapaxes(1, 2), joints

    def _turning(self, keypoints: Floats, joints: Floats, world: Floats, rays: Floats) -> Floats:
        """(P, J, 2, 72): how X - u Z and Y - v Z of a keypoint change as each joint turns in its parent's frame."""
        arm = (keypoints[:, :, None] - joints[:, None]) * self._reach[..., None]
        x, y, z = np.moveaxis(arm, -1, 0)
        zero = np.zeros_like(x)
        # Rows of the matrix of w -> w x arm.
        along_x, along_y = np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1)
        along_z = np.stack([y, -x, zero], -1)
        u, v = rays[..., None, :1], rays[..., None, 1:]
        rows = np.stack([along_x - u * along_z, along_y - v * along_z], 2)
        parents = world[:, SMPL_PARENTS]
        parents[:, 0] = np.eye(3)
        turned: Floats = rows[..., None, :] @ parents[:, None, None]
        return turned.reshape(*rows.shape[:3], 3 * SMPL.size)


def _moving(rays: Floats) -> Floats:
    """(P, J, 2, 3): how X - u Z and Y - v Z of a keypoint change as the body moves."""
    columns = np.zeros((*rays.shape, 3))
    columns[..., 0, 0] = columns[..., 1, 1] = 1
    columns[..., 2] = -rays
    return columns
