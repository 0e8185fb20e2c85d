# SPDX-License-Identifier: Apache-2.0
"""Image crops -> metric bodies, by Global-to-Pixel (Xiao et al., ECCV 2024).

The network looks at each person through their own crop camera and returns SMPL parameters and a place. Turned back into
the optical frame, they are placed by the same keypoints as Pose2Mesh's meshes (``core/fitting/placement.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Float32s, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import ANCHORS
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.crop_view import CropView
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.uncertainty import Calibration, Uncertainty
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.body_estimator import check_manifest
from hmr_ros.perception.crops import crop_views, cut
from hmr_ros.perception.keypoints import KeypointOptions, SeenKeypoints, seen_keypoints


@dataclass(frozen=True)
class GlobalToPixelOptions:
    """``anchors``: where the network looks closely: at the detector's keypoints ("detector"), or where it expects the
    joints itself ("projection"). Either way, the keypoints say where a person stands.
    """

    keypoints: KeypointOptions = field(default_factory=KeypointOptions)
    anchors: str = "detector"

    def __post_init__(self) -> None:
        if self.anchors not in ANCHORS:
            raise ValueError(f"anchors: expected one of {ANCHORS}, got {self.anchors!r}")


class GlobalToPixel:
    """Recovers bodies from image crops and 2D keypoints. ``options`` may be exchanged between images."""

    method = "global_to_pixel"

    def __init__(self, engine: Engine, body_model: BodyModel) -> None:
        self._joint_set = check_manifest(engine.manifest, self.method, body_model)
        self._engine = engine
        self._placement = Placement(body_model, self._joint_set.name)
        self._uncertainty = Uncertainty(engine.manifest.uncertainty, self._joint_set.name)
        self.options = GlobalToPixelOptions()

    @property
    def calibration(self) -> Calibration | None:
        """Of the network."""
        return self._uncertainty.calibration

    def estimate(self, image: Image, detections: Detections, camera: Camera) -> Estimates:
        """One row per detection. People with few keypoints are placed where the network sees them."""
        estimates = Estimates.unknown(len(detections))
        rows, views = crop_views(detections.boxes, camera)
        if len(rows) == 0:
            return estimates
        keypoints = seen_keypoints(detections.take(rows), camera, self._joint_set, self.options.keypoints)
        outputs = self._engine.run(
            {"image": cut(image, views.boxes), "keypoints": self._evidence(keypoints, views), "camera": views.camera}
        )
        rotations, cam_t = views.to_optical(outputs["rotations"], outputs["crop_cam"])
        placed = self._placement.of_parameters(
            rotations, outputs["betas"], cam_t, keypoints.normalized, keypoints.placing_score
        )
        covariances = self._uncertainty(outputs["joint_error"], keypoints.placing_score, placed.cam_t)
        return estimates.with_rows(rows, placed.with_uncertainty(outputs["joint_error"], covariances))

    def _evidence(self, keypoints: SeenKeypoints, views: CropView) -> Float32s:
        """(P, J, 3): x, y in crop units and score, zeros for missing ones; without anchors, all are missing."""
        score = keypoints.score if self.options.anchors == "detector" else np.zeros_like(keypoints.score)
        places = np.concatenate([views.to_crop_units(keypoints.pixels), score[..., None]], -1)
        return np.where(score[..., None] > 0, places, 0).astype(np.float32)
