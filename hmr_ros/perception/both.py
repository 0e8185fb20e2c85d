# SPDX-License-Identifier: Apache-2.0
"""Two methods side by side: the bodies of one, and how far the other disagrees.

The networks look at different evidence, image and keypoints, so they fail in different ways: where both say the same,
both are probably right.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.people import Camera, Detections, Estimates
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.perception.body_estimator import BodyEstimator


class Both:
    """The estimates of ``first``, with their distance from those of ``second`` unless it is not asked."""

    def __init__(self, first: BodyEstimator, second: BodyEstimator, body_model: BodyModel) -> None:
        self._first = first
        self._second = second
        self._body_model = body_model
        self.asks_second = True
        """May be changed between images."""

    @property
    def method(self) -> str:
        """That of the published bodies."""
        return self._first.method

    @property
    def calibration(self) -> Calibration | None:
        """That of the published bodies."""
        return self._first.calibration

    def estimate(self, image: Image, detections: Detections, camera: Camera) -> Estimates:
        """One row per detection, as ``first`` says."""
        first = self._first.estimate(image, detections, camera)
        if not self.asks_second:
            return first
        second = self._second.estimate(image, detections, camera)
        return dataclasses.replace(first, disagreement=self._distance(first, second))

    def _distance(self, first: Estimates, second: Estimates) -> Floats:
        """(P, 24) m between the joints, root-relative; NaN where either is not valid."""
        a, b = (self._body_model.posed_joints(e.global_orient, e.body_pose, e.betas) for e in (first, second))
        return np.where((first.valid & second.valid)[:, None], np.linalg.norm(a - b, axis=-1), np.nan)
