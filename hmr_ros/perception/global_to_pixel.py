# SPDX-License-Identifier: Apache-2.0
"""Image crops -> metric bodies, by Global-to-Pixel (Xiao et al., ECCV 2024).

The network sees each person through a crop camera of their own and returns SMPL parameters and a position. Rotated into
the optical frame, they get their translation from the same keypoints as Pose2Mesh (``core/fitting/placement.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Image, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import ANCHORS, PerceptionSettings
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.crop_view import CropView
from hmr_ros.core.geometry.torso import quarter_turns
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.skeleton import JOINT_SETS, convert_keypoints
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.uncertainty import Calibration, Uncertainty
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.body_estimator import check_manifest
from hmr_ros.perception.crops import crop_views, cut
from hmr_ros.perception.keypoints import KeypointOptions, SeenKeypoints, as_seen, seen_keypoints

_USED = "used_keypoints"
"""The network's output, absent from networks exported before it was one."""


@dataclass(frozen=True)
class GlobalToPixelOptions:
    """How GlobalToPixel works.

    ``keypoints`` that count as seen; ``anchors`` where the network samples the image: at the detector's keypoints
    ("detector"), or at the joints that it projects itself ("projection"). Translation always follows from keypoints.
    ``own``: bodies start from the keypoints that the network finds, and are fitted to them, not to the detector's. Else
    they start from the detector's as the network puts them right, and are fitted to these.
    """

    keypoints: KeypointOptions = field(default_factory=KeypointOptions)
    anchors: str = "detector"
    own: bool = False

    def __post_init__(self) -> None:
        if self.anchors not in ANCHORS:
            raise ValueError(f"anchors: expected one of {ANCHORS}, got {self.anchors!r}")


class Look(NamedTuple):
    """``estimates``, one row per detection; ``detections``: the same people, with the keypoints that bodies were
    fitted to: the given ones put right, or the network's own where too few were given or the options prefer them.
    """

    estimates: Estimates
    detections: Detections


