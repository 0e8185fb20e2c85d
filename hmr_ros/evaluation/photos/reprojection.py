# SPDX-License-Identifier: Apache-2.0
"""Estimated bodies, projected into a photo, against the joints labelled in it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.photo_labels import LabelledPhoto
from hmr_ros.core.skeleton import COCO17, JOINT_SETS, convert_keypoints
from hmr_ros.evaluation.photos.regions import image_distances
from hmr_ros.evaluation.photos.scores import Outcome
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.similarity import box_iou

_SAME_PERSON = 0.3
"""Minimum overlap (IoU) of the boxes of a detection and its label."""


def score(
    photo: LabelledPhoto,
    image: Image,
    camera: Camera,
    detections: Detections,
    estimators: Mapping[str, BodyEstimator],
    body_model: BodyModel,
) -> Outcome:
    """Distances of the keypoints of ``detections``, and of bodies estimated from them, to the labels of ``photo``.

    Only people who were detected and whose torso is labelled are evaluated, as no method estimates what the detector
    misses.
    """
    pairs = matched(photo.boxes, detections.boxes)
    pairs = pairs[np.isfinite(photo.torso()[pairs[:, 0]])]
    labels, seen = pairs[:, 0], detections.take(pairs[:, 1])
    away = [convert_keypoints(seen.kp2d, seen.kp2d_score, JOINT_SETS[seen.joint_set], COCO17)[0] - photo.kp2d[labels]]
    distances = [np.full(away[0].shape[:2], np.nan)]
    for estimator in estimators.values():
        bodies = pose_bodies(seen, estimator.estimate(image, seen, camera), body_model)
        away.append(project(body_model.regressor(COCO17.name) @ bodies.vertices, camera) - photo.kp2d[labels])
        distances.append(image_distances(bodies, away[-1], camera))
    errors = np.nan_to_num(np.linalg.norm(np.stack(away), axis=-1), nan=np.inf, posinf=np.inf)
    errors /= photo.torso()[labels][:, None]
    return Outcome(errors, np.stack(distances), photo.labelled[labels], photo.upright()[labels])


def matched(labels: Floats, detections: Floats) -> Int64s:
    """Pairs (N, 2) of a labelled box and the detected one of the same person."""
    if len(detections) == 0:
        return np.zeros((0, 2), np.int64)
    overlap = box_iou(labels, detections)
    pairs = assign(-overlap)
    return pairs[overlap[pairs[:, 0], pairs[:, 1]] >= _SAME_PERSON]


def read_photo(photo: LabelledPhoto) -> Image:
    """(H, W, 3) uint8 RGB. Raises ValueError for a photo that is absent or not the one that was labelled."""
    image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f"{photo.path}: not an image OpenCV can read; --photos names the directory")
    height, width = image.shape[:2]
    if (width, height) != (photo.width, photo.height):
        raise ValueError(f"{photo.path}: labels are for {photo.width} x {photo.height} px, it has {width} x {height}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def assumed_camera(photo: LabelledPhoto, field_of_view_deg: float) -> Camera:
    """A pinhole camera whose longer image side spans the angle; the principal point is in the centre."""
    return Camera.from_fov(field_of_view_deg, photo.width, photo.height)
