# SPDX-License-Identifier: Apache-2.0
"""SMPL fits to COCO and other images, by annotation id: Pose2Mesh's of SMPLify, and NeuralAnnot's (CVPRW 2022).

Beside the fits lies the data set's own ``person_keypoints_*.json``, with images, boxes and keypoints. Pose2Mesh's fits
have a weak-perspective camera, px = s XY + t; NeuralAnnot's a perspective one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.skeleton import COCO17, HUMAN36M, SMPL
from hmr_ros.training.datasets.annotated import AnnotatedPeople, camera_matrix, corners, pelvis_of, unknown
from hmr_ros.training.datasets.reading import reading

Record = dict[str, Any]
"""One object of a JSON file."""


def read_coco_fits(path: Path, body: BodyModel) -> AnnotatedPeople:
    """Read the fits ``path``; crowds and annotations without a fit are left out.

    ValueError names the file that is missing or of another layout.
    """
    annotations = sorted(path.parent.glob("person_keypoints_*.json"))
    if not annotations:
        raise ValueError(f"{path}: beside it must lie COCO's person_keypoints_train2017.json, which tells the images")
    with reading(annotations[0]):
        content = json.loads(annotations[0].read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        people = [a for a in content["annotations"] if not a.get("iscrowd") and a["num_keypoints"]]
        where = [images[person["image_id"]] for person in people]
    directory = annotations[0].stem.rpartition("_")[2]
    with reading(path):
        fits: Record = json.loads(path.read_text(encoding="utf-8"))
        both = [(p, w, fits[str(p["id"])]) for p, w in zip(people, where, strict=True) if str(p["id"]) in fits]
        return _people([b[0] for b in both], [b[1] for b in both], [b[2] for b in both], directory, body)


def _people(
    people: list[Record], where: list[Record], fits: list[Record], directory: str, body: BodyModel
) -> AnnotatedPeople:
    count = len(people)
    image = np.array([f"{directory}/{w['file_name']}" for w in where], np.str_)
    kp2d = np.array([p["keypoints"] for p in people], np.float32).reshape(count, COCO17.size, 3)
    size = np.array([(w["width"], w["height"]) for w in where], np.float32).reshape(count, 2)
    smpl = [fit["smpl_param"] for fit in fits]
    betas = np.array([s["shape"] for s in smpl], np.float32).reshape(count, -1)[:, :BETAS].reshape(count, BETAS)
    K, cam_t = _cameras(fits, betas, size, body)
    return AnnotatedPeople(
        image=image,
        person=np.array([f"{p['id']}" for p in people], np.str_),
        track=image,
        frame=np.full(count, -1),
        kp2d=kp2d[..., :2],
        kp2d_score=np.asarray(kp2d[..., 2] > 0, np.float32),
        joint_set="coco17",
        kp2d_source="annotations",
        box=corners(np.array([p["bbox"] for p in people], np.float32).reshape(count, 4)),
        pose=np.array([s["pose"] for s in smpl], np.float32).reshape(count, SMPL.size, 3),
        betas=betas,
        gender=np.full(count, "neutral"),
        cam_t=cam_t,
        human36m=unknown(count, HUMAN36M.size, 3),
        K=K,
        image_size=size,
    )


def _cameras(fits: list[Record], betas: Floats, size: Floats, body: BodyModel) -> tuple[Floats, Floats]:
    """(N, 3, 3) px and the pelvis (N, 3) m."""
    cameras = [fit["cam_param"] for fit in fits]
    if all("focal" in camera for camera in cameras):
        focal, centre = (np.array([c[k] for c in cameras], np.float32).reshape(-1, 2) for k in ("focal", "princpt"))
        transl = np.array([fit["smpl_param"]["trans"] for fit in fits], np.float32).reshape(-1, 3)
        return camera_matrix(focal, centre), pelvis_of(transl, betas, body)
    scale = np.array([np.broadcast_to(c["s"], 2) for c in cameras], np.float32).reshape(-1, 2)
    offset = np.array([c["t"] for c in cameras], np.float32).reshape(-1, 2)
    # The same image in perspective, but for the depth within the body: at the distance f / s
    focal = np.repeat(np.linalg.norm(size, axis=1, keepdims=True), 2, 1)
    transl = np.concatenate([(offset - size / 2) / scale, (focal / scale).mean(1, keepdims=True)], 1)
    return camera_matrix(focal, size / 2), pelvis_of(transl, betas, body)
