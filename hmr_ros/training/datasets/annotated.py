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

from hmr_ros.core.arrays import Bools, Floats, Ints, Strings
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import COCO17, HUMAN36M, JOINT_SETS, SMPL

OPENPOSE18 = tuple(
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear".split()
)
"""OpenPose's COCO order."""

GENDERS = {"m": "male", "f": "female", "n": "neutral"}
"""SMPL's models, by the letter that files name them by."""


@dataclass(frozen=True, eq=False)
class AnnotatedPeople(Record):
    """N people. Metres, the camera's optical frame; what a data set does not give is NaN.

    ``image`` (N,) file names; ``person`` (N,) who it is (frames of one person are alike: confidence intervals draw
    whole persons); ``track`` (N,) of one person before one camera, and ``frame`` (N,) in it, -1 for single images;
    ``kp2d`` (N, J, 2) px and ``kp2d_score`` (N, J) of ``joint_set``, from ``kp2d_source``, in words; ``box`` (N, 4) px
    around the person, x1 y1 x2 y2; ``pose`` (N, 24, 3) axis-angle, the root to optical; ``betas`` (N, 10); ``gender``
    (N,) "neutral", "female" or "male", of the SMPL model that pose and betas belong to; ``cam_t`` (N, 3) pelvis joint;
    ``human36m`` (N, 17, 3) joints that were measured, not fitted, from any origin; ``K`` (N, 3, 3) px; ``image_size``
    (N, 2) width, height px.
    """

    image: Strings
    person: Strings
    track: Strings
    frame: Ints
    kp2d: Floats
    kp2d_score: Floats
    joint_set: str
    kp2d_source: str
    box: Floats
    pose: Floats
    betas: Floats
    gender: Strings
    cam_t: Floats
    human36m: Floats
    K: Floats
    image_size: Floats

    def __post_init__(self) -> None:
        people, joints = len(self.image), JOINT_SETS[self.joint_set].size
        expected = {
            "person": (people,),
            "track": (people,),
            "frame": (people,),
            "box": (people, 4),
            "kp2d": (people, joints, 2),
            "kp2d_score": (people, joints),
            "pose": (people, SMPL.size, 3),
            "betas": (people, BETAS),
            "gender": (people,),
            "cam_t": (people, 3),
            "human36m": (people, HUMAN36M.size, 3),
            "K": (people, 3, 3),
            "image_size": (people, 2),
        }
        for name, shape in expected.items():
            if (actual := getattr(self, name).shape) != shape:
                raise ValueError(f"AnnotatedPeople.{name}: expected shape {shape}, got {actual}")
        if others := set(self.gender.tolist()) - set(GENDERS.values()):
            raise ValueError(f"gender: expected {', '.join(GENDERS.values())}, got {sorted(others)[0]!r}")

    @property
    def fitted(self) -> Bools:
        """(N,) people of whom pose and shape are known."""
        return np.asarray(np.isfinite(self.pose).all((1, 2)) & np.isfinite(self.betas).all(1))

    @property
    def measured(self) -> Bools:
        """(N,) people whose Human3.6M joints were measured."""
        return np.asarray(np.isfinite(self.human36m).all((1, 2)))


class AnnotationReader(Protocol):
    """Reads one data set; ``body`` gives the position of SMPL's pelvis, which translations are relative to."""

    def __call__(self, path: Path, body: BodyModel) -> AnnotatedPeople:
        """ValueError names the file and what it lacks."""
        ...


def to_coco17(keypoints: Floats, names: tuple[str, ...]) -> Floats:
    """(..., K, 3) keypoints called ``names`` -> (..., 17, 3) in COCO's order."""
    return keypoints[..., [names.index(joint) for joint in COCO17.joints], :]


def gender_of(letter: str) -> str:
    """The name of the SMPL model that a file calls by its first letter, upper or lower case. ValueError for others."""
    if (name := GENDERS.get(letter[:1].lower())) is None:
        raise ValueError(f"gender: expected m, f or n, got {str(letter)!r}")
    return name


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


def corners(xywh: Floats) -> Floats:
    """Boxes (N, 4) x, y, width, height -> x1 y1 x2 y2."""
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1)
