# SPDX-License-Identifier: Apache-2.0
"""People in real images with SMPL annotations: what every reader of a licensed data set returns.

The data sets are licensed and not shipped. Their readers (``spin``, ``threedpw``, ``human36m``) share this record,
so training and evaluation need not know where people come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import COCO17, HUMAN36M, JOINT_SETS, SMPL

OPENPOSE18 = tuple(
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear".split()
)
"""OpenPose's COCO order."""


@dataclass(frozen=True, eq=False)
class AnnotatedPeople(Record):
    """N people. Metres, the camera's optical frame; what a data set does not give is NaN.

    ``image`` (N,) file names; ``person`` (N,) who it is (frames of one person are alike: confidence intervals draw
    whole persons); ``kp2d`` (N, J, 2) px and ``kp2d_score`` (N, J) of ``joint_set``; ``pose`` (N, 24, 3) axis-angle,
    the root to optical; ``betas`` (N, 10); ``gender`` (N,) "neutral", "female" or "male", of the SMPL model that pose
    and betas belong to; ``cam_t`` (N, 3) pelvis joint; ``human36m`` (N, 17, 3) joints that were measured, not fitted;
    ``K`` (N, 3, 3) px.
    """

    image: Strings
    person: Strings
    kp2d: Floats
    kp2d_score: Floats
    joint_set: str
    pose: Floats
    betas: Floats
    gender: Strings
    cam_t: Floats
    human36m: Floats
    K: Floats

    def __post_init__(self) -> None:
        people, joints = len(self.image), JOINT_SETS[self.joint_set].size
        expected = {
            "person": (people,),
            "kp2d": (people, joints, 2),
            "kp2d_score": (people, joints),
            "pose": (people, SMPL.size, 3),
            "betas": (people, BETAS),
            "gender": (people,),
            "cam_t": (people, 3),
            "human36m": (people, HUMAN36M.size, 3),
            "K": (people, 3, 3),
        }
        for name, shape in expected.items():
            if (actual := getattr(self, name).shape) != shape:
                raise ValueError(f"AnnotatedPeople.{name}: expected shape {shape}, got {actual}")


class AnnotationReader(Protocol):
    """Reads one data set; ``body`` gives the position of SMPL's pelvis, which translations are relative to."""

    def __call__(self, path: Path, body: BodyModel) -> AnnotatedPeople:
        """ValueError names the file and what it lacks."""
        ...


def to_coco17(keypoints: Floats, names: tuple[str, ...]) -> Floats:
    """(..., K, 3) keypoints called ``names`` -> (..., 17, 3) in COCO's order."""
    return keypoints[..., [names.index(joint) for joint in COCO17.joints], :]


def unknown(*shape: int) -> Floats:
    """NaN: the data set does not give it."""
    return np.full(shape, np.nan, np.float32)


def camera_matrix(focal: Floats, principal_point: Floats) -> Floats:
    """(N, 2) px, (N, 2) px -> (N, 3, 3)."""
    K = np.zeros((len(focal), 3, 3), np.float32)
    K[:, [0, 1], [0, 1]] = focal
    K[:, :2, 2] = principal_point
    K[:, 2, 2] = 1
    return K


def pelvis_of(transl: Floats, betas: Floats, body: BodyModel) -> Floats:
    """Position (N, 3) of the pelvis joint for SMPL's ``transl`` (N, 3), which moves the rest pose, and ``betas``."""
    return np.asarray(transl + body.rest_joints(betas)[:, 0], np.float32)
