# SPDX-License-Identifier: Apache-2.0
"""The two networks that look at one person at a time, and what they see together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Image
from hmr_ros.engines.runtime import Engine, require_kind
from hmr_ros.perception import blazepose
from hmr_ros.perception.blazepose import Poses
from hmr_ros.perception.confidence import confidence, person_score
from hmr_ros.perception.movenet import decode_crops, image_from_square, joints_of_body
from hmr_ros.perception.skeletons import Skeletons, refined, regions_of

_CROP_SCALE = 1.25
"""The refining network's crop, as a multiple of the larger side of a person's box."""
_MIN_SIDE = 16.0
PRESENCE = 0.5
"""Minimum presence, by the landmark network, of a person in its region."""


class PersonNetworks:
    """MoveNet Thunder finds the joints in a person's box; BlazePose's landmarks follow a person in a region."""

    def __init__(self, keypoints: Engine, landmarks: Engine) -> None:
        require_kind(keypoints, "keypoints")
        require_kind(landmarks, "landmarks")
        self._keypoints = keypoints
        self._landmarks = landmarks

    def joints(self, image: Image, boxes: Floats) -> tuple[Floats, Floats]:
        """Points (P, 17, 2) px of the image and scores (P, 17) of the people in ``boxes`` (P, 4) px."""
        maps = image_from_square(boxes, _CROP_SCALE, _MIN_SIDE)
        points, scores = decode_crops(self._keypoints.run({"image": blazepose.crop(image, maps)}))
        points = joints_of_body(np.einsum("pij,pkj->pki", maps[:, :, :2], points) + maps[:, None, :, 2])
        return points, np.where(in_image(points, image), scores, 0)

    def look(self, image: Image, regions: Floats) -> Poses:
        """What the landmark network sees in ``regions`` (P, 2, 2) px."""
        if len(regions) == 0:
            return Poses.empty()
        maps = blazepose.image_from_crop(regions)
        outputs = self._landmarks.run({"image": blazepose.crop(image, maps)})
        poses = blazepose.decode_poses(outputs["landmarks"], outputs["presence"], outputs["heatmaps"], maps)
        return replace(poses, visibility=np.where(in_image(poses.points, image), poses.visibility, 0))

    def refine(self, image: Image, poses: Poses, present: Bools, boxes: Floats) -> Skeletons:
        """What the refining network sees in ``boxes`` (P, 4) px, joined with the landmarks where ``present`` (P,)."""
        if len(boxes) == 0:
            return Skeletons.empty()
        points, raw = self.joints(image, boxes)
        return refined(poses, present, points, confidence(raw), person_score(raw))

    def people_in(self, image: Image, boxes: Floats) -> Skeletons:
        """The people in ``boxes`` (P, 4) px as both networks see them, whoever they are; P rows."""
        return self.with_landmarks(image, *self.joints(image, boxes)) if len(boxes) else Skeletons.empty()

    def with_landmarks(self, image: Image, points: Floats, raw: Floats) -> Skeletons:
        """P people with joints ``points`` (P, 17, 2) px and ``raw`` scores (P, 17), whom no landmarks follow yet."""
        poses = self.look(image, regions_of(points, raw))
        return refined(poses, poses.presence >= PRESENCE, points, confidence(raw), person_score(raw))


def in_image(points: Floats, image: Image) -> Bools:
    """(P, J) whether ``points`` (P, J, 2) lie in ``image`` (H, W, 3)."""
    return np.asarray(((points >= 0) & (points < image.shape[1::-1])).all(-1))
