# SPDX-License-Identifier: Apache-2.0
"""The interface of a method: people in 2D -> SMPL parameters."""

from __future__ import annotations

from typing import Protocol

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.manifest import Manifest, ManifestError
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.skeleton import JOINT_SETS, JointSet
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.uncertainty import Calibration


class BodyEstimator(Protocol):
    """Turns people in 2D into bodies: Pose2Mesh, GlobalToPixel, or your own, which inherits what it does not need."""

    @property
    def method(self) -> str:
        """Short name, published with the bodies."""

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the covariances; None: they are unknown."""

    def estimate(self, image: Image, detections: Detections, camera: Camera, shed: Shed = Shed.NOTHING) -> Estimates:
        """Bodies of the people in ``image`` (H, W, 3) uint8 RGB, one row per detection; ``shed`` may be left out."""

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        return


def check_manifest(manifest: Manifest, kind: str, body_model: BodyModel) -> JointSet:
    """The joint set of a network of ``kind``. Raises ManifestError unless it estimates ``body_model``."""
    if manifest.kind != kind or manifest.joint_set not in JOINT_SETS:
        raise ManifestError(
            f"manifest {manifest.name!r}: expected kind {kind} and a known joint set, got {manifest.kind!r} and "
            f"{manifest.joint_set!r}"
        )
    if manifest.body_model_sha256 not in (None, body_model.sha256):
        raise ManifestError(
            f"manifest {manifest.name!r}: trained on another body model ({manifest.body_model}, sha256 "
            f"{manifest.body_model_sha256}) than the one loaded (sha256 {body_model.sha256})"
        )
    return JOINT_SETS[manifest.joint_set]
