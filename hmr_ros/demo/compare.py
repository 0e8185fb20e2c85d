# SPDX-License-Identifier: Apache-2.0
"""Two methods next to each other, on the same keypoints of the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Camera, Detections, Estimates
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.engines.opening import open_engine
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.perception.pose2mesh import Pose2Mesh

if TYPE_CHECKING:
    from hmr_ros.ros.player.recorder import Moment

_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_LABEL_HEIGHT = 0.045
"""Height of the letters as a fraction of the image's."""


class SideBySide:
    """Draws the bodies of messages, and beside them those of ``other``, a method that needs the keypoints alone.

    A node that runs two methods publishes the bodies of one; those of the other are computed
    here from the keypoints in the messages. Call it with moments in their order, as bodies are smoothed.
    """

    def __init__(self, body_model: BodyModel, other: BodyEstimator) -> None:
        self._body_model = body_model
        self._other = other
        self._smoother = BodySmoother(body_model)

    def __call__(self, moment: Moment, bodies: Bodies) -> Image:
        """(H, 2 W, 3) RGB."""
        image, faces = moment.image(), self._body_model.faces
        images = [
            labelled(draw_bodies(image, shown, moment.camera, faces), label)
            for shown, label in (
                (bodies, moment.message.method),
                (self._others(moment, bodies), self._other.method),
            )
        ]
        return np.concatenate(images, 1)

    def _others(self, moment: Moment, bodies: Bodies) -> Bodies:
        """The other method's bodies of the same people."""
        detections, stamp = _detections(bodies), moment.message.header.stamp
        estimates = self._smoother(
            bodies.ids, _estimated(self._other, detections, moment.camera), stamp.sec + 1e-9 * stamp.nanosec
        )
        return pose_bodies(detections, estimates, self._body_model)


def beside_pose2mesh(body_model: BodyModel) -> SideBySide:
    """The published bodies beside those of the shipped Pose2Mesh."""
    return SideBySide(body_model, Pose2Mesh(open_engine(models_dir() / "pose2mesh.json"), body_model))


def labelled(image: Image, text: str) -> Image:
    """A copy of ``image`` (H, W, 3) with white ``text`` on black in its upper left corner."""
    out = image.copy()
    size = max(_LABEL_HEIGHT * image.shape[0], 8)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, size / 22  # the letters of this font are 22 px high
    (width, height), below = cv2.getTextSize(text, font, scale, 2)
    out[: height + 2 * below, : width + 2 * below] = 0
    cv2.putText(out, text, (below, height + below), font, scale, (255, 255, 255), 2, cv2.LINE_AA)
    return out


def _estimated(method: BodyEstimator, detections: Detections, camera: Camera | None) -> Estimates:
    if camera is None or len(detections) == 0:
        return Estimates.unknown(len(detections))
    return method.estimate(_NO_IMAGE, detections, camera)


def _detections(bodies: Bodies) -> Detections:
    """The detections of ``bodies``; boxes are NaN, as they are not published."""
    boxes = np.full((len(bodies), 4), np.nan)
    return Detections(boxes, bodies.scores, bodies.kp2d, bodies.kp2d_score, bodies.joint_set, bodies.ids)
