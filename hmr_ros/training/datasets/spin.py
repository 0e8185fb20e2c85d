# SPDX-License-Identifier: Apache-2.0
"""The ``.npz`` annotation files of SPIN (ICCV 2019) and its many heirs: one array per kind of annotation.

Human3.6M, MPI-INF-3DHP, COCO, MPII and 3DPW all come in it; CLIFF's (ECCV 2022) have ``global_t`` and ``focal_l`` too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Float32s, Floats, Int64s
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.skeleton import COCO17, HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, gender_of, pelvis_of, to_coco17, unknown
from hmr_ros.training.datasets.reading import reading

PART = tuple(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck head_top pelvis thorax spine jaw head nose left_eye right_eye left_ear "
    "right_ear".split()
)
"""SPIN's 24 annotated joints."""
_HUMAN36M_OF_PART = {"torso": "spine", "nose": "jaw", "head_top": "head"}
"""Joints of Human3.6M that SPIN calls otherwise."""

_TEXT, _NUMBERS = "SU", "biuf"
_KINDS = {_TEXT: "text", _NUMBERS: "numbers"}
"""numpy's kinds of arrays, in words."""

_SCALE_PX = 200.0
"""``scale`` counts sides of boxes in this many px."""

_CLIP = re.compile(r"imageFiles/[^/]+|S\d+/Seq\d+|TS\d+|S\d+_[A-Za-z]+(?: \d)?")
"""The recording in the image names of 3DPW, MPI-INF-3DHP and Human3.6M."""

_FRAME = re.compile(r"(\d+)\.\w+$")

Arrays = Mapping[str, NDArray[np.generic]]


