# SPDX-License-Identifier: Apache-2.0
"""SURREAL (Varol et al., CVPR 2017): rendered people, ``cmu/<split>/run<N>/<sequence>/<clip>_info.mat`` with ``.mp4``.

Its camera mirrors the world: what the images show is the mirrored person. So left and right change places here, in
poses and joints. The root's rotation is that which brings the posed joints to the file's, which needs none of the
turns between SMPL, the motion and Blender.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from hmr_ros.core.arrays import Float64s, Floats, Int64s
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, camera_matrix, unknown
from hmr_ros.training.datasets.motion import mirror
from hmr_ros.training.datasets.reading import reading

STEP = 10
"""Every so many frames of a clip are read: a third of a second."""

_SIZE, _FOCAL = (320, 240), 600.0
"""px; the same in all images."""

_CAMERA_FROM_WORLD = np.array([[0.0, 0, -1], [0, 1, 0], [-1, 0, 0]])
"""Of the authors' getExtrinsicBlender.m; a reflection."""

_GENDERS = ("female", "male")


def read_surreal(path: Path, body: BodyModel) -> AnnotatedPeople:
    """All clips of the split that the file ``path`` is of. ValueError names a file and what it lacks."""
    return join_rows([_clip(file, body) for file in clips_beside(path)])


def clips_beside(path: Path) -> list[Path]:
    """The files of all clips of the split of ``path``."""
    return sorted(path.parents[2].glob("run*/*/*_info.mat"))


def _clip(path: Path, body: BodyModel) -> AnnotatedPeople:
    """The person of one clip."""
    with reading(path):
        try:
            content = loadmat(path)
        except (MatReadError, NotImplementedError, OSError) as err:
            raise ValueError(f"not a MATLAB file of version 5 to 7.2: {err}") from err
        arrays = {key: np.asarray(content[key], np.float64) for key in _SHAPES}
        frames = np.arange(0, arrays["zrot"].size, STEP)
        columns = {key: _frames(arrays[key], key, frames, arrays["zrot"].size) for key in _SHAPES if key != "camLoc"}
        return _person(path, frames, columns, arrays["camLoc"].reshape(3), body)


_SHAPES: dict[str, tuple[int, ...]] = {
    "pose": (SMPL.size * 3,),
    "shape": (BETAS,),
    "joints2D": (2, SMPL.size),
    "joints3D": (3, SMPL.size),
    "gender": (),
    "zrot": (),
    "camLoc": (3,),
}
"""Arrays in use, each but the camera's with the frames last."""


def _frames(array: NDArray[np.float64], key: str, frames: Int64s, count: int) -> Float64s:
    """(F, ...) the chosen ``frames`` of an array whose last axis they are; a clip of one frame lacks that axis."""
    shape = _SHAPES[key]
    if array.size != int(np.prod(shape)) * count:
        raise ValueError(f"{key}: expected {' x '.join(map(str, (*shape, count)))} numbers, got shape {array.shape}")
    chosen: Float64s = np.moveaxis(array.reshape(*shape, count), -1, 0)[frames]
    return chosen


def _person(path: Path, frames: Int64s, of: dict[str, Float64s], camera: Float64s, body: BodyModel) -> AnnotatedPeople:
    count = len(frames)
    joints = ((of["joints3D"].transpose(0, 2, 1) - camera) @ _CAMERA_FROM_WORLD.T)[:, SMPL.mirror]
    pose, _ = mirror(of["pose"].reshape(count, SMPL.size, 3), np.zeros(3))
    betas = of["shape"].astype(np.float32)
    pose[:, 0] = _root(pose, betas, joints, body)
    clip = path.relative_to(path.parents[4]).as_posix().removesuffix("_info.mat")
    gender = of["gender"]
    if not np.isin(gender, (0, 1)).all():
        raise ValueError(f"gender: expected 0 or 1, got {gender[~np.isin(gender, (0, 1))][0]:g}")
    return AnnotatedPeople(
        image=np.array([f"{clip}.mp4#{frame}" for frame in frames], np.str_),
        person=np.full(count, path.parent.name),
        track=np.full(count, clip),
        frame=frames,
        kp2d=of["joints2D"].transpose(0, 2, 1)[:, SMPL.mirror].astype(np.float32),
        kp2d_score=np.ones((count, SMPL.size), np.float32),
        joint_set="smpl",
        kp2d_source="projected ground truth",
        box=unknown(count, 4),
        pose=pose.astype(np.float32),
        betas=betas,
        gender=np.array(_GENDERS, np.str_)[gender.astype(np.int64)],
        cam_t=joints[:, 0].astype(np.float32),
        human36m=unknown(count, HUMAN36M.size, 3),
        K=camera_matrix(np.full((count, 2), _FOCAL), np.full((count, 2), np.array(_SIZE) / 2)),
        image_size=np.tile(np.array(_SIZE, np.float32), (count, 1)),
    )


def _root(pose: Floats, betas: Floats, joints: Floats, body: BodyModel) -> Floats:
    """(F, 3) axis-angle of the root that brings the joints of ``pose`` (F, 24, 3) to ``joints`` (F, 24, 3) m."""
    still = body.posed_joints(np.zeros((len(pose), 3)), pose[:, 1:], betas)
    left, _, right = np.linalg.svd((joints - joints[:, :1]).transpose(0, 2, 1) @ (still - still[:, :1]))
    proper = np.where(np.arange(3) < 2, 1.0, np.linalg.det(left @ right)[:, None])
    return rotmat_to_rotvec(left * proper[:, None] @ right)
