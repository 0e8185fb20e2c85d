# SPDX-License-Identifier: Apache-2.0
"""From a body around its pelvis to a person in the world, by the 2D keypoints they were seen with.

A network guesses poses well and positions badly; keypoints of a calibrated camera tell the rest. So both methods, and
the evaluation, end here: the place follows from the keypoints (``fitting``), a mesh is pulled onto them
(``keypoint_pull``) and becomes SMPL parameters (``smpl_fitting``), and what still lies beside its keypoint turns the
joints (``keypoint_fit``).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.keypoint_fit import KeypointFit, Placed
from hmr_ros.core.fitting.keypoint_pull import KeypointPull
from hmr_ros.core.fitting.smpl_fitting import fit_smpl
from hmr_ros.core.fitting.translation import angular_size, fit_translation
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.people import Estimates

WORST_FIT = 0.35
"""Largest reprojection error of an accepted body, as a part of the person's angular size. Keypoints of one person are
fitted to 0.1 or better; two people's keypoints in one skeleton exceed this."""


class Placement:
    """Places bodies of one model by keypoints of one joint set.

    Throughout, ``normalized`` (P, J, 2) are x/z, y/z of the keypoints and ``score`` (P, J) is 0 for missing ones, whose
    rays mean nothing (so do NaN rays).
    """

    def __init__(self, body_model: BodyModel, joint_set: str) -> None:
        self._body_model = body_model
        self._pull = KeypointPull.of_body(body_model, joint_set)
        self._fit = KeypointFit(body_model, joint_set)

    def of_meshes(self, vertices: Floats, normalized: Floats, score: Floats) -> Estimates:
        """People from meshes: ``vertices`` (P, V, 3) m around the pelvis, in optical axes.

        Not ``valid`` are those with too few keypoints, or with keypoints that their body does not explain.
        """
        normalized, score = _seen(normalized, score)
        fit = fit_translation(self._pull.regressor @ vertices, normalized, score)
        ok = _explained(fit.residual, normalized, score)
        normalized, score = normalized[ok], score[ok]
        smpl = fit_smpl(self._pull(vertices[ok] + fit.translation[ok, None], normalized, score), self._body_model)
        start = Placed(smpl.global_orient, smpl.body_pose, smpl.cam_t)
        placed = self._fit(start, smpl.betas, normalized, score)
        return Estimates.unknown(len(ok)).with_rows(ok, _estimates(placed, smpl.betas))

    def of_parameters(
        self, rotations: Floats, betas: Floats, cam_t: Floats, normalized: Floats, score: Floats
    ) -> Estimates:
        """People from SMPL parameters and a first guess of their place, which stands where nobody has keypoints.

        ``rotations`` (P, 24, 3, 3): the root to optical, the others child -> parent; ``betas`` (P, 10); ``cam_t``
        (P, 3) m, the pelvis joint. Not ``valid`` are those whose body does not explain their keypoints.
        """
        normalized, score = _seen(normalized, score)
        blind = np.asarray(~score.any(1))
        fit = fit_translation(self._fit.keypoints(rotations, betas), normalized, score, expected_z=cam_t[:, 2])
        ok = np.where(blind, np.isfinite(cam_t).all(1), _explained(fit.residual, normalized, score))
        pose = rotmat_to_rotvec(rotations[ok])
        start = Placed(pose[:, 0], pose[:, 1:], np.where(blind[:, None], cam_t, fit.translation)[ok])
        placed = self._fit(start, betas[ok], normalized[ok], score[ok], expected_z=cam_t[ok, 2])
        return Estimates.unknown(len(ok)).with_rows(ok, _estimates(placed, betas[ok]))


def _estimates(placed: Placed, betas: Floats) -> Estimates:
    return dataclasses.replace(
        Estimates.unknown(len(betas)),
        global_orient=placed.global_orient,
        body_pose=placed.body_pose,
        betas=betas,
        cam_t=placed.cam_t,
        valid=np.ones(len(betas), np.bool_),
    )


def _seen(normalized: Floats, score: Floats) -> tuple[Floats, Floats]:
    """Keypoints with zeros for those that are missing."""
    seen = (score > 0) & np.isfinite(normalized).all(-1)
    return np.where(seen[..., None], normalized, 0.0), np.where(seen, score, 0.0)


def _explained(residual: Floats, normalized: Floats, score: Floats) -> Bools:
    """(P,) whether a body that was placed by keypoints explains them; ``residual`` (P,) rad, NaN where none was."""
    return np.asarray(residual < WORST_FIT * angular_size(normalized, score))