def read_spin(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read ``path``; people with neither SMPL parameters (``has_smpl``) nor 3D joints (``S``) are left out.

    Keypoints are the annotated ones (``part``), where there are any. The format knows no image sizes, and SPIN's own
    files neither cameras nor positions. ValueError names the array that is missing or of a wrong shape.
    """
    with reading(path):
        return _people(_arrays(path), body)


def _people(arrays: Arrays, body: BodyModel) -> AnnotatedPeople:
    """Those in ``arrays`` who are known in 3D."""
    count = len(arrays["imgname"])
    fitted, jointed = _fitted(arrays, count), _jointed(arrays, count)
    kept = np.flatnonzero(fitted | jointed)
    people = {name: array[kept] for name, array in arrays.items()}
    gender = people.get("gender", np.full(len(kept), "n")).astype(np.str_)
    pose, betas = unknown(len(kept), SMPL.size, 3), unknown(len(kept), BETAS)
    if "pose" in people:
        pose = np.where(fitted[kept, None, None], people["pose"].reshape(-1, SMPL.size, 3), pose).astype(np.float32)
        betas = np.where(fitted[kept, None], people["shape"][:, :BETAS], betas).astype(np.float32)
    image = people["imgname"].astype(np.str_)
    kp2d = _keypoints(people, len(kept))
    return AnnotatedPeople(
        image=image,
        person=np.array([m.group() if (m := _CLIP.search(name)) else name for name in image], np.str_),
        track=np.array([_FRAME.sub("", name) for name in image], np.str_),
        frame=_frames(image),
        kp2d=kp2d[..., :2],
        kp2d_score=kp2d[..., 2],
        joint_set="coco17",
        kp2d_source="annotations" if "part" in people else "none",
        box=_boxes(people, len(kept)),
        pose=pose,
        betas=betas,
        gender=np.array([gender_of(g) for g in gender], np.str_),
        cam_t=pelvis_of(people["global_t"].astype(np.float32), betas, body)
        if "global_t" in people
        else unknown(len(kept), 3),
        human36m=_human36m(people, jointed[kept]),
        K=_cameras(people, len(kept)),
        image_size=unknown(len(kept), 2),
    )


def _arrays(path: Path) -> Arrays:
    """The arrays in use, all of one length."""
    widths = {
        "imgname": (), "part": (24, 3), "pose": (72,), "shape": (None,), "has_smpl": None, "gender": (), "center": (2,),
        "scale": None, "S": (24, 4), "global_t": (3,), "focal_l": None,
    }  # fmt: skip
    with open_archive(path) as archive:
        arrays = {key: archive[key] for key in widths if key in archive}
    wanted = ["imgname", *(["pose", "shape"] if "S" not in arrays or {"pose", "shape"} & set(arrays) else [])]
    if missing := [key for key in wanted if key not in arrays]:
        raise ValueError(f"{path}: not a SPIN annotation file: it lacks {missing}")
    count = arrays["imgname"].size
    for key, width in widths.items():
        kinds = _TEXT if key in ("imgname", "gender") else _NUMBERS
        if key in arrays and arrays[key].dtype.kind not in kinds:
            raise ValueError(f"{path}: {key}: expected {_KINDS[kinds]}, got {arrays[key].dtype}")
        if key in arrays and not _fits(arrays[key].shape, count, width):
            expected = (count, *("*" if w is None else w for w in width or ()))
            raise ValueError(f"{path}: {key}: expected shape {expected}, got {arrays[key].shape}")
    for key in ("has_smpl", "scale", "focal_l"):
        if key in arrays:
            arrays[key] = arrays[key].reshape(count)
    return arrays


def _fits(shape: tuple[int, ...], count: int, width: tuple[int | None, ...] | None) -> bool:
    """Whether ``shape`` is (count, *width); None: one number for each, of any shape."""
    if width is None:
        return int(np.prod(shape)) == count
    return len(shape) == 1 + len(width) and all(w in (None, n) for n, w in zip(shape, (count, *width), strict=True))


def _fitted(arrays: Arrays, count: int) -> NDArray[np.bool_]:
    return np.asarray(arrays.get("has_smpl", np.full(count, "pose" in arrays)) != 0)


def _jointed(arrays: Arrays, count: int) -> NDArray[np.bool_]:
    """(N,) people all of whose Human3.6M joints are in ``S``."""
    if "S" not in arrays:
        return np.zeros(count, np.bool_)
    rows = [PART.index(_HUMAN36M_OF_PART.get(joint, joint)) for joint in HUMAN36M.joints]
    return np.asarray((arrays["S"].astype(np.float64)[:, rows, 3] > 0).all(1))


def _keypoints(people: Arrays, count: int) -> Float32s:
    """(N, 17, 3) px and score; zeros where the file has none, as SPIN's of 3DPW."""
    if "part" not in people:
        return np.zeros((count, COCO17.size, 3), np.float32)
    return np.asarray(to_coco17(people["part"].astype(np.float32), PART), np.float32)


def _human36m(people: Arrays, jointed: NDArray[np.bool_]) -> Floats:
    joints = unknown(len(jointed), HUMAN36M.size, 3)
    if "S" in people:
        rows = [PART.index(_HUMAN36M_OF_PART.get(joint, joint)) for joint in HUMAN36M.joints]
        joints[jointed] = people["S"].astype(np.float32)[jointed][:, rows, :3]
    return joints


def _boxes(people: Arrays, count: int) -> Floats:
    """(N, 4) px: squares around ``center``."""
    if not {"center", "scale"} <= people.keys():
        return unknown(count, 4)
    half = people["scale"].astype(np.float32)[:, None] * _SCALE_PX / 2
    centre = people["center"].astype(np.float32)
    return np.concatenate([centre - half, centre + half], 1)


def _cameras(people: Arrays, count: int) -> Floats:
    """(N, 3, 3) px; the principal point, CLIFF's image centre, is not in the file."""
    K = unknown(count, 3, 3)
    if "focal_l" in people:
        K[:] = np.eye(3)
        K[:, 0, 0] = K[:, 1, 1] = people["focal_l"].astype(np.float32)
        K[:, :2, 2] = np.nan
    return K


def _frames(image: NDArray[np.str_]) -> Int64s:
    """(N,) the numbers that image names end in, -1 without one."""
    return np.array([int(m.group(1)) if (m := _FRAME.search(name)) else -1 for name in image], np.int64)
