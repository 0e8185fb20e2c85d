"""2D poses -> metric bodies, by a lifting network (Pose2Mesh, Choi et al., ECCV 2020).

The network sees each person through their own virtual camera and returns the body around its pelvis; the rest is
geometry: turn it back, find where it stands from the same 2D keypoints, pull it onto them, read the SMPL parameters
off its vertices, and turn the joints by what the keypoints still ask. The mesh, joints and parameters that come out
are those of one SMPL body.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.camera import undistort_to_rays
from hmr_ros.core.fitting import fit_translation
from hmr_ros.core.keypoint_fit import KeypointFit, Placed
from hmr_ros.core.keypoint_pull import KeypointPull
from hmr_ros.core.lifting import MIN_KEYPOINTS, VirtualView, to_virtual_camera
from hmr_ros.core.manifest import ManifestError
from hmr_ros.core.people import Bodies, Bools, Camera, Detections, Floats
from hmr_ros.core.skeleton import JOINT_SETS, convert_keypoints
from hmr_ros.core.smpl_fitting import fit_smpl
from hmr_ros.engines.runtime import Engine

_INPUT = "virtual_camera"

_WORST_FIT = 0.35
"""Largest reprojection error of an accepted body, as a fraction of the person's angular size. Keypoints of one
person are fitted to 0.1 or better; two people's keypoints in one skeleton exceed this."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Lifted:
    """What the network returns, in optical axes around the pelvis, m."""

    vertices: Floats
    joints: Floats
    spread: Floats


class Pose2Mesh:
    """Recovers bodies from 2D keypoints.

    Keypoints weaker than ``keypoint_threshold`` count as missing; people with fewer than ``min_keypoints`` stay 2D.
    Both may be changed between images.
    """

    method = "pose2mesh"

    def __init__(self, engine: Engine, body_model: BodyModel) -> None:
        manifest = engine.manifest
        if manifest.body_model_sha256 not in (None, body_model.sha256):
            raise ManifestError(
                f"manifest {manifest.name!r}: trained on another body model ({manifest.body_model}, sha256 "
                f"{manifest.body_model_sha256}) than the one loaded (sha256 {body_model.sha256})"
            )
        flavour = manifest.normalisation.get("input")
        if manifest.kind != "pose2mesh" or flavour != _INPUT or manifest.joint_set not in JOINT_SETS:
            raise ManifestError(
                f"manifest {manifest.name!r}: expected kind pose2mesh, input {_INPUT!r} and a known joint set, "
                f"got {manifest.kind!r}, {flavour!r} and {manifest.joint_set!r}"
            )
        self._engine = engine
        self._body_model = body_model
        self._joint_set = JOINT_SETS[manifest.joint_set]
        self._pull = KeypointPull.of_body(body_model, self._joint_set.name)
        self._keypoint_fit = KeypointFit(body_model, self._joint_set.name)
        self.keypoint_threshold = 0.3
        self.min_keypoints = MIN_KEYPOINTS

    @property
    def vertex_count(self) -> int:
        """V, the number of vertices of every body."""
        return self._body_model.vertex_count

    def recover(self, detections: Detections, camera: Camera) -> Bodies:
        """Bodies in the camera's optical frame, one row per detection; ``valid`` False where 2D is all there is."""
        bodies = Bodies.without_geometry(detections, self.vertex_count)
        source = JOINT_SETS[detections.joint_set]
        kp2d, score = convert_keypoints(detections.kp2d, detections.kp2d_score, source, self._joint_set)
        rays = undistort_to_rays(kp2d, camera)
        score = self._trusted(score, rays)
        view = to_virtual_camera(rays, score)
        rows = np.flatnonzero(view.ok)
        if len(rows) == 0:
            return bodies
        lifted = self._lift(view, rows)
        fit = fit_translation(self._pull.regressor @ lifted.vertices, rays[rows], score[rows])
        ok = fit.ok & (fit.residual < _WORST_FIT * np.exp(view.context[rows, 0]))
        if not ok.any():
            return bodies
        rows, lifted = rows[ok], _take(lifted, ok)
        return self._fitted(bodies, rows, lifted, fit.translation[ok], rays[rows], score[rows])

    def _trusted(self, score: Floats, rays: Floats) -> Floats:
        """Scores with 0 for weak keypoints, for those the lens cannot have seen, and for people with too few left."""
        score = np.where((score >= self.keypoint_threshold) & np.isfinite(rays).all(-1), score, 0.0)
        return np.where((score > 0).sum(1, keepdims=True) >= self.min_keypoints, score, 0.0)

    def _lift(self, view: VirtualView, rows: NDArray[np.integer]) -> _Lifted:
        """Run the network on ``rows`` of ``view`` and turn its result back into optical axes."""
        outputs = self._engine.run({"keypoints": view.keypoints[rows], "context": view.context[rows]})
        virtual_from_optical = view.optical_from_virtual[rows].transpose(0, 2, 1)
        # Row vectors times the transpose: v_optical = R v_virtual for every vertex at once.
        vertices = outputs["vertices"] @ virtual_from_optical
        joints = outputs["joints"] @ virtual_from_optical
        return _Lifted(vertices, joints, outputs["spread"])

    def _fitted(
        self,
        bodies: Bodies,
        rows: NDArray[np.integer],
        lifted: _Lifted,
        cam_t: Floats,
        rays: Floats,
        score: Floats,
    ) -> Bodies:
        """``bodies`` with the SMPL bodies of ``rows``, as the network's meshes and the keypoints agree on them."""
        place = cam_t[:, None]
        vertices, _ = self._pull(lifted.vertices + place, lifted.joints + place, rays, score)
        smpl = fit_smpl(vertices, self._body_model)
        placed = self._keypoint_fit(Placed(smpl.global_orient, smpl.body_pose, smpl.cam_t), smpl.betas, rays, score)
        posed = self._body_model.posed(placed.global_orient, placed.body_pose, smpl.betas, placed.cam_t)
        return dataclasses.replace(
            bodies,
            global_orient=_filled(bodies.global_orient, rows, placed.global_orient),
            body_pose=_filled(bodies.body_pose, rows, placed.body_pose),
            betas=_filled(bodies.betas, rows, smpl.betas),
            cam_t=_filled(bodies.cam_t, rows, placed.cam_t),
            joints=_filled(bodies.joints, rows, posed.joints),
            vertices=_filled(bodies.vertices, rows, posed.vertices),
            uncertainty=_filled(bodies.uncertainty, rows, lifted.spread),
            valid=np.isin(np.arange(len(bodies)), rows),
        )


def _take(lifted: _Lifted, index: Bools) -> _Lifted:
    return _Lifted(lifted.vertices[index], lifted.joints[index], lifted.spread[index])


def _filled(column: Floats, rows: NDArray[np.integer], values: Floats) -> Floats:
    filled = column.copy()
    filled[rows] = values
    return filled
