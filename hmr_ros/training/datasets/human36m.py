# SPDX-License-Identifier: Apache-2.0
"""Human3.6M (Ionescu et al., PAMI 2014) in the JSON files of Moon et al. that Pose2Mesh reads.

One directory holds ``Human36M_subject<S>_{data,camera,joint_3d,smpl_param}.json`` for each subject. Joints were
measured by motion capture; SMPL parameters were fitted to them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float32s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, camera_matrix, corners
from hmr_ros.training.datasets.reading import JsonObject, column, read_object, reading, shapes, whole

TRAINING_SUBJECTS, TEST_SUBJECTS = (1, 5, 6, 7, 8), (9, 11)
FRONTAL_CAMERA = 4
"""Camera 60457274, the only one of protocol 2."""

DETECTIONS = "absnet_output_on_testset.json"
"""2D detections on Pose2Mesh's test frames: 17 joints of Human3.6M by the name of the image."""

_MM = 0.001
_KINDS = ("camera", "joint_3d", "smpl_param", "data")


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
    return join_rows([_subject(directory, subject, chosen, body) for subject in chosen.subjects])


def _subject(directory: Path, subject: int, chosen: Frames, body: BodyModel) -> AnnotatedPeople:
    """The chosen frames of one subject."""
    paths = {kind: directory / f"Human36M_subject{subject}_{kind}.json" for kind in _KINDS}
    content = {kind: read_object(path) for kind, path in paths.items()}
    with reading(paths["smpl_param"]):
        fits = _fits(content["smpl_param"], chosen)
    with reading(paths["data"]):
        shown = _shown(content["data"], chosen, fits)
    with reading(paths["smpl_param"]):
        smpl = [fits[frame] for frame in shown.frames]
        fit = _Fits(column(smpl, "pose", SMPL.size, 3), shapes(smpl, "shape"), column(smpl, "trans", 3))
    with reading(paths["camera"]):
        cameras = _cameras([content["camera"][camera] for camera in shown.cameras])
    with reading(paths["joint_3d"]):
        joints = [{"joints": content["joint_3d"][action][part][frame]} for action, part, frame in shown.frames]
        world = column(joints, "joints", HUMAN36M.size, 3) * _MM
    with reading(directory):
        return _in_camera(subject, shown, fit, world, cameras, body)


_Frame = tuple[str, str, str]
"""Action, part of it, and number of a frame, as the files name them."""


@dataclass(frozen=True, eq=False)
class _Shown:
    """N images: file ``names``, ``frames``, ``cameras``, ``box`` (N, 4) x, y, width, height and ``size`` (N, 2) px."""

    names: list[str]
    frames: list[_Frame]
    cameras: list[str]
    box: Float32s
    size: Float32s


@dataclass(frozen=True, eq=False)
class _Fits:
    """SMPL of N images in the world: ``pose`` (N, 24, 3), ``betas`` (N, 10), ``trans`` (N, 3) m."""

    pose: Float32s
    betas: Float32s
    trans: Float32s


@dataclass(frozen=True, eq=False)
class _Cameras:
    """Of N images: ``R`` (N, 3, 3) and ``t`` (N, 3) m from the world, ``K`` (N, 3, 3) px."""

    R: Float32s
    t: Float32s
    K: Floats


def _fits(content: JsonObject, chosen: Frames) -> dict[_Frame, JsonObject]:
    """The fits of the chosen frames."""
    return {
        (action, part, frame): fit
        for action, parts in content.items()
        for part, frames in parts.items()
        for frame, fit in frames.items()
        if int(frame) % chosen.step == 0 and fit is not None
    }


