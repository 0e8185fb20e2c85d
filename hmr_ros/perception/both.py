# SPDX-License-Identifier: Apache-2.0
"""Two methods compared: the bodies of the first, and their distance from those of the second.

The networks use different evidence, image and keypoints, and fail in different ways: where they agree, both are
probably right.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.global_to_pixel import Look


class LookingEstimator(BodyEstimator, Protocol):
    """A method that finds keypoints itself."""

    def look(self, image: Image, detections: Detections, camera: Camera) -> Look:
        """``estimate``, and the keypoints that it found; ``image`` (H, W, 3) uint8 RGB."""


class Both:
    """The estimates of ``first``, with the distance of those of ``second`` unless that is shed.

    People with too few keypoints are told to ``second`` with those that ``first`` found in its one pass.
    """

    def __init__(self, first: LookingEstimator, second: BodyEstimator, body_model: BodyModel) -> None:
        self._first = first
        self._second = second
        self._body_model = body_model

    @property
    def method(self) -> str:
        """That of ``first``, whose bodies are published."""
        return self._first.method

    @property
    def calibration(self) -> Calibration | None:
        """That of ``first``, whose bodies are published."""
        return self._first.calibration

    def estimate(self, image: Image, detections: Detections, camera: Camera, shed: Shed = Shed.NOTHING) -> Estimates:
        """The bodies of ``first``, one row per detection in ``image`` (H, W, 3) uint8 RGB.

        From ``Shed.SECOND_METHOD`` on, ``disagreement`` stays NaN.
        """
        first, completed = self._first.look(image, detections, camera)
        if shed >= Shed.SECOND_METHOD:
            return first
        second = self._second.estimate(image, completed, camera, shed)
        return dataclasses.replace(first, disagreement=self._distance(first, second))

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self._first.configure(settings)
        self._second.configure(settings)

    def _distance(self, first: Estimates, second: Estimates) -> Floats:
        """(P, 24) m between the joints, root-relative; NaN where either is not valid."""
        a, b = (self._body_model.posed_joints(e.global_orient, e.body_pose, e.betas) for e in (first, second))
        return np.where((first.valid & second.valid)[:, None], np.linalg.norm(a - b, axis=-1), np.nan)
