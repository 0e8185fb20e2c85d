# SPDX-License-Identifier: Apache-2.0
"""2D poses -> metric bodies, by a lifting network (Pose2Mesh, Choi et al., ECCV 2020).

The network sees each person through a virtual camera of their own and returns a mesh around its pelvis. Rotated into
the optical frame, the mesh gets its translation and SMPL parameters from ``core/fitting/placement.py``.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.virtual_camera import to_upright_camera
from hmr_ros.core.manifest import ManifestError
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.uncertainty import Calibration, Uncertainty
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.body_estimator import check_manifest
from hmr_ros.perception.keypoints import KeypointOptions, seen_keypoints

_INPUT = "virtual_camera"


class Pose2Mesh:
    """Estimates bodies from 2D keypoints. ``keypoint_options`` may be exchanged between images."""

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
        """The calibration of the network's covariances; None: they are unknown."""
        return self._uncertainty.calibration

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.keypoint_options = KeypointOptions.of(settings)

    def estimate(self, image: Image, detections: Detections, camera: Camera, shed: Shed = Shed.NOTHING) -> Estimates:
        """One row per detection, ``valid`` False where too few keypoints are seen. ``image`` (H, W, 3) is not used."""
        keypoints = seen_keypoints(detections, camera, self._joint_set, self.keypoint_options)
        view = to_upright_camera(keypoints.normalized, keypoints.placing_score, self._joint_set.name)
        rows = np.flatnonzero(view.ok)
        estimates = Estimates.unknown(len(detections))
        if len(rows) == 0:
            return estimates
        outputs = self._engine.run({"keypoints": view.keypoints[rows], "context": view.context[rows]})
        # Row vectors times the transpose: v_optical = R v_virtual for every vertex at once.
        vertices = outputs["vertices"] @ view.optical_from_virtual[rows].transpose(0, 2, 1)
        score, error = keypoints.placing_score[rows], outputs["joint_error"]
        placed, misfit = self._placement.placed(vertices, keypoints.normalized[rows], score)
        covariances = self._uncertainty(error, score, placed.cam_t, misfit)
        return estimates.with_rows(rows, placed.with_uncertainty(error, covariances))
