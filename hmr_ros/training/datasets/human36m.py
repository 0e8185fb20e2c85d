# SPDX-License-Identifier: Apache-2.0
"""Human3.6M (Ionescu et al., PAMI 2014) in the JSON files of Moon et al. that Pose2Mesh reads.

One directory holds ``Human36M_subject<S>_{data,camera,joint_3d,smpl_param}.json`` for each subject. Joints were
measured by motion capture; SMPL parameters were fitted to them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, camera_matrix

TEST_SUBJECTS = (9, 11)
TEST_STEP = 50
"""Pose2Mesh tests on every 50th frame of subjects 9 and 11, from all cameras."""

_MM = 0.001


def read_human36m(path: Path, body: BodyModel) -> AnnotatedPeople:
    """The test set below the directory ``path``, by Pose2Mesh's protocol."""
    return read_subjects(path, body, TEST_SUBJECTS, TEST_STEP)


def read_subjects(directory: Path, body: BodyModel, subjects: tuple[int, ...], step: int) -> AnnotatedPeople:
    """Every ``step``-th frame of ``subjects`` that has SMPL parameters; 2D keypoints are the projected joints.

    ``body`` must be SMPL's: fits are relative to its rest pose. FileNotFoundError names a missing file.
    """
    frames = [frame for subject in subjects for frame in _frames(directory, subject, step)]

    def column(key: str, *shape: int) -> Float32s:
        return np.array([frame[key] for frame in frames], np.float32).reshape(-1, *shape)

    R, t = column("R", 3, 3), column("t", 3) * _MM
    K = camera_matrix(column("f", 2), column("c", 2))
    joints = column("joints", 17, 3) * _MM @ R.transpose(0, 2, 1) + t[:, None]
    normalized = joints / joints[..., 2:]
    pose, betas = column("pose", SMPL.size, 3), column("shape", BETAS)
    pose[:, 0] = rotmat_to_rotvec(R @ rotvec_to_rotmat(pose[:, 0]))
    # The pelvis of the posed body in the world, then in the camera: rotating ``trans`` alone would misplace it, as SMPL
    # turns about the rest pose's pelvis and not about its origin.
    pelvis = body.rest_joints(betas)[:, 0] + column("trans", 3)
    return AnnotatedPeople(
        image=np.array([frame["image"] for frame in frames], np.str_),
        person=np.array([frame["person"] for frame in frames], np.str_),
        kp2d=(normalized @ K.transpose(0, 2, 1))[..., :2],
        kp2d_score=np.ones(joints.shape[:2], np.float32),
        joint_set="human36m",
        pose=pose,
        betas=betas,
        gender=np.full(len(frames), "neutral"),
        cam_t=(R @ pelvis[..., None])[..., 0] + t,
        human36m=joints,
        K=K,
    )


def _frames(directory: Path, subject: int, step: int) -> list[dict[str, Any]]:
    """One flat record per image and person that has a fit."""

    def load(kind: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(
            (directory / f"Human36M_subject{subject}_{kind}.json").read_text(encoding="utf-8")
        )
        return content

    cameras, joints, fits = load("camera"), load("joint_3d"), load("smpl_param")
    frames = []
    for image in load("data")["images"]:
        action, part, number = (str(image[key]) for key in ("action_idx", "subaction_idx", "frame_idx"))
        fit = fits.get(action, {}).get(part, {}).get(number)
        if int(number) % step or fit is None:
            continue
        record = {
            "image": image["file_name"],
            "person": f"s{subject}/{action}/{part}",
            "joints": joints[action][part][number],
        }
        frames.append(record | fit | cameras[str(image["cam_idx"])])
    return frames
