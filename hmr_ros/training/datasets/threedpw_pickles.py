# SPDX-License-Identifier: Apache-2.0
"""3DPW as its authors publish it: ``sequenceFiles/<split>/*.pkl``, one recording each.

The files are pickles; they are read by ``core/restricted_pickle.py``, which runs no code of theirs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.records import join_rows
from hmr_ros.core.restricted_pickle import array, read_pickle
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import (
    OPENPOSE18,
    AnnotatedPeople,
    camera_matrix,
    gender_of,
    to_coco17,
    unknown,
)
from hmr_ros.training.datasets.reading import reading

_LISTS = ("poses", "betas", "trans", "genders", "poses2d", "campose_valid")


def read_3dpw_pickles(path: Path, body: BodyModel) -> AnnotatedPeople:
    """All people in ``path``, a directory of recordings or one of them, in the frames whose camera pose is valid.

    ValueError names the file and what it lacks.
    """
    directory = path.parent if path.is_file() else path
    files = sorted(directory.glob("*.pkl"))
    if not files:
        raise ValueError(f"{path}: expected 3DPW's *.pkl files, found none")
    people = [person for file in files for person in _recording(file, body)]
    if not people:
        raise ValueError(f"{files[0]}: no person in it, nor in the other recordings")
    return join_rows(people)


def _recording(path: Path, body: BodyModel) -> list[AnnotatedPeople]:
    """The people of one recording."""
    with reading(path):
        content = read_pickle(path.read_bytes())
        cam_poses, K = (array(content[key], key).astype(np.float64) for key in ("cam_poses", "cam_intrinsics"))
        lists = [content[key] for key in _LISTS]
        if not all(isinstance(people, list) for people in lists):
            raise ValueError(f"expected one list each of {', '.join(_LISTS)}")
        sequence = str(content["sequence"])
        people = zip(*lists, strict=True)
        return [_person(sequence, number, of, cam_poses, K, body) for number, of in enumerate(people)]


def _person(
    sequence: str, number: int, person: tuple[object, ...], cam_poses: Floats, K: Floats, body: BodyModel
) -> AnnotatedPeople:
    """One person in the camera's axes; ``cam_poses`` (F, 4, 4) from the world."""
    arrays = dict(zip(_LISTS, person, strict=True))
    gender = str(arrays.pop("genders"))
    poses, betas, trans, poses2d, valid = (array(value, name) for name, value in arrays.items())
    frames = np.flatnonzero(valid.astype(np.float64)[: len(poses)])
    count, R = len(frames), cam_poses[frames, :3, :3]
    pose = poses.astype(np.float64)[frames].reshape(count, SMPL.size, 3)
    pose[:, 0] = rotmat_to_rotvec(R @ rotvec_to_rotmat(pose[:, 0]))
    shape = np.tile(betas.astype(np.float32).reshape(-1)[:BETAS], (count, 1))
    pelvis = trans.astype(np.float64)[frames] + body.rest_joints(shape)[:, 0]
    kp2d = to_coco17(poses2d.astype(np.float32)[frames].transpose(0, 2, 1), OPENPOSE18)
    who = np.full(count, f"{sequence}/{number}")
    return AnnotatedPeople(
        image=np.array([f"{sequence}/image_{frame:05d}.jpg" for frame in frames], np.str_),
        person=who,
        track=who,
        frame=frames,
        kp2d=kp2d[..., :2],
        kp2d_score=kp2d[..., 2],
        joint_set="coco17",
        kp2d_source="OpenPose's, of 3DPW",
        box=unknown(count, 4),
        pose=pose.astype(np.float32),
        betas=shape,
        gender=np.full(count, gender_of(gender)),
        cam_t=((R @ pelvis[..., None])[..., 0] + cam_poses[frames, :3, 3]).astype(np.float32),
        human36m=unknown(count, HUMAN36M.size, 3),
        K=camera_matrix(np.tile(K[[0, 1], [0, 1]], (count, 1)), np.tile(K[:2, 2], (count, 1))),
        image_size=np.tile((2 * K[:2, 2]).round().astype(np.float32), (count, 1)),
    )
