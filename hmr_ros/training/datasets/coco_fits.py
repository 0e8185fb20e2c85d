# SPDX-License-Identifier: Apache-2.0
"""SMPL fits to COCO and other images, by annotation id: Pose2Mesh's of SMPLify, and NeuralAnnot's (CVPRW 2022).

Beside the fits lies the data set's own ``person_keypoints_*.json``, with images, boxes and keypoints. Pose2Mesh's fits
have a weak-perspective camera, px = s XY + t; NeuralAnnot's a perspective one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import COCO17, HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, camera_matrix, corners, pelvis_of, unknown
from hmr_ros.training.datasets.reading import JsonObject, column, read_object, reading, shapes


def read_coco_fits(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read the fits ``path``; crowds and annotations without a fit are left out.

    ValueError names the file that is missing or of another layout.
    """
    annotations = sorted(path.parent.glob("person_keypoints_*.json"))
    if not annotations:
        raise ValueError(f"{path}: beside it must lie COCO's person_keypoints_train2017.json, which tells the images")
    fits = read_object(path)
    with reading(annotations[0]):
        shown = _shown(read_object(annotations[0]), fits, annotations[0].stem.rpartition("_")[2])
    with reading(path):
        return _people(shown, [fits[person] for person in shown.person.tolist()], body)


@dataclass(frozen=True, eq=False)
class _Shown:
    """What COCO's own file tells of N people: see ``AnnotatedPeople``."""

    image: Strings
    person: Strings
    keypoints: Floats
    box: Floats
    size: Floats


def _shown(content: JsonObject, fits: JsonObject, directory: str) -> _Shown:
    """The people who are no crowds and have fits."""
    images = {image["id"]: image for image in content["images"]}
    people = [a for a in content["annotations"] if not a.get("iscrowd") and a["num_keypoints"] and str(a["id"]) in fits]
    where = [images[person["image_id"]] for person in people]
    return _Shown(
        image=np.array([f"{directory}/{image['file_name']}" for image in where], np.str_),
        person=np.array([str(person["id"]) for person in people], np.str_),
        keypoints=column(people, "keypoints", COCO17.size, 3),
        box=corners(column(people, "bbox", 4)),
        size=np.stack([column(where, "width"), column(where, "height")], 1),
    )


def _people(shown: _Shown, fits: list[JsonObject], body: BodyModel) -> AnnotatedPeople:
    count = len(fits)
    smpl = [fit["smpl_param"] for fit in fits]
    betas = shapes(smpl, "shape")
    K, cam_t = _cameras(fits, betas, shown.size, body)
    return AnnotatedPeople(
        image=shown.image,
        person=shown.person,
        track=shown.image,
        frame=np.full(count, -1),
        kp2d=shown.keypoints[..., :2],
        kp2d_score=np.asarray(shown.keypoints[..., 2] > 0, np.float32),
        joint_set="coco17",
        kp2d_source="annotations",
        box=shown.box,
        pose=column(smpl, "pose", SMPL.size, 3),
        betas=betas,
        gender=np.full(count, "neutral"),
        cam_t=cam_t,
        human36m=unknown(count, HUMAN36M.size, 3),
        K=K,
        image_size=shown.size,
    )


def _cameras(fits: list[JsonObject], betas: Floats, size: Floats, body: BodyModel) -> tuple[Floats, Floats]:
    """(N, 3, 3) px and the pelvis (N, 3) m."""
    cameras = [fit["cam_param"] for fit in fits]
    if all("focal" in camera for camera in cameras):
        transl = column([fit["smpl_param"] for fit in fits], "trans", 3)
        K = camera_matrix(column(cameras, "focal", 2), column(cameras, "princpt", 2))
        return K, pelvis_of(transl, betas, body)
    scale = column([{"s": np.broadcast_to(camera["s"], 2)} for camera in cameras], "s", 2)
    offset = column(cameras, "t", 2)
    # The same image in perspective, but for the depth within the body: at the distance f / s
    focal = np.repeat(np.linalg.norm(size, axis=1, keepdims=True), 2, 1)
    transl = np.concatenate([(offset - size / 2) / scale, (focal / scale).mean(1, keepdims=True)], 1)
    return camera_matrix(focal, size / 2), pelvis_of(transl, betas, body)
