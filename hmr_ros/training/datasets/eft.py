# SPDX-License-Identifier: Apache-2.0
"""The fits of EFT (Joo et al., 3DV 2021): ``COCO2014-{All,Part}-ver01.json``, and those of other images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, to_coco17, unknown
from hmr_ros.training.datasets.reading import JsonObject, column, read_object, reading, shapes
from hmr_ros.training.datasets.spin import PART

_OPENPOSE25 = 25
"""Keypoints of OpenPose before SPIN's 24 annotated ones."""


def read_eft(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read ``path``; its weak-perspective cameras are those of crops, so that cameras and positions are unknown."""
    del body
    with reading(path):
        return _people(read_object(path)["data"])


def _people(data: list[JsonObject]) -> AnnotatedPeople:
    count = len(data)
    names = [person["imageName"] for person in data]
    image = np.array([f"train2014/{name}" if name.startswith("COCO_train2014") else name for name in names], np.str_)
    rotations = column(data, "parm_pose", SMPL.size, 3, 3)
    keypoints = column(data, "gt_keypoint_2d", _OPENPOSE25 + len(PART), 3)
    kp2d = to_coco17(keypoints[:, _OPENPOSE25:], PART)
    centre, half = column(data, "bbox_center", 2), 100 * column(data, "bbox_scale", 1)
    return AnnotatedPeople(
        image=image,
        person=np.array([str(p.get("annotId", i)) for i, p in enumerate(data)], np.str_),
        track=image,
        frame=np.full(count, -1),
        kp2d=kp2d[..., :2],
        kp2d_score=np.asarray(kp2d[..., 2] > 0, np.float32),
        joint_set="coco17",
        kp2d_source="annotations",
        box=np.concatenate([centre - half, centre + half], 1),
        pose=rotmat_to_rotvec(rotations).astype(np.float32),
        betas=shapes(data, "parm_shape"),
        gender=np.full(count, "neutral"),
        cam_t=unknown(count, 3),
        human36m=unknown(count, HUMAN36M.size, 3),
        K=unknown(count, 3, 3),
        image_size=unknown(count, 2),
    )
