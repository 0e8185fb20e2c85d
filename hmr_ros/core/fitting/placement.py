# SPDX-License-Identifier: Apache-2.0
"""Placement: the root translation of a network's body, and its joints on their 2D keypoints.

A network estimates poses well and positions badly; keypoints of a calibrated camera determine the position. So both
methods, and the evaluation, end here: the root translation follows from the keypoints (``translation``), the mesh is
pulled onto them (``keypoint_pull``) and becomes SMPL parameters (``smpl_fitting``), and the joints are rotated until
what still lies beside its keypoint is nearer to it (``keypoint_fit``).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.keypoint_fit import KeypointFit, Placed
from hmr_ros.core.fitting.keypoint_pull import KeypointPull
from hmr_ros.core.fitting.smpl_fitting import SmplFit, chosen_vertices, fit_chosen, refit_chosen
from hmr_ros.core.fitting.translation import fit_translation
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.people import Estimates

WORST_FIT = 0.35
"""Largest reprojection error of an accepted body, as a fraction of the person's angular size. Keypoints of one person
are fitted to 0.1 or better; two people's keypoints in one skeleton exceed this."""


class Placement:
    """Places bodies of one model by keypoints of one joint set.

    Throughout, ``normalized`` (P, J, 2) and ``score`` (P, J) are keypoints of which some are missing: this is the one
    step that masks them, by ``Keypoints.of``; what it calls reads no missing keypoint.
    """

    def __init__(self, body_model: BodyModel, joint_set: str) -> None:
        self._body_model = body_model
        self._pull = KeypointPull.of_body(body_model, joint_set, chosen_vertices(body_model))
        self._fit = KeypointFit(body_model, joint_set)

    def of_meshes(self, vertices: Floats, normalized: Floats, score: Floats) -> Estimates:
        """People from meshes: ``vertices`` (P, V, 3) m around the pelvis, in optical axes.

        Not ``valid`` are those with too few keypoints, or with keypoints that their body does not explain.
        """
        return self.placed(vertices, normalized, score)[0]

    def placed(self, vertices: Floats, normalized: Floats, score: Floats) -> tuple[Estimates, Floats]:
        """``of_meshes``, and the misfit (P,) of the keypoints and the meshes before these are pulled onto them.

        The misfit is the mean distance of seen keypoints as a fraction of the person's angular size; NaN: no fit.
        """
        keypoints = Keypoints.of(normalized, score)
        points = self._pull.regressor @ vertices
        fit = fit_translation(points, keypoints)
        misfit = _misfit(points + fit.translation[:, None], keypoints)
        ok = _explained(fit.residual, keypoints)
        used = keypoints.take(ok)
        smpl = fit_chosen(self._pull(vertices[ok] + fit.translation[ok, None], used), self._body_model)
        return Estimates.unknown(len(ok)).with_rows(ok, self._fitted(smpl, used)), misfit

    def of_parameters(
        self, rotations: Floats, betas: Floats, cam_t: Floats, normalized: Floats, score: Floats
    ) -> Estimates:
        """People from SMPL parameters and a first estimate of their position, kept for people without keypoints.

        ``rotations`` (P, 24, 3, 3): the root to optical, the others child -> parent; ``betas`` (P, 10); ``cam_t``
        (P, 3) m, the pelvis joint. Not ``valid`` are those whose body does not explain their keypoints.
        """
        keypoints = Keypoints.of(normalized, score)
        fit = fit_translation(self._fit.keypoints(rotations, betas), keypoints, expected_z=cam_t[:, 2])
        ok = _explained(fit.residual, keypoints)
        used, pose = keypoints.take(ok), rotmat_to_rotvec(rotations)
        posed = self._body_model.posed(pose[ok, 0], pose[ok, 1:], betas[ok], fit.translation[ok])
        smpl = refit_chosen(self._pull(posed.vertices, used), rotations[ok], betas[ok], self._body_model)
        blind = (keypoints.count == 0) & np.isfinite(cam_t).all(1)
        guess = _estimates(Placed(pose[blind, 0], pose[blind, 1:], cam_t[blind]), betas[blind])
        found = Estimates.unknown(len(ok)).with_rows(ok, self._fitted(smpl, used, cam_t[ok, 2]))
        return found.with_rows(blind, guess)

    def _fitted(self, smpl: SmplFit, keypoints: Keypoints, expected_z: Floats | None = None) -> Estimates:
        """The bodies ``smpl`` of P people, rotated and moved towards their ``keypoints``; ``expected_z`` (P,) m."""
        start = Placed(smpl.global_orient, smpl.body_pose, smpl.cam_t)
        return _estimates(self._fit(start, smpl.betas, keypoints, expected_z), smpl.betas)


def _estimates(placed: Placed, betas: Floats) -> Estimates:
    """Valid estimates of P ``placed`` bodies of shape ``betas`` (P, 10)."""
    return dataclasses.replace(
        Estimates.unknown(len(betas)),
        global_orient=placed.global_orient,
        body_pose=placed.body_pose,
        betas=betas,
        cam_t=placed.cam_t,
        valid=np.ones(len(betas), np.bool_),
    )


def _misfit(positioned: Floats, keypoints: Keypoints) -> Floats:
    """(P,) mean distance of seen keypoints from ``positioned`` (P, J, 3) m, as a fraction of the angular size.

    NaN where none is seen, or the position is.
    """
    seen = keypoints.score > 0
    away = positioned[..., :2] / positioned[..., 2:] - keypoints.normalized
    distance = np.where(seen, np.sqrt((away * away).sum(-1)), 0.0)
    mean = distance.sum(1) / np.maximum(seen.sum(1), 1)
    return np.where(seen.any(1), mean / np.maximum(keypoints.angular_size(), 1e-9), np.nan)


def _explained(residual: Floats, keypoints: Keypoints) -> Bools:
    """(P,) whether a body fits its keypoints well enough; ``residual`` (P,) rad of the translation fit, NaN: no fit."""
    return np.asarray(residual < WORST_FIT * keypoints.angular_size())
