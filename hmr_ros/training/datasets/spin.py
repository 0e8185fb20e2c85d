# SPDX-License-Identifier: Apache-2.0
"""The ``.npz`` annotation files of SPIN (ICCV 2019) and its many heirs: one array per kind of annotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_ros.core.archives import open_archive
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, to_coco17, unknown

_PART = tuple(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck head_top pelvis thorax spine jaw head nose left_eye right_eye left_ear "
    "right_ear".split()
)
_GENDERS = {"m": "male", "f": "female", "n": "neutral"}
_KEYS = ("imgname", "part", "pose", "shape")


def read_spin(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read ``path``; people without SMPL parameters (``has_smpl`` 0) are left out.

    Keypoints are the annotated ones (``part``); the format knows neither cameras nor places. ValueError names what
    is missing.
    """
    del body  # nothing here is relative to the pelvis
    with open_archive(path) as archive:
        if missing := [key for key in _KEYS if key not in archive]:
            raise ValueError(f"{path}: not a SPIN annotation file: it lacks {missing}")
        arrays = {key: archive[key] for key in (*_KEYS, "has_smpl", "gender") if key in archive}
    count = len(arrays["imgname"])
    kept = np.flatnonzero(arrays.get("has_smpl", np.ones(count)))
    part = to_coco17(arrays["part"][kept], _PART)
    gender = arrays.get("gender", np.full(count, "n")).astype(np.str_)[kept]
    return AnnotatedPeople(
        image=arrays["imgname"].astype(np.str_)[kept],
        person=arrays["imgname"].astype(np.str_)[kept],
        kp2d=part[..., :2].astype(np.float32),
        kp2d_score=part[..., 2].astype(np.float32),
        joint_set="coco17",
        pose=arrays["pose"][kept].reshape(-1, SMPL.size, 3).astype(np.float32),
        betas=arrays["shape"][kept, :BETAS].astype(np.float32),
        gender=np.array([_GENDERS[g[:1]] for g in gender], np.str_),
        cam_t=unknown(len(kept), 3),
        human36m=unknown(len(kept), HUMAN36M.size, 3),
        K=unknown(len(kept), 3, 3),
    )
