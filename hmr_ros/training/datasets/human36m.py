# SPDX-License-Identifier: Apache-2.0
"""Human3.6M (Ionescu et al., PAMI 2014) in the JSON files of Moon et al. that Pose2Mesh reads.

One directory holds ``Human36M_subject<S>_{data,camera,joint_3d,smpl_param}.json`` for each subject. Joints were
measured by motion capture; SMPL parameters were fitted to them.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, camera_matrix, corners
from hmr_ros.training.datasets.reading import reading

TRAINING_SUBJECTS, TEST_SUBJECTS = (1, 5, 6, 7, 8), (9, 11)
FRONTAL_CAMERA = 4
"""Camera 60457274, the only one of protocol 2."""

DETECTIONS = "absnet_output_on_testset.json"
"""2D detections on Pose2Mesh's test frames: 17 joints of Human3.6M by the name of the image."""

_MM = 0.001


@dataclass(frozen=True)
class Frames:
    """Every ``step``-th frame of ``subjects``, from ``cameras``."""

    subjects: tuple[int, ...]
    step: int
    cameras: tuple[int, ...] = (1, 2, 3, 4)


TRAINING = Frames(TRAINING_SUBJECTS, 5)
POSE2MESH_TEST = Frames(TEST_SUBJECTS, 50)
PROTOCOL1 = Frames(TEST_SUBJECTS, 5)
PROTOCOL2 = Frames(TEST_SUBJECTS, 5, (FRONTAL_CAMERA,))


def read_human36m(path: Path, body: BodyModel) -> AnnotatedPeople:
    """The test set as Pose2Mesh takes it, with the 2D detections in ``DETECTIONS`` where that file is there."""
    people = read_frames(path, body, POSE2MESH_TEST)
    found = [file for file in (path / DETECTIONS, path.parent / DETECTIONS) if file.is_file()]
    return _detected(people, found[0]) if found else people


def read_training(path: Path, body: BodyModel) -> AnnotatedPeople:
    """The training set: every fifth frame of five subjects."""
    return read_frames(path, body, TRAINING)


def read_protocol1(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Protocol 1: subjects 9 and 11 from all cameras."""
    return read_frames(path, body, PROTOCOL1)


def read_protocol2(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Protocol 2: subjects 9 and 11 from the frontal camera."""
    return read_frames(path, body, PROTOCOL2)


def read_subjects(directory: Path, body: BodyModel, subjects: tuple[int, ...], step: int) -> AnnotatedPeople:
    """Every ``step``-th frame of ``subjects`` that has SMPL parameters."""
    return read_frames(directory, body, Frames(subjects, step))


def read_frames(directory: Path, body: BodyModel, chosen: Frames) -> AnnotatedPeople:
    """The ``chosen`` frames that have SMPL parameters; 2D keypoints are the projected joints.

    ``directory`` holds the files, or is one of them. ``body`` must be SMPL's: fits are relative to its rest pose.
    FileNotFoundError names a missing file, ValueError one of another layout.
    """
    directory = directory.parent if directory.is_file() else directory
    frames = [frame for subject in chosen.subjects for frame in _frames(directory, subject, chosen)]

    def column(key: str, *shape: int) -> Float32s:
        return np.array([frame[key] for frame in frames], np.float32).reshape(-1, *shape)

    with reading(directory):
        R, t = column("R", 3, 3), column("t", 3) * _MM
        K = camera_matrix(column("f", 2), column("c", 2))
        joints = column("joints", HUMAN36M.size, 3) * _MM @ R.transpose(0, 2, 1) + t[:, None]
        pose, betas, trans = column("pose", SMPL.size, 3), column("shape", BETAS), column("trans", 3)
        box, size = column("box", 4), column("size", 2)
    normalized = joints / joints[..., 2:]
    pose[:, 0] = rotmat_to_rotvec(R @ rotvec_to_rotmat(pose[:, 0]))
    # The pelvis of the posed body in the world, then in the camera: rotating ``trans`` alone would misplace it, as SMPL
    # turns about the rest pose's pelvis and not about its origin.
    pelvis = body.rest_joints(betas)[:, 0] + trans
    return AnnotatedPeople(
        image=np.array([frame["image"] for frame in frames], np.str_),
        person=np.array([frame["person"] for frame in frames], np.str_),
        track=np.array([frame["track"] for frame in frames], np.str_),
        frame=np.array([frame["frame"] for frame in frames], np.int64),
        kp2d=(normalized @ K.transpose(0, 2, 1))[..., :2],
        kp2d_score=np.ones(joints.shape[:2], np.float32),
        joint_set="human36m",
        kp2d_source="projected ground truth",
        box=corners(box),
        pose=pose,
        betas=betas,
        gender=np.full(len(frames), "neutral"),
        cam_t=(R @ pelvis[..., None])[..., 0] + t,
        human36m=joints,
        K=K,
        image_size=size,
    )


def _frames(directory: Path, subject: int, chosen: Frames) -> list[dict[str, Any]]:
    """One flat record per image and person that has a fit."""

    def load(kind: str) -> dict[str, Any]:
        path = directory / f"Human36M_subject{subject}_{kind}.json"
        with reading(path):
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return content

    cameras, joints, fits, data = load("camera"), load("joint_3d"), load("smpl_param"), load("data")
    with reading(directory / f"Human36M_subject{subject}_data.json"):
        boxes = {a["image_id"]: a["bbox"] for a in data.get("annotations", ())}
        frames = []
        for image in data["images"]:
            action, part, number = (str(image[key]) for key in ("action_idx", "subaction_idx", "frame_idx"))
            fit = fits.get(action, {}).get(part, {}).get(number)
            if int(number) % chosen.step or fit is None or int(image["cam_idx"]) not in chosen.cameras:
                continue
            person = f"s{subject}/{action}/{part}"
            record = {
                "image": image["file_name"],
                "person": person,
                "track": f"{person}/{image['cam_idx']}",
                "frame": int(number),
                "joints": joints[action][part][number],
                "box": boxes.get(image.get("id"), [np.nan] * 4),
                "size": (image.get("width", np.nan), image.get("height", np.nan)),
            }
            frames.append(record | fit | cameras[str(image["cam_idx"])])
        return frames


def _detected(people: AnnotatedPeople, path: Path) -> AnnotatedPeople:
    """``people`` with the detections of ``path``."""
    with reading(path):
        found = {name.rpartition("/")[2]: joints for name, joints in json.loads(path.read_text("utf-8")).items()}
        names = [name.rpartition("/")[2] for name in people.image]
        if lost := [name for name in names if name not in found]:
            raise ValueError(f"{path}: no detection for {len(lost)} images, the first is {lost[0]}")
        kp2d = np.array([np.asarray(found[name], np.float32)[:, :2] for name in names])
        return dataclasses.replace(people, kp2d=kp2d.reshape(-1, HUMAN36M.size, 2), kp2d_source=path.name)