class GlobalToPixel:
    """Estimates bodies from image crops and 2D keypoints. ``options`` may be exchanged between images."""

    method = "global_to_pixel"

    def __init__(self, engine: Engine, body_model: BodyModel) -> None:
        self._joint_set = check_manifest(engine.manifest, self.method, body_model)
        self._engine = engine
        self._placement = Placement(body_model, self._joint_set.name)
        self._uncertainty = Uncertainty(engine.manifest.uncertainty, self._joint_set.name)
        self._finds_keypoints = any(output.name == _USED for output in engine.manifest.outputs)
        self.options = GlobalToPixelOptions()

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the network's covariances; None: they are unknown."""
        return self._uncertainty.calibration

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.options = GlobalToPixelOptions(KeypointOptions.of(settings), settings.anchors, settings.uses_own_keypoints)

    def estimate(self, image: Image, detections: Detections, camera: Camera, shed: Shed = Shed.NOTHING) -> Estimates:
        """One row per detection in ``image`` (H, W, 3) uint8 RGB.

        People with too few keypoints of the source that the options prefer are placed by those of the other one; with
        too few of these, too, they keep the position that the network estimates.
        """
        return self.look(image, detections, camera).estimates

    def look(self, image: Image, detections: Detections, camera: Camera) -> Look:
        """``estimate``, and the keypoints that the same pass of the network found."""
        estimates = Estimates.unknown(len(detections))
        threshold = self.options.keypoints.threshold
        turns = quarter_turns(detections.kp2d, detections.kp2d_score, JOINT_SETS[detections.joint_set], threshold)
        rows, views = crop_views(detections.boxes, camera, turns)
        if len(rows) == 0:
            return Look(estimates, detections)
        given = seen_keypoints(detections.take(rows), camera, self._joint_set, self.options.keypoints)
        outputs, placing = self._outputs(cut(image, views.boxes, views.turns), given, views, camera)
        rotations, cam_t = views.to_optical(outputs["rotations"], outputs["crop_cam"])
        placed = self._placement.of_parameters(
            rotations, outputs["betas"], cam_t, placing.normalized, placing.placing_score
        )
        known = placing if self._starts_from_own else given
        covariances = self._uncertainty(outputs["joint_error"], known.placing_score, placed.cam_t)
        found = estimates.with_rows(rows, placed.with_uncertainty(outputs["joint_error"], covariances))
        return Look(found, self._completed(detections, rows, placing))

    def _outputs(
        self, crops: Image, given: SeenKeypoints, views: CropView, camera: Camera
    ) -> tuple[Mapping[str, Float32s], SeenKeypoints]:
        """What the network says of ``crops`` (P, 256, 192, 3), and the keypoints that bodies are fitted to.

        A network that starts from its own keypoints lifts them itself if it is told none, so crops pass it twice only
        of people of whom it finds too few, and the detector enough.
        """
        told = self._evidence(given, views)
        if not self._finds_keypoints:
            return self._run(crops, told, views.camera), given
        if not self.options.own:
            outputs = self._run(crops, told, views.camera)
            used, hidden = self._used(outputs, views, camera), self.options.anchors == "projection"
            return outputs, _enough_of(given, used) if hidden else _enough_of(used, given)
        outputs = self._run(crops, np.zeros_like(told), views.camera)
        used = self._used(outputs, views, camera)
        missed = np.flatnonzero(_enough(given) & ~_enough(used))
        if len(missed):
            again = self._run(crops[missed], told[missed], views.camera[missed])
            outputs = {name: _with_rows(values, missed, again[name]) for name, values in outputs.items()}
            used = self._used(outputs, views, camera)
        return outputs, _enough_of(used, given)

    def _run(self, crops: Image, keypoints: Float32s, camera: Float32s) -> Mapping[str, Float32s]:
        return self._engine.run({"image": crops, "keypoints": keypoints, "camera": camera})

    @property
    def _starts_from_own(self) -> bool:
        return self.options.own and self._finds_keypoints

    def _used(self, outputs: Mapping[str, Float32s], views: CropView, camera: Camera) -> SeenKeypoints:
        """The keypoints that the network started from: those that it was told, put right, or its own."""
        used = outputs[_USED]
        return as_seen(views.to_pixels(used[..., :2]), used[..., 2], camera, self.options.keypoints)

    def _completed(self, detections: Detections, rows: Ints, keypoints: SeenKeypoints) -> Detections:
        """``detections`` in the network's joint set, with ``keypoints`` of the people ``rows`` (P,)."""
        source = JOINT_SETS[detections.joint_set]
        pixels, score = convert_keypoints(detections.kp2d, detections.kp2d_score, source, self._joint_set)
        pixels[rows], score[rows] = keypoints.pixels, keypoints.score
        return dataclasses.replace(detections, kp2d=pixels, kp2d_score=score, joint_set=self._joint_set.name)

    def _evidence(self, keypoints: SeenKeypoints, views: CropView) -> Float32s:
        """(P, J, 3) x, y in crop units and score of the keypoints, 0 where missing; with "projection", all are."""
        score = keypoints.score if self.options.anchors == "detector" else np.zeros_like(keypoints.score)
        points = np.concatenate([views.to_crop_units(keypoints.pixels), score[..., None]], -1)
        return np.where(score[..., None] > 0, points, 0).astype(np.float32)


def _enough(keypoints: SeenKeypoints) -> Bools:
    """(P,) whether there are enough keypoints for a translation."""
    return np.asarray((keypoints.placing_score > 0).any(1))


def _enough_of(first: SeenKeypoints, second: SeenKeypoints) -> SeenKeypoints:
    """The keypoints ``first``; of people with too few of them, ``second``."""
    return first.where(_enough(first), second)


def _with_rows(values: Float32s, rows: Ints, others: Float32s) -> Float32s:
    """``values`` (P, ...) with ``others`` (M, ...) in ``rows`` (M,)."""
    out = values.copy()
    out[rows] = others
    return out
