# SPDX-License-Identifier: Apache-2.0
"""Distances and sizes of the people in an image, as depth and the ground that they stand on give them."""

from __future__ import annotations

from hmr_ros.core.arrays import Bools
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.temporal.ground_estimate import GroundEstimator
from hmr_ros.core.temporal.sizing import Evidence, Measured, Sizing
from hmr_ros.perception.keypoints import feet_seen


class Placing:
    """Places the bodies that networks estimate. Call it with images in the order of their stamps."""

    def __init__(self, sizing: Sizing, ground_estimator: GroundEstimator) -> None:
        self._sizing = sizing
        self._ground_estimator = ground_estimator
        self.configure(PerceptionSettings())

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self._estimates_ground = settings.ground == "estimate"
        self._keypoint_threshold = settings.keypoint_threshold
        if not self._estimates_ground:
            self._ground_estimator.reset()

    def reset(self) -> None:
        """Forget the ground."""
        self._ground_estimator.reset()

    def estimated_ground(
        self, seen: Detections, estimates: Estimates, camera: Camera | None, stamp_s: float, pose: CameraPose | None
    ) -> Ground | None:
        """The ground by the people who were seen by now, where the settings ask for it."""
        if not self._estimates_ground or camera is None:
            return None
        return self._ground_estimator(seen.ids, estimates, self._feet_seen(seen, camera), stamp_s, pose)

    def measured(self, seen: Detections, estimates: Estimates, camera: Camera | None, evidence: Evidence) -> Measured:
        """``estimates`` at the distances, and with the sizes, that depth and ground give them."""
        if camera is None or len(seen) == 0:
            return Measured.nothing(estimates)
        return self._sizing(seen.ids, estimates, camera, self._feet_seen(seen, camera), evidence)

    def _feet_seen(self, seen: Detections, camera: Camera) -> Bools:
        return feet_seen(seen, camera, self._keypoint_threshold)
