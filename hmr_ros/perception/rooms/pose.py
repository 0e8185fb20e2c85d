# SPDX-License-Identifier: Apache-2.0
"""One pose and one shape of a person from those of several cameras.

Rotations are averaged by the information of their expected errors, those that differ widely from the best view's left
out: a network may mirror a person whom it sees from behind. How far the errors of two views are alike is not known, as
one network, with one prior of poses, made them: their covariances are fused by covariance intersection, which is right
whatever they have in common, and never more certain than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.perception.rooms.observation import Observed

_WIDE_RAD = 1.0
"""A joint that is rotated so far from the best view's is another opinion, not another measurement."""


@dataclass(frozen=True, eq=False)
class FusedPose:
    """``global_orient`` (3,) root -> world and ``body_pose`` (23, 3), rotvecs; ``betas`` (10,).

    ``joint_error`` (24,) m; ``joint_covariance`` (24, 3, 3) m^2 in the world.
    """

    global_orient: Floats
    body_pose: Floats
    betas: Floats
    joint_error: Floats
    joint_covariance: Floats


def fused_pose(views: Observed, weights: Floats, size_factors: Floats, growth: Growth) -> FusedPose:
    """Of one person in N > 0 ``views``, which count by ``weights`` (N,) > 0.

    ``size_factors`` (N,): how many times too large each takes the person for.
    """
    information = weights[:, None] / np.square(np.maximum(views.joint_error, 1e-3))
    whole = information[:, 1:].mean(1, keepdims=True)
    of_joints = np.concatenate([whole, information[:, 1:]], 1)
    rotations = np.concatenate([views.orientations[:, None], rotvec_to_rotmat(views.body_pose)], 1)
    pose = rotmat_to_rotvec(_mean_rotations(rotations, of_joints))
    fractions = of_joints / of_joints.sum(0)
    covariance = _intersected(views.joint_covariance, fractions)
    betas = growth.grown(views.betas, 1 / size_factors)
    return FusedPose(
        pose[0],
        pose[1:],
        (whole * betas).sum(0) / whole.sum(),
        (fractions * views.joint_error**-2.0).sum(0) ** -0.5,
        covariance,
    )


def _mean_rotations(rotations: Floats, weights: Floats) -> Floats:
    """(N, J, 3, 3) with ``weights`` (N, J) -> (J, 3, 3), about the view that is best as a whole."""
    best = rotations[weights[:, 0].argmax()]
    away = rotmat_to_rotvec(best.swapaxes(-1, -2) @ rotations)
    near = weights * (np.linalg.norm(away, axis=-1) < _WIDE_RAD)
    return np.asarray(best @ rotvec_to_rotmat((near[..., None] * away).sum(0) / near.sum(0)[:, None]))


def _intersected(covariances: Floats, fractions: Floats) -> Floats:
    """Covariance intersection of (N, J, 3, 3) with ``fractions`` (N, J) that sum to 1; that of the root is 0."""
    out = np.zeros(covariances.shape[1:])
    information = (fractions[:, 1:, None, None] * np.linalg.inv(covariances[:, 1:] + 1e-8 * np.eye(3))).sum(0)
    out[1:] = np.linalg.inv(information)
    return out
