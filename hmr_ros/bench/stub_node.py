# SPDX-License-Identifier: Apache-2.0
"""The node with constant outputs in place of its networks: one standing person. For `hmr bench ros`."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np

from hmr_ros.bench.recording import record_into_first_argument
from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Camera, Detections, Estimates
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.evaluation.crowd import standing
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.tracker import Tracker
from hmr_ros.ros.node import node


class OneDetection(Detector):
    """Detects the same person in every image."""

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """One person in the middle of ``image``."""
        height, width = image.shape[:2]
        box = np.array([[0.4 * width, 0.1 * height, 0.6 * width, 0.9 * height]])
        line = np.linspace(box[0, :2], box[0, 2:], 17)[None]
        return Detections(box, np.ones(1), line, np.ones((1, 17)), "coco17", np.array([UNTRACKED]))


class OneBody(BodyEstimator):
    """Estimates the same body for every detection."""

    method = "stub"
    calibration = None

    def __init__(self, body_model: BodyModel) -> None:
        self._body = standing(body_model, 1)

    def estimate(self, image: Image, detections: Detections, camera: Camera, shed: Shed = Shed.NOTHING) -> Estimates:
        """The one body for each of ``detections``."""
        columns = (getattr(self._body, f.name) for f in dataclasses.fields(Estimates))
        return Estimates(*columns).take(np.zeros(len(detections), np.int64))


def stub_pipeline(config: RobotConfig) -> Pipeline:
    """A pipeline of the real tracker and smoother with constant outputs."""
    body_model = load_body_model(models_dir() / "open_body.npz")
    smoother = BodySmoother(body_model, config.smoothing)
    return Pipeline(OneDetection(), Tracker(), OneBody(body_model), smoother, body_model)


if __name__ == "__main__":
    record_into_first_argument()
    sys.exit(node.main(build=stub_pipeline))
