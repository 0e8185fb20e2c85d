# SPDX-License-Identifier: Apache-2.0
"""The node with a detector that reads the marks of ``scene.drawn`` in place of its networks. For `make soak`.

Tracker, smoother, outputs, lifecycle and all messages are the product's.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys

import numpy as np

from hmr_ros.bench.soak.scene import LANES, boxes, marked_lanes
from hmr_ros.bench.stub_node import OneBody
from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Camera, Detections, Estimates
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.tracker import Tracker, TrackerOptions
from hmr_ros.ros.node import node

_JOINTS = 17
_SPACING_M = 0.8

_IDS = itertools.count(1)
"""Of all pipelines of this process: none is used twice, as perception/shared.py sees to it by a random start."""


class MarkDetector(Detector):
    """Detects the people whose lanes the image marks."""

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """One person for each mark of ``image``."""
        box = boxes(marked_lanes(image))
        people = len(box)
        line = np.linspace(box[:, :2], box[:, 2:], _JOINTS, axis=1)
        scores = np.full((people, _JOINTS), 0.9)
        return Detections(box, np.full(people, 0.9), line, scores, "coco17", np.full(people, UNTRACKED, np.int64))


class LaneBodies(OneBody):
    """Estimates a standing body in the lane of each detection."""

    def estimate(self, image: Image, detections: Detections, camera: Camera, shed: Shed = Shed.NOTHING) -> Estimates:
        """One body for each of ``detections``, side by side."""
        bodies = super().estimate(image, detections, camera, shed)
        lanes = detections.boxes[:, 0] // (image.shape[1] / LANES)
        shift = np.stack([_SPACING_M * lanes, np.zeros_like(lanes), np.zeros_like(lanes)], -1)
        return dataclasses.replace(bodies, cam_t=bodies.cam_t + shift)


def scripted_pipeline(config: RobotConfig) -> Pipeline:
    """A pipeline of the real tracker and smoother whose people are scripted."""
    body_model = load_body_model(models_dir() / "open_body.npz")
    smoother = BodySmoother(body_model, config.smoothing)
    tracker = Tracker(TrackerOptions(timeout_s=config.track_timeout_s), _IDS)
    return Pipeline(MarkDetector(), tracker, LaneBodies(body_model), smoother, body_model)


if __name__ == "__main__":
    sys.exit(node.main(build=scripted_pipeline))
