# SPDX-License-Identifier: Apache-2.0
"""2D poses -> metric bodies, by a lifting network (Pose2Mesh, Choi et al., ECCV 2020).

The network sees each person through their own virtual camera and returns a mesh around its pelvis. Turned back, it is
placed, pulled onto its keypoints and made an SMPL body by ``core/fitting/placement.py``.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.manifest import ManifestError
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.uncertainty import Calibration, Uncertainty
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.body_estimator import check_manifest
from hmr_ros.perception.keypoints import KeypointOptions, seen_keypoints

_INPUT = "virtual_camera"


class Pose2Mesh:
    """Recovers bodies from 2D keypoints. ``keypoint_options`` may be exchanged between images."""

    method = "pose2mesh"

    def __init__(self, engine: Engine, body_model: BodyModel) -> None:
        self._joint_set = check_manifest(engine.manifest, self.method, body_model)
        edition = engine.manifest.normalisation.get("input")
        if edition != _INPUT:
            raise ManifestError(f"manifest {engine.manifest.name!r}: expected input {_INPUT!r}, got {edition!r}")
        self._engine = engine
        self._placement = Placement(body_model, self._joint_set.name)
        self._uncertainty = Uncertainty(engine.manifest.uncertainty, self._joint_set.name)
        self.keypoint_options = KeypointOptions()

    @property
    def calibration(self) -> Calibration | None:
        """Of the network."""
        return self._uncertainty.calibration

    def estimate(self, image: Image, detections: Detections, camera: Camera) -> Estimates:
        """One row per detection, ``valid`` False where 2D is all there is. ``image`` is not looked at."""
        keypoints = seen_keypoints(detections, camera, self._joint_set, self.keypoint_options)
        view = to_virtual_camera(keypoints.normalized, keypoints.placing_score)
        rows = np.flatnonzero(view.ok)
        estimates = Estimates.unknown(len(detections))
        if len(rows) == 0:
            return estimates
        outputs = self._engine.run({"keypoints": view.keypoints[rows], "context": view.context[rows]})
        # Row vectors times the transpose: v_optical = R v_virtual for every vertex at once.
        vertices = outputs["vertices"] @ view.optical_from_virtual[rows].transpose(0, 2, 1)
        score, error = keypoints.placing_score[rows], outputs["joint_error"]
        placed = self._placement.of_meshes(vertices, keypoints.normalized[rows], score)
        covariances = self._uncertainty(error, score, placed.cam_t)
        return estimates.with_rows(rows, placed.with_uncertainty(error, covariances))