def _shown(data: JsonObject, chosen: Frames, fits: Container[_Frame]) -> _Shown:
    """The images of frames that have ``fits`` from the chosen cameras."""
    boxes = {a["image_id"]: a["bbox"] for a in data.get("annotations", ())}
    images = [image for number, image in enumerate(data["images"]) if _is_chosen(number, image, chosen, fits)]
    if others := [image["file_name"] for image in images if not isinstance(image["file_name"], str)]:
        raise ValueError(f"file_name: expected text, got {others[0]!r}")
    return _Shown(
        names=[image["file_name"] for image in images],
        frames=[_frame(image) for image in images],
        cameras=[str(whole(image, "cam_idx")) for image in images],
        box=column([{"bbox": boxes.get(image.get("id"), [np.nan] * 4)} for image in images], "bbox", 4),
        size=column([{"size": (i.get("width", np.nan), i.get("height", np.nan))} for i in images], "size", 2),
    )


def _is_chosen(number: int, image: JsonObject, chosen: Frames, fits: Container[_Frame]) -> bool:
    """ValueError names the ``number`` of an image whose frame or camera is no number."""
    try:
        return _frame(image) in fits and whole(image, "cam_idx") in chosen.cameras
    except ValueError as err:
        raise ValueError(f"images: entry {number}: {err}") from err


def _frame(image: JsonObject) -> _Frame:
    action, part, frame = (str(whole(image, key)) for key in ("action_idx", "subaction_idx", "frame_idx"))
    return action, part, frame


def _cameras(cameras: list[JsonObject]) -> _Cameras:
    K = camera_matrix(column(cameras, "f", 2), column(cameras, "c", 2))
    return _Cameras(column(cameras, "R", 3, 3), column(cameras, "t", 3) * _MM, K)


def _in_camera(
    subject: int, shown: _Shown, fit: _Fits, world: Float32s, cameras: _Cameras, body: BodyModel
) -> AnnotatedPeople:
    """The people; ``world`` (N, 17, 3) m are the measured joints."""
    R, t, K = cameras.R, cameras.t, cameras.K
    joints = world @ R.transpose(0, 2, 1) + t[:, None]
    normalized = joints / joints[..., 2:]
    pose = fit.pose.copy()
    pose[:, 0] = rotmat_to_rotvec(R @ rotvec_to_rotmat(pose[:, 0]))
    # The pelvis of the posed body in the world, then in the camera: rotating ``trans`` alone would misplace it, as SMPL
    # turns about the rest pose's pelvis and not about its origin.
    pelvis = body.rest_joints(fit.betas)[:, 0] + fit.trans
    person = [f"s{subject}/{action}/{part}" for action, part, _ in shown.frames]
    return AnnotatedPeople(
        image=np.array(shown.names, np.str_),
        person=np.array(person, np.str_),
        track=np.array([f"{who}/{camera}" for who, camera in zip(person, shown.cameras, strict=True)], np.str_),
        frame=np.array([int(frame) for _, _, frame in shown.frames], np.int64),
        kp2d=(normalized @ K.transpose(0, 2, 1))[..., :2],
        kp2d_score=np.ones(joints.shape[:2], np.float32),
        joint_set="human36m",
        kp2d_source="projected ground truth",
        box=corners(shown.box),
        pose=pose,
        betas=fit.betas,
        gender=np.full(len(person), "neutral"),
        cam_t=(R @ pelvis[..., None])[..., 0] + t,
        human36m=joints,
        K=K,
        image_size=shown.size,
    )


def _detected(people: AnnotatedPeople, path: Path) -> AnnotatedPeople:
    """``people`` with the detections of ``path``."""
    with reading(path):
        found = {name.rpartition("/")[2]: joints for name, joints in read_object(path).items()}
        names = [name.rpartition("/")[2] for name in people.image]
        if lost := [name for name in names if name not in found]:
            raise ValueError(f"{path}: no detection for {len(lost)} images, the first is {lost[0]}")
        kp2d = column(
            [{"keypoints": [joint[:2] for joint in found[name]]} for name in names], "keypoints", HUMAN36M.size, 2
        )
        return dataclasses.replace(people, kp2d=kp2d, kp2d_source=path.name)
